"""SIRT on the chemical data, element by element (Gilbert 1972; Supplement 21d)."""

import numpy as np

from fusedtomo.arrays import relative_change
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers import terms
from fusedtomo.solvers.solution import Callback, History, Solution
from fusedtomo.tilts import FusedDataset


def sirt(
    dataset: FusedDataset,
    weights: Weights,
    settings: SolverSettings,
    *,
    initial: np.ndarray | None = None,
    callback: Callback | None = None,
) -> Solution:
    """x <- max(0, x + C A' R (b - A x)), with R and C the inverse row and column sums; no weight enters.

    b is the counts without background, over the gain. The cost recorded is half the squared residual weighted by R.
    """
    projector = terms.chemical_projector(dataset, settings)
    shape = (len(dataset.elements), *terms.volume_shape(dataset, settings))
    gain, background = (
        a[:, None, None, None] for a in (terms.chemical_gain(dataset), terms.chemical_background(dataset))
    )
    measured = (dataset.chemical_counts - background) / gain
    per_row = 1 / np.maximum(projector.forward(np.ones(shape[1:], np.float32)), 1e-3)
    per_column = 1 / np.maximum(projector.adjoint(np.ones(measured.shape[1:], np.float32)), 1e-3)
    history = History(callback)
    x = np.zeros(shape, np.float32) if initial is None else initial.astype(np.float32)
    residual = measured - projector.forward(x)
    history.record({"chemical": _cost(residual, per_row)}, x)
    for _ in range(settings.max_iterations):
        before, x = x, np.maximum(x + per_column * projector.adjoint(per_row * residual), 0)
        residual = measured - projector.forward(x)
        history.record({"chemical": _cost(residual, per_row)}, x)
        if relative_change(x, before) <= settings.tolerance:
            return Solution(x, history.values, "tolerance")
    return Solution(x, history.values, "max_iterations")


def _cost(residual: np.ndarray, per_row: np.ndarray) -> float:
    return 0.5 * float(np.sum(per_row * residual**2, dtype=np.float64))
