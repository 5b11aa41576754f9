"""Algorithm 1 of Supplement 24, replayed by hand in float64."""

import numpy as np
import pytest

from fusedtomo.losses import noise_variance
from fusedtomo.operators.projector import Projector
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers.gradient_descent import gradient_descent
from fusedtomo.solvers.initial import lifted
from fusedtomo.solvers.problem import Problem
from tests.fusedtomo.reference import dense, project, prox_by_dual_ascent

LARGE, SMALL = (slice(None), None, None, None), (slice(None), None, None)
ZETA = np.array([27, 8, 79]) / 79


def _dense(scheme, shape):
    return dense(Projector(scheme.angles_deg, *shape[:2]))


def _chemical_step(dataset, x, eps):
    """Eq. 3, g A'((g A x - b) / (g A x + eps)) with b without background, over its largest curvature; and that."""
    matrix = _dense(dataset.chemical_scheme, x.shape[1:])
    gain = np.array([series.gain for series in dataset.chemical])[SMALL]
    background = np.array([series.background for series in dataset.chemical])[LARGE]
    b = np.maximum(dataset.chemical_counts - background, 0).reshape(len(x), -1, x.shape[-1])
    model = gain * project(matrix, x)
    gradient = gain * (matrix.T @ ((model - b) / (model + eps)))
    least = 0.1 * b.mean(axis=(1, 2))[SMALL]
    fisher = gain**2 * b / np.maximum(model + eps, least) ** 2
    bound = matrix.T @ (fisher * matrix.sum(axis=1)[:, None])
    return (gradient / bound.max()).reshape(x.shape), bound.max()


def _haadf_step(dataset, x, gamma):
    """Eq. 2 with its sign mended, over its largest curvature; gain and noise put in as docs/solver.md says."""
    matrix = _dense(dataset.haadf.scheme, x.shape[1:])
    b = dataset.haadf.counts - np.float32(dataset.haadf.background)
    variance, b = noise_variance(b), b.reshape(-1, x.shape[-1]).astype(np.float64)
    bright = project(matrix, ((ZETA[LARGE] * x) ** gamma).sum(axis=0)[None])[0]
    gain = (bright * b).sum() / (bright**2).sum()
    back = (matrix.T @ (gain * bright - b)).reshape(x.shape[1:]) * gain / variance
    gradient = gamma * ZETA[LARGE] ** gamma * x ** (gamma - 1) * back
    slope = gamma * ZETA[LARGE] ** gamma * np.maximum(x, 0.02) ** (gamma - 1)
    spread = matrix.T @ project(matrix, slope.sum(axis=0)[None])[0]
    return gradient / (gain**2 / variance * slope * spread.reshape(x.shape[1:])).max()


@pytest.mark.parametrize("weights", [Weights(haadf=0.7, chemical=0.4, tv=0.0), Weights(haadf=0.3, chemical=1, tv=2)])
def test_one_iteration_is_line_12_then_line_15(tiny_dataset, rng, weights):
    initial = rng.uniform(0.05, 1, (3, 8, 8, 6)).astype(np.float32)
    settings = SolverSettings(max_iterations=1, tolerance=0.0, tv_iterations=400, gamma=1.7)
    found = gradient_descent(Problem(tiny_dataset, weights, settings), initial=initial).volume
    x = lifted(initial).astype(np.float64)
    chemical, largest = _chemical_step(tiny_dataset, x, 0.1)
    x = x - weights.haadf * _haadf_step(tiny_dataset, x, 1.7) - weights.chemical * chemical
    thresholds = weights.tv * Problem(tiny_dataset, weights, settings).gradient_noise / largest
    if weights.tv:
        pairs = zip(x, thresholds, strict=True)
        expected = np.stack([prox_by_dual_ascent(c, threshold, np.ones_like(c), 400)[0] for c, threshold in pairs])
    else:
        expected = np.maximum(x, 0)
    assert np.abs(expected - lifted(initial)).max() > 0.01  # the step is one
    np.testing.assert_allclose(found, expected, atol=1e-4)  # float32, and a prox after 400 iterations


def test_its_weights_are_step_sizes(tiny_dataset, rng):
    """Doubled weights double the step, which is what sets Algorithm 1 apart from a minimiser."""
    initial = rng.uniform(0.4, 1, (3, 8, 8, 6)).astype(np.float32)
    settings = SolverSettings(max_iterations=1, tolerance=0.0)
    moves = [
        gradient_descent(Problem(tiny_dataset, Weights(haadf=w, chemical=w, tv=0), settings), initial=initial).volume
        - initial
        for w in (0.1, 0.2)
    ]
    np.testing.assert_allclose(moves[1], 2 * moves[0], atol=1e-5)


def test_its_cost_falls_with_the_largest_safe_step(tiny_dataset):
    totals = gradient_descent(Problem(tiny_dataset, Weights(haadf=0.2, chemical=0.2, tv=0), SolverSettings())).history[
        "total"
    ]
    assert totals[-1] < 0.5 * totals[0]
