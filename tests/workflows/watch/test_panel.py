"""The panel and the line: who works on the run, how long it takes, what it cost, what failed."""

import time
from dataclasses import replace

import pytest

from tests.workflows.values import TRIALS, campaign, everything, over, trial
from tests.workflows.watch.rendering import shown
from workflows.record.journal import TrialResult
from workflows.record.state import Progress, State
from workflows.record.tally import Tally
from workflows.watch.panel import clock, duration, line, panel

NOW = 1.7e9
BUSY = Progress(workers=4, running=3, busy_seconds=37.2, elapsed_s=10.0, longest_s=90.0)
RUNNING = State(phase="running", controller="n17:42", machine="laptop", progress=BUSY, left_s=100.0, written=NOW - 3)
EVERYTHING = everything(campaign())


def said(state, trials=TRIALS, width=100):
    return shown(panel(Tally(campaign(), trials), state, NOW, width), width)


def test_a_running_campaign():
    text = said(RUNNING)
    for words in (
        "tiny  running on laptop (n17:42)",
        "4/33, 1 failed, 3 running",
        "1/12 done, lowest NRMSE 0.342 (fused-h5-c3)",
        "4, utilisation 93 %, the longest task runs for 1m 30s",
        f"in 1m 37s, at {clock(NOW + 97)}; running for 10s",
        "0.04 CPU worker hours at 64³; paper: 1078 GPU hours at 256³",
        "MemoryError: <b>",
    ):
        assert words in text, words


def test_a_controller_that_was_killed_is_not_shown_as_running():
    text = said(RUNNING.model_copy(update={"written": NOW - 40}))
    assert "controller n17:42 not seen for 40s; if it has ended, run it again" in text
    assert "utilisation 93 % in the last session" in text
    assert "running for" not in text
    assert "3 running" not in text


def test_a_run_that_was_stopped_says_so_at_once_and_for_ever():
    stopped = RUNNING.model_copy(update={"phase": "stopped", "over": True})
    for age in (0, 1e6):
        text = said(stopped.model_copy(update={"written": NOW - age}))
        assert f"stopped at {clock(NOW - age)}; the same command resumes it" in " ".join(text.split())


def test_a_finished_run():
    text = said(RUNNING.model_copy(update={"phase": "finished", "over": True}), EVERYTHING)
    assert f"finished at {clock(NOW - 3)}" in text
    assert "resumes" not in text
    assert "12/12 done" in text
    assert "finished" in said(None, EVERYTHING)


def test_a_run_of_which_nothing_is_known_but_its_journal():
    assert "no controller has written here yet" in said(None)


def test_what_a_state_says_does_not_steer_the_terminal():
    assert "\x1b" not in said(RUNNING.model_copy(update={"phase": "\x1b[2Jrunning", "controller": "\x1b]0;n17"}))


def test_clocks_that_differ_are_no_age():
    assert "running on laptop" in said(RUNNING.model_copy(update={"written": NOW + 300}))


@pytest.mark.parametrize("axes", [((5, 20), (3, 9, 27)), ((5,), (3,))])
@pytest.mark.parametrize("journal", [[], [trial("fused-h5-c3", 0, None)], TRIALS])
def test_something_is_shown_whatever_the_journal_holds(axes, journal):
    text = shown(panel(Tally(campaign(*axes), journal), RUNNING, NOW, 80))
    assert "lowest NRMSE" in text
    struck = {c.key for c in campaign(*axes).conditions()} & {one.condition for one in journal if not one.ok}
    assert ("MemoryError: <b>" in text) is bool(struck)


def test_reasons_are_not_taken_for_markup_and_many_are_cut():
    broken = [TrialResult("fused-h5-c3", i, "failed", {}, reason=f"KeyError: [/bold] [red]{i}") for i in range(8)]
    text = shown(panel(Tally(campaign(), broken), RUNNING, NOW, 100, most_reasons=5), 100)
    assert "[/bold] [red]0" in text
    assert "3 more: fusedtomo trials RUN --failed" in text


@pytest.mark.parametrize("height", [24, 40])
def test_a_large_map_fits_a_terminal(height):
    many = [TrialResult("fused-h5-c3", i, "failed", {}, reason=f"KeyError: {i}") for i in range(8)]
    for trials in (TRIALS, [*TRIALS, *many], []):
        tally = Tally(campaign(haadf=tuple(range(2, 20)), chemical=tuple(range(2, 22))), trials)
        lines = shown(panel(tally, RUNNING, NOW, 80, 3, height), 80).splitlines()
        assert len(lines) <= height
        assert ("failures by reason" in "".join(lines)) is (bool(tally.reasons) and height == 40)


def test_a_line_of_a_log():
    tally = Tally(campaign(), TRIALS)
    facts = "trials 4/33  lowest NRMSE 0.342 (fused-h5-c3)  utilisation 93 %  failed 1"
    now = time.strftime("%H:%M:%S", time.localtime(NOW))
    assert line(tally, RUNNING, NOW) == f"{now}  {facts}  left 1m 37s"
    starting = line(tally, RUNNING.model_copy(update={"phase": "starting workers"}), NOW)
    assert starting.endswith("  starting workers on laptop (n17:42)")
    assert line(Tally(campaign(), EVERYTHING), RUNNING, NOW).endswith("left 0s")
    late = line(tally, RUNNING.model_copy(update={"written": NOW - 40}), NOW)
    assert late.startswith(f"{now}  {facts}  left unknown  controller n17:42 not seen for 40s")


@pytest.mark.parametrize(("seconds", "text"), [(None, "unknown"), (20.4, "20s"), (80, "1m 20s"), (3725, "1h 2m")])
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_time_of_another_day_has_its_date():
    assert clock(NOW) == time.strftime("%a %d %b %H:%M", time.localtime(NOW))
    assert clock(time.time()) == time.strftime("%H:%M")


@pytest.mark.parametrize("height", [24, 40])
def test_a_map_of_three_axes_fits_a_terminal(height):
    config = over({"haadf_tilts": list(range(5, 17)), "chemical_tilts": [3, 9], "unmapped": ["none"]})
    for trials in ([], everything(config)):
        said = shown(panel(Tally(config, trials), RUNNING, NOW, 80, 3, height), 80).splitlines()
        assert len(said) <= height
        assert "without maps: none" in said


def test_the_hours_are_those_of_the_report_whatever_shared_a_trial():
    on_gpus = replace(trial("fused-h5-c3", 0, 0.5), device="gpu", ranks=4, seconds=3600.0)
    assert "4 GPU hours, 0.04 CPU worker hours at 64³" in said(RUNNING, [on_gpus, *TRIALS])
