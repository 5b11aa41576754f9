"""Algorithm 1 of Supplement 24 as printed: fixed gradient steps, then TV denoising, a fixed number of times.

The weights double as step sizes. So that their size does not depend on the data's units, each gradient is divided
by its term's largest curvature L at the start, the role that the paper gives the power method, and lambda_tv counts
in units of noise over L_2. One misprint is mended, the sign of Eq. 2; Eq. 3 keeps its numerator A x - b
without eps, and so the counts come in with their background subtracted.
"""

import numpy as np

from fusedtomo.arrays import relative_change
from fusedtomo.losses import ChemicalPoisson
from fusedtomo.proximal import TotalVariation
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers import terms
from fusedtomo.solvers.fused import initial_volume
from fusedtomo.solvers.initial import lifted
from fusedtomo.solvers.solution import Callback, History, Solution
from fusedtomo.tilts import FusedDataset

EPS = 0.1  # counts, Algorithm 1 line 7


class _PrintedPoisson(ChemicalPoisson):
    """The chemical term with the printed gradient, g A' ((g A x - b) / (g A x + eps))."""

    def add_gradient(self, projected, volume, weight, out):
        model = self.gain[:, None, None, None] * projected
        ratio = (model - self.counts) / (model + self.eps[:, None, None, None])
        out += np.float32(weight) * self.gain[:, None, None, None] * self.projector.adjoint(ratio)


def gradient_descent(
    dataset: FusedDataset,
    weights: Weights,
    settings: SolverSettings,
    *,
    initial: np.ndarray | None = None,
    callback: Callback | None = None,
) -> Solution:
    """x <- tv_fgp(x - lambda_1 grad_1 / L_1 - lambda_2 grad_2 / L_2, lambda_3)."""
    x = lifted(initial_volume(dataset, settings) if initial is None else initial)
    losses = {"haadf": terms.haadf_least_squares(dataset, settings), "chemical": _chemical(dataset, settings)}
    lambdas = {"haadf": weights.haadf, "chemical": weights.chemical}
    largest = {name: _largest_curvature(loss, x) for name, loss in losses.items()}
    steps = {name: lambdas[name] / largest[name] for name in losses}
    thresholds = weights.tv * terms.gradient_noise(dataset) / largest["chemical"]
    history, unit_metric = History(callback), np.ones_like(x)
    _record(history, losses, lambdas, thresholds, x)
    for _ in range(settings.max_iterations):
        before, gradient = x, np.zeros_like(x)
        for name, loss in losses.items():
            loss.add_gradient(loss.project(x), x, steps[name], gradient)
        tv = TotalVariation(thresholds, x.shape[1:], iterations=settings.tv_iterations)
        x = tv.prox(x - gradient, unit_metric, np.empty_like(x))
        if not np.isfinite(_record(history, losses, lambdas, thresholds, x)):
            return Solution(before, history.values, "not finite")
        if relative_change(x, before) <= settings.tolerance:
            return Solution(x, history.values, "tolerance")
    return Solution(x, history.values, "max_iterations")


def _chemical(dataset: FusedDataset, settings: SolverSettings) -> _PrintedPoisson:
    background = terms.chemical_background(dataset)
    signal = np.maximum(dataset.chemical_counts - background[:, None, None, None], 0)
    eps = np.full_like(background, settings.eps or EPS)
    return _PrintedPoisson(terms.chemical_projector(dataset, settings), signal, terms.chemical_gain(dataset), eps)


def _largest_curvature(loss, x: np.ndarray) -> float:
    bound = np.zeros_like(x)
    loss.add_curvature(loss.project(x), x, 1.0, bound)
    return max(float(bound.max()), 1e-12)


def _record(history: History, losses, lambdas, thresholds: np.ndarray, x: np.ndarray) -> float:
    values = {name: lambdas[name] * loss.value(loss.project(x)) for name, loss in losses.items()}
    tv = TotalVariation(thresholds, x.shape[1:]).value(x)
    return history.record({**values, "tv": tv}, x)
