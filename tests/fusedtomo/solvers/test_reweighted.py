"""`fused-weighted`: begins as `fused` does, goes on from where that ends, and finds oxygen's edges."""

from dataclasses import replace

import numpy as np
import pytest

from fusedtomo.methods import METHODS
from fusedtomo.placement import Placement
from fusedtomo.reconstruct import reconstruct, solve
from fusedtomo.score import score
from fusedtomo.settings import Acquisition, SolverSettings, Weights
from fusedtomo.simulate import simulate
from fusedtomo.solvers import reweighted
from fusedtomo.solvers.accelerated import minimise
from fusedtomo.solvers.convergence import convergence, last_solve
from fusedtomo.solvers.edges import edge_weights
from fusedtomo.solvers.problem import Problem
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng

FEW = SolverSettings(max_iterations=5, tolerance=0.0, gamma=1.7)


def test_it_goes_on_from_where_fused_ends(tiny_dataset):
    """The row where a solve begins holds its cost at the volume that the one before ended with."""
    iterates = []
    found = solve(tiny_dataset, "fused-weighted", Weights(), FEW, callback=lambda k, x: iterates.append(x.copy()) or {})
    fused = solve(tiny_dataset, "fused", Weights(), FEW)
    assert found.history["solve"] == [0.0] * 5 + [1.0] * 5 + [2.0] * 6
    assert found.history["total"][:5] == fused.history["total"][:5]
    np.testing.assert_array_equal(iterates[5], fused.volume)
    problem = Problem(tiny_dataset, Weights(), FEW)
    weights = edge_weights(fused.volume, problem.contrast())
    expected = problem.total_variation(weights.local, weights.strength).value(fused.volume)
    assert found.history["tv"][5] == pytest.approx(expected, rel=1e-6)
    for name in ("haadf", "chemical"):
        assert found.history[name][5] == pytest.approx(fused.history[name][5], rel=1e-6)


def test_the_method_says_how_often_it_solves():
    assert METHODS["fused-weighted"].solves == reweighted.SOLVES


def test_only_its_last_cost_function_is_judged(tiny_dataset):
    settings = SolverSettings(max_iterations=200, tolerance=1e-4, gamma=1.7)
    history = solve(tiny_dataset, "fused-weighted", Weights(), settings).history
    assert convergence(history) == "converged"
    last = last_solve(history)
    assert len(last["total"]) == history["solve"].count(2.0)
    assert "solve" not in last
    raised = {**history, "total": [*np.array(history["total"][: -len(last["total"])]) / 10, *last["total"]]}
    assert convergence(raised) == "converged"
    assert convergence({name: values for name, values in raised.items() if name != "solve"}) == "diverging"


def test_nothing_is_weighed_once_the_cost_is_not_finite(tiny_dataset, monkeypatch):
    monkeypatch.setattr(
        reweighted, "minimise", lambda *args, **more: replace(minimise(*args, **more), stopped="not finite")
    )
    found = solve(tiny_dataset, "fused-weighted", Weights(), FEW)
    assert found.stopped == "not finite"
    assert set(found.history["solve"]) == {0.0}


def test_oxygen_gains_the_edges_of_the_metals():
    spec, noise = PhantomSpec(name="cuo_coo_nanocubes", size=20, seed=0), {"dose_counts": 3.0, "tilts": {"count": 9}}
    phantom = make_phantom(spec, phantom_rng(spec))
    acquisition = {"haadf": {"tilts": {"count": 25}, "snr": 1000.0}, "chemical": noise}
    dataset, place = simulate(phantom, Acquisition.model_validate(acquisition)), Placement()
    weights, settings = Weights(haadf=0.3), SolverSettings(max_iterations=60)
    errors = [
        score(reconstruct(dataset, method, weights, settings, place=place).volume, phantom).nrmse_by_element
        for method in ("fused", "fused-weighted")
    ]
    assert errors[1]["O"] < 0.8 * errors[0]["O"]  # 0.35 and 0.48 were found, 0.73 times
