"""The terms at a volume are those that a solver with weights of 1 records there, whatever the weights are."""

import numpy as np
import pytest

from fusedtomo.reconstruct import solve
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.terms import terms_at

ONE = Weights(haadf=1.0, chemical=1.0, tv=1.0)
SETTINGS = {
    "as they are": {},
    "by element": {"tv_by_element": {"O": 3.0}, "chemical_by_element": {"Co": 0.5}},
    "least squares": {"chemical_term": "least-squares", "tv": "anisotropic"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_they_are_those_that_a_solver_with_weights_of_1_records(place, tiny_dataset, name):
    settings = SolverSettings(max_iterations=4, tolerance=0.0, gamma=1.7, **SETTINGS[name])
    found = solve(tiny_dataset, "fused", ONE, settings, place=place)
    assert found.history["total"][-1] == min(found.history["total"])  # so that the last iterate is what it returns
    recorded = {name: found.history[name][-1] for name in ("haadf", "chemical", "tv")}
    assert min(recorded.values()) > 0
    for weights in (ONE, Weights(haadf=0.02, chemical=7.0, tv=0.0)):
        there = terms_at(Problem(tiny_dataset, weights, settings, place), found.volume)
        assert there == pytest.approx(recorded, rel=1e-5)


def test_they_are_of_the_volume_of_any_method_and_its_own_gamma_and_eps(place, tiny_dataset):
    settings = SolverSettings(max_iterations=4, tolerance=0.0)
    volume = solve(tiny_dataset, "sirt", ONE, settings, place=place).volume
    base = terms_at(Problem(tiny_dataset, ONE, settings, place), volume)
    assert list(base) == ["chemical", "haadf", "tv"]
    for changed, term in (({"gamma": 1.2}, "haadf"), ({"eps": 9.0}, "chemical")):
        other = terms_at(Problem(tiny_dataset, ONE, settings.model_copy(update=changed), place), volume)
        assert {name for name in base if not np.isclose(other[name], base[name], rtol=1e-4)} == {term}


def test_without_the_haadf_series_its_term_is_not_asked_for(place, tiny_dataset, monkeypatch):
    monkeypatch.setattr(Problem, "haadf", lambda *_: pytest.fail("the HAADF series was looked at"))
    settings = SolverSettings(max_iterations=2)
    volume = solve(tiny_dataset, "poisson-tv", ONE, settings, place=place).volume
    assert list(terms_at(Problem(tiny_dataset, ONE, settings, place), volume, haadf=False)) == ["chemical", "tv"]
