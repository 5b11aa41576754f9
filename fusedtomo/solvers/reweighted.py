"""Fused reconstruction with edge-weighted total variation: how is it solved again with the edges that it found?

`fused`, then twice more from where it ended, total variation weighted by the edges of that volume (docs/solver.md).
"""

from dataclasses import replace

from fusedtomo.arrays import Array
from fusedtomo.solvers.accelerated import minimise
from fusedtomo.solvers.convergence import SOLVE
from fusedtomo.solvers.edges import edge_weights
from fusedtomo.solvers.fused import terms_of_eq_1
from fusedtomo.solvers.initial import initial_volume, lifted
from fusedtomo.solvers.objective import Objective
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.solution import Callback, Solution

SOLVES = 3
_FINER = 0.5  # of the tolerance, in the later solves: begun near their ends, they move little from the first step on
_History = dict[str, list[float]]


def fused_weighted(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """Minimise Eq. 1, then the same with total variation that counts less at edges, twice.

    Each solve ends as `fused` does, at the tolerance (later ones at half of it) or at the cap of iterations. "solve" in
    the history counts them from 0: the cost function changes with it, and the last iterate of one is the start of the
    next.
    """
    terms, place, settings = terms_of_eq_1(problem), problem.place, problem.settings
    volume = lifted(initial_volume(problem) if initial is None else initial, place.comm)
    contrast, tv = problem.contrast(), problem.total_variation()
    history: _History = {}
    for solve in range(SOLVES):
        done = max(len(history.get("total", [])) - 1, 0)
        if solve:
            weights = edge_weights(volume, contrast, place.comm)
            tv = problem.total_variation(weights.local, weights.strength)
            settings = problem.settings.model_copy(update={"tolerance": _FINER * problem.settings.tolerance})
        objective = Objective(terms, tv, place, problem.support)
        solution = minimise(objective, volume, settings, callback=_going_on(callback, done))
        history, volume = _joined(history, solution.history, solve), solution.volume
        if solution.stopped == "not finite":
            break
    return replace(solution, history=history)


def _going_on(callback: Callback | None, done: int) -> Callback | None:
    """A callback for a later solve: its start was seen as the end of the one before."""
    if callback is None or not done:
        return callback
    return lambda iteration, volume: callback(done + iteration, volume) if iteration else {}


def _joined(history: _History, later: _History, solve: int) -> _History:
    """One row an iterate; where a solve ends and the next begins stands the cost that the next begins with."""
    later = {**later, SOLVE: [float(solve)] * len(later["total"])}
    rows = max(len(history.get("total", [])) - 1, 0) + len(later["total"])
    return {name: [*history.get(name, [])[: rows - len(values)], *values] for name, values in later.items()}
