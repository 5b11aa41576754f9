"""The dashboard: what it says on a terminal and without one, how often, and what a status shows."""

import io

import pytest
from rich.console import Console

from tests.workflows.values import campaign, trial
from workflows.journal import TrialResult
from workflows.live import Dashboard, Progress, Tally, duration, heat_map, status_table

TRIALS = [
    trial("poisson-c3", 0, 1.6),
    trial("fused-h5-c3", 0, 0.5),
    trial("fused-h5-c3", 1, 0.342),
    trial("fused-h5-c9", 0, None),
]
BUSY = Progress(workers=4, running=4, busy_seconds=37.2, elapsed_s=10.0)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def plain_console(**options):
    return Console(file=io.StringIO(), width=100, **options)


def shown(renderable, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def test_line_without_a_terminal():
    console = plain_console()
    with Dashboard(campaign(), console, clock=Clock()) as dashboard:
        for one in TRIALS[:3]:
            dashboard.record(one)
        dashboard.tick(BUSY)
    expected = "trials 3/33  best NRMSE 0.342 (fused-h5-c3)  utilisation 93 %  failed 0  left 1m 40s\n"
    assert console.file.getvalue() == expected


def test_lines_are_far_apart_and_the_last_state_is_always_said():
    console, clock = plain_console(), Clock()
    with Dashboard(campaign(), console, clock=clock) as dashboard:
        for second in range(12):
            clock.now = second
            dashboard.record(trial("fused-h5-c3", second, 0.5))
            dashboard.tick(BUSY)
    starts = [line.split("  ")[0] for line in console.file.getvalue().splitlines()]
    assert starts == ["trials 1/33", "trials 6/33", "trials 11/33", "trials 12/33"]


def test_time_left_counts_this_session_s_pace_only():
    dashboard = Dashboard(campaign(), plain_console(), trials=TRIALS)
    dashboard.tick(BUSY)
    assert dashboard.left_s() is None
    dashboard.record(trial("fused-h5-c27", 0, 0.4))
    assert dashboard.left_s() == pytest.approx((33 - 5) * 10.0)


def test_nothing_left_and_nothing_known():
    everything = [trial(c.key, i, 0.5) for c in campaign().conditions() for i in range(campaign().evaluations(c))]
    assert Dashboard(campaign(), plain_console(), trials=everything).left_s() == 0
    assert Progress(0, 0, 0.0, 0.0).utilisation is None
    assert "utilisation –" in Dashboard(campaign(), plain_console()).line()
    assert "best NRMSE none yet" in Dashboard(campaign(), plain_console()).line()


def test_terminal_shows_map_counts_and_time():
    console = plain_console(
        force_terminal=True,
        color_system="truecolor",
        height=40,
        legacy_windows=False,
        _environ={"TERM": "xterm"},
    )
    with Dashboard(campaign(), console) as dashboard:
        for one in TRIALS:
            dashboard.record(one)
        dashboard.tick(BUSY)
    text = console.file.getvalue()
    for piece in (
        "0.342",
        "1.600",
        "✗",
        "4/33, 1 failed",
        "utilisation 93 %",
        "1m 12s",
        "\x1b[1;38",
        "\x1b[?25h",
    ):
        assert piece in text, piece


def test_dumb_terminals_get_lines():
    console = plain_console(force_terminal=True, _environ={"TERM": "dumb"})
    with Dashboard(campaign(), console) as dashboard:
        dashboard.tick(BUSY)
    assert console.file.getvalue().startswith("trials 0/33")


def test_the_last_state_is_drawn_when_the_run_breaks_off():
    console = plain_console()
    dashboard = Dashboard(campaign(), console)
    dashboard.record(TRIALS[0])
    with pytest.raises(KeyboardInterrupt), dashboard:
        raise KeyboardInterrupt
    assert "trials 1/33" in console.file.getvalue()


def test_tally_leaves_out_conditions_that_are_not_on_the_grid():
    tally = Tally(campaign(), [*TRIALS, trial("fused-h99-c3", 0, 0.01)])
    assert (tally.trials, tally.total, tally.failed.total(), tally.best) == (4, 33, 1, "fused-h5-c3")
    assert tally.reasons == {"MemoryError: <b>": 1}


def test_heat_map_rows_run_upwards_with_baselines_below():
    lines = shown(heat_map(Tally(campaign(), TRIALS), 80)).splitlines()
    assert lines[1].split() == ["20", "·", "·", "·"]
    assert lines[2].split() == ["5", "0.342", "✗", "·"]
    assert lines[4].split() == ["Poisson", "+", "TV", "·", "·", "·"]
    assert lines[5].split() == ["Poisson", "1.600", "·", "·"]
    assert lines[6].split() == ["chemical", "3", "9", "27"]


@pytest.mark.parametrize(("width", "text"), [(80, "0.342"), (30, "0.34"), (27, ".34"), (21, "")])
def test_cells_shrink_with_the_terminal(width, text):
    lines = shown(heat_map(Tally(campaign(), TRIALS), width)).splitlines()
    assert lines[2].split()[1:][:1] == ([text] if text else ["✗"])


@pytest.mark.parametrize("axes", [((5, 20), (3, 9, 27)), ((5,), (3,))])
@pytest.mark.parametrize("journal", [[], [trial("fused-h5-c3", 0, None)], TRIALS])
def test_status_is_shown_whatever_the_journal_holds(axes, journal):
    text = shown(status_table(campaign(*axes), journal))
    assert "best NRMSE" in text
    struck = {c.key for c in campaign(*axes).conditions()} & {one.condition for one in journal if not one.ok}
    assert ("MemoryError: <b>" in text) is bool(struck)


def test_reasons_are_not_taken_for_markup():
    broken = TrialResult("fused-h5-c3", 0, "failed", {}, reason="KeyError: [/bold] [red]x")
    assert "[/bold] [red]x" in shown(status_table(campaign(), [broken]))


@pytest.mark.parametrize(("seconds", "text"), [(None, "unknown"), (20.4, "20s"), (80, "1m 20s"), (3725, "1h 2m")])
def test_durations(seconds, text):
    assert duration(seconds) == text
