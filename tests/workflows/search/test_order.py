"""What a search is told: what is minimised, of whole trials that have it, and nothing else."""

import math

import pytest

from tests.workflows.stubs import Inline, digest, run, stub_model
from tests.workflows.tiny import config, fused
from workflows.control import steer
from workflows.record.journal import TrialResult, best
from workflows.record.tally import Tally
from workflows.search import gp_hedge
from workflows.search.order import ConditionOrder

CELL = fused(4, 3)
POINT = {"haadf": 0.1, "tv": 1.0}


def measured(trial):
    """A trial whose measures disagree on which point is best; every fifth has no stoichiometry error."""
    value = digest(trial.condition.key, trial.point)
    lacking = trial.number % 5 == 3
    return TrialResult(
        condition=trial.condition.key,
        trial=trial.number,
        status="ok",
        point=trial.point,
        nrmse=value,
        rmse_by_element={"Co": 1 - value, "Ni": 3 - value},
        stoichiometry_error=None if lacking else abs(value - 0.5),
    )


EXPECTED = {
    "nrmse": lambda t: t.nrmse,
    "rmse": lambda t: 2 - t.nrmse,
    "stoichiometry_error": lambda t: math.nan if t.stoichiometry_error is None else abs(t.nrmse - 0.5),
    "weighted": lambda t: math.nan if t.stoichiometry_error is None else t.nrmse + 4 * abs(t.nrmse - 0.5),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_minimised_is_told_to_the_model_and_decides_the_best(tmp_path, monkeypatch, name):
    asked = []
    monkeypatch.setattr(steer, "run_trial", measured)
    monkeypatch.setattr(gp_hedge, "_gaussian_process", lambda one: asked.append(one) or stub_model(one))
    minimise = {"nrmse": 1.0, "stoichiometry_error": 4.0} if name == "weighted" else name
    campaign = config(search__minimise=minimise, search__evaluations=8, methods=["fused"])
    trials = run(tmp_path, campaign, Inline())
    values = {(trial.condition, str(trial.point)): EXPECTED[name](trial) for trial in trials}
    points = {str(trial.point): trial.condition for trial in trials}
    assert asked
    for one in asked:
        for point, value in one.told:
            assert value == pytest.approx(values[points[str(point)], str(point)])
        ended = one.trial - (1 if name in ("stoichiometry_error", "weighted") and one.trial > 3 else 0)
        assert len(one.told) == ended  # without those that have not what is minimised
    tally = Tally(campaign, trials)
    for condition in campaign.conditions():
        own = [trial for trial in trials if trial.condition == condition.key]
        known = [trial for trial in own if not math.isnan(EXPECTED[name](trial))]
        winner = min(known, key=EXPECTED[name])
        assert best(own, minimise) == winner
        assert tally.errors[condition.key] == pytest.approx(EXPECTED[name](winner))


def test_measures_choose_different_winners():
    """Else the test above would prove little."""
    trials = [measured(steer.Trial(config(), CELL, number, {"tv": 0.1 * number + 0.1})) for number in range(8)]
    assert len({best(trials, name).trial for name in ("nrmse", "rmse", "stoichiometry_error")}) == 3


def result(number, nrmse, fidelity=1.0):
    status = "failed" if nrmse is None else "ok"
    return TrialResult(CELL.key, number, status, {**POINT, "tv": 1.0 + number}, fidelity, nrmse=nrmse)


def test_cheap_trials_and_failures_are_never_told_to_the_model_of_a_condition():
    results = [result(0, 0.5), result(1, 0.1, fidelity=0.25), result(2, None), result(3, 0.4)]
    order = ConditionOrder(config(search__evaluations=6), CELL, dict(enumerate(results)))
    asked = order.ask()
    assert asked.trial == 4
    assert asked.told == [({**POINT, "tv": 1.0}, 0.5), ({**POINT, "tv": 4.0}, 0.4)]
    assert best(results).trial == 3


@pytest.mark.parametrize("fidelity", [0.25, 0.999])
def test_a_cheap_trial_is_no_result_of_its_condition(fidelity):
    assert best([result(0, 0.1, fidelity)]) is None
    tally = Tally(config(methods=["fused"]), [result(0, 0.1, fidelity)])
    assert (tally.errors, tally.lowest, tally.trials) == ({}, None, 1)
