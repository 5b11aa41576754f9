"""A trial of every method is made, of the smallest specimen, wherever the size comes from."""

import pytest

from tests.workflows import values
from tests.workflows.tiny import config
from workflows.batch import rehearsal
from workflows.batch.rehearsal import failures

TILTS = {"haadf_tilts": [2, 4], "chemical_tilts": [2]}


@pytest.fixture
def tried(monkeypatch):
    """The trials that are asked for; none is computed, and those of sirt fail."""
    asked = []

    def evaluate(trial):
        asked.append(trial)
        return values.trial(trial.condition.key, 0, None if trial.condition.method == "sirt" else 0.5)

    monkeypatch.setattr(rehearsal, "evaluate", evaluate)
    return asked


def test_every_method_is_tried_once_at_the_middle_of_its_space(tried):
    assert not list(failures(config()))
    assert sorted(trial.condition.method for trial in tried) == ["fused", "poisson", "poisson-tv"]
    points = {trial.condition.method: trial.point for trial in tried}
    assert points["fused"] == pytest.approx({"haadf": 1e-3**0.5, "tv": 0.5**0.5})
    assert points["poisson"] == {}


def test_a_method_that_fails_is_named_with_its_reason(tried):
    (fault,) = failures(config(methods=["fused", "sirt"]))
    assert fault == "a trial of sirt fails at 16^3 already: MemoryError: <b>; mend the campaign"


@pytest.mark.parametrize("changes", [{"phantom__size": 256}, {"axes": {"size": [64, 256], **TILTS}}], ids=str)
def test_specimens_are_small_and_as_deep_as_they_are(tried, changes):
    assert not list(failures(config(solver__max_iterations=500, **changes)))
    setups = [trial.config.setup(trial.condition) for trial in tried]
    assert {(one.phantom.size, one.solver.depth, one.solver.max_iterations) for one in setups} == {(16, None, 3)}
