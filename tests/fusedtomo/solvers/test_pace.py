"""The pace "fast": other steps, the same minimum; and no step of the pace "steady" is another one."""

import numpy as np
import pytest

from fusedtomo import proximal
from fusedtomo.reconstruct import solve
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers import accelerated
from fusedtomo.solvers.pace import PACES, Pace, Renewals

LONG = {"max_iterations": 150, "tolerance": 1e-4, "gamma": 1.0}
RULE = Pace(outdated=1.0, most=3, apart=2, every=5, gap=0.5, least_gap=0.3)


@pytest.mark.parametrize("method", ["poisson-tv", "fista-tv", "fused"])
def test_it_ends_where_the_steady_one_ends(tiny_dataset, method):
    """Within a tenth of what counts as the same cost (benchmarks.pace); gamma is 1, where the terms are convex."""
    steady, fast = (solve(tiny_dataset, method, Weights(), SolverSettings(**LONG, pace=pace)) for pace in PACES)
    assert fast.history["total"] != steady.history["total"]
    assert fast.history["total"][-1] == pytest.approx(steady.history["total"][-1], rel=1e-4)
    np.testing.assert_allclose(fast.volume, steady.volume, atol=0.02 * steady.volume.max())


@pytest.mark.parametrize("method", ["sirt", "gradient-descent"])
def test_it_is_nothing_to_methods_of_another_kind(tiny_dataset, method):
    few, weights = {"max_iterations": 4, "tolerance": 0.0}, Weights(tv=0.01)
    steady, fast = (solve(tiny_dataset, method, weights, SolverSettings(**few, pace=pace)) for pace in PACES)
    np.testing.assert_array_equal(fast.volume, steady.volume)


def test_the_cost_stays_below_that_of_the_start(tiny_dataset):
    settings = SolverSettings(max_iterations=60, tolerance=0.0, pace="fast")
    for haadf, tv in ((0.02, 4.0), (4.0, 0.2), (4.0, 4.0)):
        costs = solve(tiny_dataset, "fused", Weights(haadf=haadf, tv=tv), settings).history["total"]
        assert max(costs) == costs[0]


@pytest.mark.parametrize(
    ("scales", "due"),
    [
        ([0.5] * 11, [5, 10]),
        ([2.0] * 4, [1, 3]),  # two apart
        ([2.0] * 20, [1, 3, 5, 10, 15, 20]),  # three times; then because so many have gone by
        ([0.9, 1.1], [2]),
    ],
)
def test_when_the_metric_is_made_anew(scales, due):
    renewals = Renewals(RULE)
    assert [k for k, scale in enumerate(scales, 1) if renewals.due(scale)] == due


def test_a_steady_metric_is_made_anew_twice_at_most():
    renewals = Renewals(PACES["steady"])
    assert [k for k in range(100) if renewals.due(4.0 if k < 50 else 4.1)] == [50, 51]


def test_the_gap_that_a_prox_may_leave():
    assert RULE.allowed_gap(4.0, 1.0) == 2.0
    assert RULE.allowed_gap(0.1, 1.0) == 0.3


def test_the_solver_makes_its_metric_anew_and_takes_long_steps(tiny_dataset, monkeypatch):
    renewed, steps, renew, silver = [], [], accelerated._Descent.renew, proximal.silver
    monkeypatch.setattr(accelerated._Descent, "renew", lambda *args: renewed.append(renew(*args)))
    monkeypatch.setattr(proximal, "silver", lambda k, n: steps.append(silver(k, n)) or steps[-1])
    solve(tiny_dataset, "fused", Weights(), SolverSettings(max_iterations=41, tolerance=0.0))
    seldom = len(renewed)
    assert not steps
    solve(tiny_dataset, "fused", Weights(), SolverSettings(max_iterations=41, tolerance=0.0, pace="fast"))
    assert len(renewed) - seldom > max(seldom, 1)
    assert max(steps) > 1.9
