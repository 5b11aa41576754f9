"""The dashboard of a running campaign: on a terminal, without one, and how often it speaks."""

import io
from dataclasses import replace
from itertools import pairwise

import pytest
from rich.console import Console

from tests.workflows.values import TRIALS, campaign, everything, over, trial
from workflows.record.state import Heartbeat, Progress
from workflows.watch.live import Dashboard

BUSY = Progress(workers=4, running=4, busy_seconds=37.2, elapsed_s=10.0)


class Clock:
    now = 1.7e9

    def __call__(self):
        return self.now


def plain_console(**options):
    return Console(file=io.StringIO(), width=100, **options)


def dashboard(console, folder, **options):
    """A dashboard whose heartbeat does not beat by itself."""
    heart = Heartbeat(folder, "laptop")
    heart.update(phase="running")
    return Dashboard(campaign(), heart, console, **options)


def lines(console):
    """What was said, without the time of day."""
    return [line.partition("  ")[2] for line in console.file.getvalue().splitlines()]


def test_line_without_a_terminal(tmp_path):
    console = plain_console()
    with dashboard(console, tmp_path, clock=Clock()) as board:
        for one in TRIALS[:3]:
            board.record(one)
        board.tick(BUSY)
    said = "trials 3/33  lowest NRMSE 0.342 (fused-h5-c3)  utilisation 93 %  failed 0  left 1m 40s"
    assert lines(console) == [said]


def test_lines_are_far_apart_in_a_long_run_and_the_last_state_is_always_said(tmp_path):
    console, clock = plain_console(), Clock()
    began, said_at = clock.now, []
    with dashboard(console, tmp_path, clock=clock) as board:
        for second in range(3600):
            clock.now, before = began + second, len(lines(console))
            board.record(trial("fused-h5-c3", second, 0.5))
            board.tick(BUSY)
            if len(lines(console)) > before:
                said_at.append(second)
    assert said_at[:4] == [0, 5, 10, 15]
    apart = [later - earlier for earlier, later in pairwise(said_at)]
    assert apart == sorted(apart)
    assert apart[-1] == 60
    assert lines(console)[-1].startswith("trials 3600/33")


def test_a_line_that_says_nothing_new_is_left_out(tmp_path):
    console, clock = plain_console(), Clock()
    with dashboard(console, tmp_path, clock=clock) as board:
        for _ in range(5):
            clock.now += 70
            board.tick(Progress(4, 0, 0.0, 10.0))
    assert len(lines(console)) == 1


def left_s(board, progress=BUSY):
    board.tick(progress)
    return board._heart.state(0).left_s


def test_time_left_counts_this_session_s_pace_only(tmp_path):
    board = dashboard(plain_console(), tmp_path, trials=TRIALS)
    assert left_s(board) is None
    again = dashboard(plain_console(), tmp_path, trials=TRIALS)
    again.record(trial("fused-h5-c27", 0, 0.4))
    assert left_s(again) == pytest.approx((33 - 5) * 10.0)


def test_nothing_is_left_of_a_complete_map(tmp_path):
    assert left_s(dashboard(plain_console(), tmp_path, trials=everything(campaign()))) == 0


def test_terminal_shows_map_counts_and_time(tmp_path):
    console = plain_console(
        force_terminal=True,
        color_system="truecolor",
        height=40,
        legacy_windows=False,
        _environ={"TERM": "xterm"},
    )
    with dashboard(console, tmp_path) as board:
        for one in TRIALS:
            board.record(one)
        board.tick(BUSY)
    text = console.file.getvalue()
    for piece in ("0.342", "1.600", "✗", "4/33, 1 failed, 4 running", "utilisation 93 %", "in 1m 12s", "\x1b[1;38"):
        assert piece in text, piece
    assert "\x1b[?25h" in text  # the cursor is back


def test_dumb_terminals_get_lines(tmp_path):
    console = plain_console(force_terminal=True, _environ={"TERM": "dumb"})
    with dashboard(console, tmp_path) as board:
        board.tick(BUSY)
    assert lines(console)[0].startswith("trials 0/33  lowest NRMSE none yet")


def test_the_last_state_is_drawn_when_the_run_breaks_off(tmp_path):
    console = plain_console()
    board = dashboard(console, tmp_path)
    board.record(TRIALS[0])
    with pytest.raises(KeyboardInterrupt), board:
        raise KeyboardInterrupt
    assert "trials 1/33" in console.file.getvalue()
    assert "stopped at" in lines(console)[-1]


def test_the_last_frame_of_a_stopped_run_says_so(tmp_path):
    console = plain_console()
    with dashboard(console, tmp_path, clock=Clock()) as board:
        board.tick(BUSY)
        board.record(TRIALS[0])
        board.stopped()
    assert "stopped at" in lines(console)[-1]
    assert "the same command resumes it" in lines(console)[-1]
    assert "running" not in lines(console)[-1]


@pytest.mark.parametrize(
    "config",
    [
        over({"chemical_dose": [1.0, 10.0]}),
        over({"haadf_tilts": [5, 20], "chemical_tilts": [3, 9], "unmapped": ["none", "O"]}),
    ],
)
def test_campaigns_of_one_and_three_axes_are_drawn_live(tmp_path, config):
    console = plain_console(
        force_terminal=True, color_system="truecolor", height=60, legacy_windows=False, _environ={"TERM": "xterm"}
    )
    heart = Heartbeat(tmp_path, "laptop")
    heart.update(phase="running")
    with Dashboard(config, heart, console) as board:
        board.record(replace(everything(config)[0], nrmse=0.123))
        board.tick(BUSY)
        board.stopped()
    last = console.file.getvalue().rpartition("tiny")[2]
    assert "stopped at" in last
    assert "running" not in last
    assert "0.123" in last
    assert "lowest NRMSE of every cell" in last
