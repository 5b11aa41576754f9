"""The accelerated solver reaches the minimiser that slow, independent float64 solvers find."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from fusedtomo.losses import ChemicalPoisson, HaadfLeastSquares, LinearLeastSquares
from fusedtomo.operators.projector import Projector
from fusedtomo.operators.zcontrast import ZContrast
from fusedtomo.proximal import TotalVariation
from fusedtomo.settings import SolverSettings
from fusedtomo.solvers.accelerated import minimise
from fusedtomo.solvers.objective import Objective, Term
from tests.fusedtomo.reference import (
    balls,
    dense,
    forward_differences,
    haadf_value,
    negative_divergence,
    poisson_value,
    project,
    total_variation,
)

SHAPE = (5, 6, 3)
GAIN, EPS, TV_WEIGHT = np.array([20.0]), np.array([5.0]), 4.0
SLACK = 1e-6  # of the smooth part: what backtracking lets pass, as float32 projections cannot resolve it
LONG = SolverSettings(max_iterations=300, tolerance=0.0, tv_iterations=20)


@pytest.fixture
def projector():
    return Projector([-65.0, -30.0, 5.0, 40.0, 70.0], *SHAPE[:2])


@pytest.fixture
def counts(projector, rng):
    truth = np.zeros((1, *SHAPE), np.float32)
    truth[0, 1:4, 2:5, 1:] = 1
    return rng.poisson(20 * projector.forward(truth) + 5).astype(np.float32)


@pytest.fixture
def start():
    return np.full((1, *SHAPE), 0.3, np.float32)


def _objective(loss, tv_weight, tv_iterations=20, local=None):
    tv = TotalVariation(np.array([tv_weight]), local=local, iterations=tv_iterations)
    return Objective({"chemical": Term(loss, 1.0)}, tv)


def _rays(counts):
    return counts.reshape(1, -1, SHAPE[-1]).astype(np.float64)


def _poisson(matrix, counts):
    """The Poisson term and its gradient in float64."""
    b = _rays(counts)

    def value(x):
        return poisson_value(20 * project(matrix, x) + 5, b)

    def gradient(x):
        ratio = 1 - b / (20 * project(matrix, x) + 5)
        return 20 * (matrix.T @ ratio).reshape(x.shape)

    return value, gradient, 400 * (b / 25).max()


def _least_squares(matrix, counts):
    """The least-squares term, its gradient, and the curvature of a ray."""
    b = _rays(counts)
    precision = 1 / b.mean()

    def value(x):
        return float(precision * ((20 * project(matrix, x) + 5 - b) ** 2).sum() / 2)

    def gradient(x):
        return 20 * precision * (matrix.T @ (20 * project(matrix, x) + 5 - b)).reshape(x.shape)

    return value, gradient, 400 * precision


def _primal_dual(gradient, lipschitz, tv_weight, x, iterations, local=1.0):
    """Condat (2013) and Vu (2013): no inner iterations, no momentum, no metric; one channel."""
    sigma = 0.5 * lipschitz / (12 * tv_weight**2)
    tau = 1 / (lipschitz / 2 + sigma * 12 * tv_weight**2)
    x, field = x.astype(np.float64), np.zeros((3, *SHAPE))
    for _ in range(iterations):
        x_new = np.maximum(x - tau * (gradient(x) + tv_weight * negative_divergence(field)[None]), 0)
        field = balls(field + sigma * tv_weight * forward_differences((2 * x_new - x)[0]), local)
        x = x_new
    return x


LOSSES = pytest.mark.parametrize(
    ("loss_type", "reference"), [(ChemicalPoisson, _poisson), (LinearLeastSquares, _least_squares)]
)


@LOSSES
def test_without_tv_it_reaches_the_cost_of_l_bfgs_b(projector, counts, start, loss_type, reference):
    value, gradient, _ = reference(dense(projector), counts)
    best = minimize(
        lambda v: value(v.reshape(start.shape)),
        start.ravel(),
        jac=lambda v: gradient(v.reshape(start.shape)).ravel(),
        bounds=[(0, None)] * start.size,
        method="L-BFGS-B",
        options={"maxiter": 5000, "maxfun": 10000, "ftol": 1e-13, "gtol": 1e-7},
    )
    solution = minimise(_objective(loss_type(projector, counts, GAIN, EPS), 0.0), start, LONG)
    assert value(solution.volume.astype(np.float64)) <= best.fun * (1 + 1e-4)
    assert solution.history["total"][-1] == pytest.approx(best.fun, rel=1e-4)


@pytest.mark.parametrize("weighed", [False, True], ids=["plain", "local"])
@LOSSES
def test_with_tv_it_reaches_the_cost_of_a_primal_dual_solver(
    projector, counts, start, loss_type, reference, weighed, rng
):
    local = rng.uniform(0.05, 2, start.shape).astype(np.float32) if weighed else np.ones_like(start)
    matrix = dense(projector)
    value, gradient, ray = reference(matrix, counts)
    lipschitz = ray * np.linalg.norm(matrix, 2) ** 2
    slow = _primal_dual(gradient, lipschitz, TV_WEIGHT, start, 6000, local[0])
    best = value(slow) + TV_WEIGHT * total_variation(slow[0], local[0])
    loss = loss_type(projector, counts, GAIN, EPS)
    solution = minimise(_objective(loss, TV_WEIGHT, local=local if weighed else None), start, LONG)
    x = solution.volume.astype(np.float64)
    assert value(x) + TV_WEIGHT * total_variation(x[0], local[0]) == pytest.approx(best, rel=1e-3)
    np.testing.assert_allclose(x, slow, atol=0.03)  # the cost is flat near its minimum: sqrt of its tolerance


@pytest.mark.parametrize("gamma", [1.0, 1.7, 2.0])
def test_haadf_with_chemistry_reaches_a_stationary_point_as_good_as_l_bfgs_b(projector, counts, start, gamma):
    matrix, h = dense(projector), Projector([-70.0, -50.0, -10.0, 20.0, 60.0], *SHAPE[:2])
    signal = 3 * h.forward(np.maximum(1 - start[0], 0) ** 2)
    haadf = HaadfLeastSquares(h, ZContrast((27,), gamma), signal, 0.5)
    terms = {"haadf": Term(haadf, 0.1), "chemical": Term(ChemicalPoisson(projector, counts, GAIN, EPS), 1.0)}
    solution = minimise(Objective(terms, TotalVariation(np.zeros(1))), start, LONG)
    poisson, slices = _poisson(matrix, counts)[0], dense(h)

    def value(v):
        x = v.reshape(start.shape)
        bright = project(slices, np.maximum(x, 0) ** gamma)[0]
        return 0.1 * haadf_value(bright, signal.reshape(bright.shape).astype(np.float64), 0.5) + poisson(x)

    found = minimize(
        value,
        solution.volume.ravel().astype(np.float64),
        bounds=[(0, None)] * start.size,
        method="L-BFGS-B",
        options={"maxiter": 200, "maxfun": 200000},
    )
    assert value(solution.volume.astype(np.float64)) <= found.fun * (1 + 1e-3)


def test_cost_never_rises_in_the_step_after_a_rise(projector, counts, start):
    """Theory: a step from the last iterate itself (no momentum: the first one, and the one after each restart) cannot
    raise the cost by more than backtracking's slack, where the prox is exact (here: no TV). Momentum may, and then
    restarts; so a rise is never followed by another.
    """
    totals = minimise(_objective(ChemicalPoisson(projector, counts, GAIN, EPS), 0.0), start, LONG).history["total"]
    rose = [after > before * (1 + SLACK) for before, after in pairwise(totals)]
    assert not rose[0]
    assert not any(first and second for first, second in pairwise(rose))
    assert totals[-1] == pytest.approx(min(totals), rel=10 * SLACK)


@pytest.mark.parametrize("eps", [1e-6, 5.0])
def test_cost_never_rises_above_the_start_where_the_prox_ends_too_early(projector, counts, start, eps):
    """Two iterations of TV's prox at a weight that wants thousands; with a small eps no diagonal bounds the rest."""
    objective = _objective(ChemicalPoisson(projector, counts, GAIN, np.array([eps])), 1e4 * TV_WEIGHT, tv_iterations=2)
    totals = minimise(objective, start, SolverSettings(max_iterations=40, tolerance=0.0)).history["total"]
    assert max(totals) <= totals[0] * (1 + SLACK)


def test_weights_matter_only_by_their_ratio(projector, counts, start):
    def solve(factor):
        terms = {"chemical": Term(ChemicalPoisson(projector, counts, GAIN, EPS), factor)}
        objective = Objective(terms, TotalVariation(np.array([factor * TV_WEIGHT]), iterations=20))
        return minimise(objective, start, LONG)

    one, three = solve(1.0), solve(3.0)
    assert three.history["total"][-1] == pytest.approx(3 * one.history["total"][-1], rel=1e-4)
    np.testing.assert_allclose(three.volume, one.volume, atol=0.01)


def test_it_stops_at_the_tolerance_or_at_the_cap(projector, counts, start):
    objective = _objective(ChemicalPoisson(projector, counts, GAIN, EPS), TV_WEIGHT)
    capped = minimise(objective, start, SolverSettings(max_iterations=3, tolerance=0.0))
    assert (capped.stopped, capped.iterations) == ("max_iterations", 3)
    done = minimise(objective, start, SolverSettings(max_iterations=500, tolerance=0.01))
    assert done.stopped == "tolerance"
    assert done.iterations < 500
    last = minimise(objective, done.volume, SolverSettings(max_iterations=1, tolerance=0.0)).volume
    assert np.linalg.norm(last - done.volume) < 0.05 * np.linalg.norm(done.volume)


def test_it_stops_where_the_cost_is_not_finite(projector, counts, start):
    counts = counts.copy()
    counts[0, 0, 0, 0] = np.nan
    solution = minimise(_objective(ChemicalPoisson(projector, counts, GAIN, EPS), TV_WEIGHT), start, LONG)
    assert solution.stopped == "not finite"
    np.testing.assert_array_equal(solution.volume, start)  # the last iterate known to be good


def test_curvature_has_a_floor_so_that_no_step_is_unbounded(projector, counts, start):
    objective = _objective(ChemicalPoisson(projector, counts, GAIN, EPS), 0.0)
    metric = 1 / objective.inverse_curvature(objective.project(start), start)
    assert metric.min() >= 0.05 * metric.mean() * 0.99  # the mean is of the bound before its floor
    assert np.isfinite(metric).all()
