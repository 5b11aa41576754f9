"""Counting trials: ended, failed and why, what they cost, what is still missing."""

from dataclasses import replace

import pytest

from tests.workflows.tiny import config
from tests.workflows.values import campaign, trial
from workflows.record.journal import TrialResult
from workflows.record.tally import Tally, hours_text

TRIALS = [
    trial("fused-h5-c3", 0, 0.7),
    trial("fused-h5-c3", 1, 0.5),
    trial("fused-h20-c9", 0, None),
    trial("poisson-c3", 0, 0.9),
]


def test_trials_off_the_grid_count_for_their_cost_alone():
    tally = Tally(campaign(), [*TRIALS, trial("fused-h99-c3", 0, 0.01)])
    assert (tally.trials, tally.total, tally.failed.total(), tally.lowest[0]) == (4, 33, 1, "fused-h5-c3")
    assert tally.reasons == {"MemoryError: <b>": 1}
    assert tally.hours["cpu"] == pytest.approx(5 * 36 / 3600)


def test_hours_are_those_of_devices_by_kind():
    on_gpus = replace(trial("fused-h5-c3", 0, 0.5), device="gpu", ranks=4, seconds=3600.0)
    tally = Tally(campaign(), [on_gpus, *TRIALS])
    assert tally.hours == {"gpu": 4.0, "cpu": pytest.approx(0.04)}
    assert hours_text(tally.hours) == "4 GPU hours, 0.04 CPU worker hours"
    assert hours_text(Tally(campaign()).hours) == "nothing"


def test_a_cell_is_done_when_its_last_trial_ended():
    key = "poisson-tv-c3"
    tally = Tally(campaign(), [trial(key, 0, 1.0)])
    assert tally.cells_done == 0
    tally.record(trial(key, 1, None))
    assert (tally.cells_done, tally.complete) == (1, False)


def test_missing_trials_take_as_long_as_their_own_cell_then_their_method_then_any():
    quick = [replace(trial(key, 0, 1.0), seconds=1.0) for key in ("poisson-c3", "poisson-c9", "poisson-c27")]
    assert Tally(campaign(), quick).remaining_s() == pytest.approx(30 * 1.0)  # nothing better is known
    slow = replace(trial("fused-h5-c3", 0, 0.5), seconds=10.0)
    slower = replace(trial("fused-h20-c27", 0, 0.5), seconds=40.0)
    tally = Tally(campaign(), [*quick, slow, slower])
    poisson_tv, fused = 6 * (53 / 5), 3 * 10.0 + 3 * 40.0 + 4 * 4 * 25.0
    assert tally.remaining_s() == pytest.approx(poisson_tv + fused)


def test_nothing_is_known_before_the_first_trial_and_nothing_missing_after_the_last():
    assert Tally(campaign()).remaining_s() is None
    everything = [trial(c.key, i, 0.5) for c in campaign().conditions() for i in range(campaign().evaluations(c))]
    tally = Tally(campaign(), everything)
    assert (tally.remaining_s(), tally.complete) == (0.0, True)


def test_the_lowest_is_a_cell_over_its_repeats_as_in_the_report():
    campaign = config(repeats={"noise_seed": [1, 2]}, methods=["fused"])
    errors = {"fused-h2-c2-s1": 0.1, "fused-h2-c2-s2": 0.5, "fused-h4-c2-s1": 0.2, "fused-h4-c2-s2": 0.2}
    trials = [TrialResult(key, 0, "ok", {}, nrmse=error) for key, error in errors.items()]
    assert Tally(campaign, trials).lowest == ("fused-h4-c2", pytest.approx(0.2))
