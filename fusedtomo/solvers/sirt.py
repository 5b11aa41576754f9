"""SIRT on the chemical data, element by element (Gilbert 1972; Supplement 21d)."""

import numpy as np

from fusedtomo.arrays import Array, array_module, dot, relative_change
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.solution import Callback, History, Solution


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
    x = xp.zeros(problem.shape, np.float32) if initial is None else xp.array(initial, dtype=np.float32, order="C")
    before, update, residual = xp.empty_like(x), xp.empty_like(x), xp.empty_like(measured)
    _residual(projector, measured, x, residual)
    history.record({"chemical": _cost(residual, per_row, comm)}, x)
    for _ in range(problem.settings.max_iterations):
        before[:] = x
        residual *= per_row
        x += xp.multiply(projector.adjoint(residual, update), per_column, out=update)
        xp.maximum(x, np.float32(0), out=x)
        if problem.support is not None:
            x *= problem.support
        _residual(projector, measured, x, residual)
        history.record({"chemical": _cost(residual, per_row, comm)}, x)
        if relative_change(x, before, comm) <= problem.settings.tolerance:
            return Solution(x, history.values, "tolerance")
    return Solution(x, history.values, "max_iterations")


def _residual(projector, measured: Array, x: Array, out: Array) -> None:
    array_module(x).subtract(measured, projector.forward(x, out), out=out)


def _inverse(sums: Array) -> Array:
    return 1 / array_module(sums).maximum(sums, np.float32(1e-3))


def _cost(residual: Array, per_row: Array, comm) -> float:
    return 0.5 * dot(residual * per_row, residual, comm)
