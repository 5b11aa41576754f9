"""SIRT on the chemical data, element by element (Gilbert 1972; Supplement 21d)."""

import numpy as np

from fusedtomo.arrays import Array, array_module, dot, relative_change
from fusedtomo.solvers.initial import supported
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.solution import Best, Callback, History, Solution


def sirt(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """x <- max(0, x + C A' R (b - A x)), with R and C the inverse row and column sums; no weight enters.

    b is the counts without background, over the gain. The cost recorded is half the squared residual weighted by R.
    """
    projector, comm, xp = problem.chemical_projector, problem.place.comm, problem.place.xp
    gain, background = (a[:, None, None, None] for a in (problem.gain, problem.background))
    measured = problem.place.put((problem.dataset.chemical_counts - background) / gain)
    per_row = _inverse(projector.forward(xp.ones(problem.shape[1:], np.float32)))
    per_column = _inverse(projector.adjoint(xp.ones(measured.shape[1:], np.float32)))
    history = History(callback)
    x = supported(xp.zeros(problem.shape, np.float32) if initial is None else initial, problem.support)
    before, update, residual, weighted = (xp.empty_like(like) for like in (x, x, measured, measured))

    def cost() -> float:
        """Half the squared residual weighted by R; leaves R (b - A x) in `weighted`."""
        xp.subtract(measured, projector.forward(x, residual), out=residual)
        xp.multiply(residual, per_row, out=weighted)
        return 0.5 * dot(weighted, residual, comm)

    best = Best(history.record({"chemical": cost()}, x))
    for _ in range(problem.settings.max_iterations):
        before[:] = x
        x += xp.multiply(projector.adjoint(weighted, update), per_column, out=update)
        xp.maximum(x, np.float32(0), out=x)
        if problem.support is not None:
            x *= problem.support
        best.passed(history.record({"chemical": cost()}, x), before)
        if relative_change(x, before, comm) <= problem.settings.tolerance:
            return Solution(best.volume(x), history.values, "tolerance")
    return Solution(best.volume(x), history.values, "max_iterations")


def _inverse(sums: Array) -> Array:
    return 1 / array_module(sums).maximum(sums, np.float32(1e-3))
