"""SIRT, of the chemical data element by element or of HAADF alone (Gilbert 1972; Supplement 21d)."""

import numpy as np

from fusedtomo.arrays import Array, dot, relative_change
from fusedtomo.operators.simultaneous import SimultaneousCorrection
from fusedtomo.solvers.initial import supported
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.solution import Best, Callback, History, Solution


def sirt(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """x <- max(0, x + C A' R (b - A x)), with R and C the inverse row and column sums; no weight enters.

    b is the counts without background, over the gain. The cost recorded is half the squared residual weighted by R.
    """
    gain, background = (a[:, None, None, None] for a in (problem.gain, problem.background))
    measured = problem.place.put((problem.dataset.chemical_counts - background) / gain)
    start = problem.place.xp.zeros(problem.shape, np.float32) if initial is None else initial
    return _iterated(problem, SimultaneousCorrection(problem.chemical_projector, measured), "chemical", start, callback)


def haadf_sirt(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """The same of the HAADF series alone: brightness per voxel above vacuum, (1, z, y, x)."""
    measured = problem.place.put(problem.haadf_signal)[None]
    start = problem.place.xp.zeros((1, *problem.shape[1:]), np.float32) if initial is None else initial
    return _iterated(problem, SimultaneousCorrection(problem.haadf_projector, measured), "haadf", start, callback)


def _iterated(
    problem: Problem, correction: SimultaneousCorrection, term: str, start: Array, callback: Callback | None
) -> Solution:
    comm, history, x = problem.place.comm, History(callback), supported(start, problem.support)
    before = problem.place.xp.empty_like(x)

    def cost() -> float:
        """Half the squared residual weighted by R."""
        correction.explain(x)
        return 0.5 * dot(correction.weighted, correction.residual, comm)

    best = Best(history.record({term: cost()}, x))
    for _ in range(problem.settings.max_iterations):
        before[:] = x
        correction.correct(x)
        if problem.support is not None:
            x *= problem.support
        best.passed(history.record({term: cost()}, x), before)
        if relative_change(x, before, comm) <= problem.settings.tolerance:
            return Solution(best.volume(x), history.values, "tolerance")
    return Solution(best.volume(x), history.values, "max_iterations")
