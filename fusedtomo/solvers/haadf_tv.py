"""HAADF alone with total variation: what the users of other programs do, and what alignment asks for."""

from dataclasses import replace

import numpy as np

from fusedtomo.arrays import Array
from fusedtomo.solvers.accelerated import minimise
from fusedtomo.solvers.objective import Objective, Term
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.sirt import haadf_sirt
from fusedtomo.solvers.solution import Callback, Solution


def haadf_tv(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """Minimise ``||A x - b||^2 / (2 sigma^2) + tv TV(x)`` over x >= 0: brightness per voxel above vacuum, (1, z, y, x).

    b is the HAADF series without background and sigma^2 its noise. It starts from as many iterations of SIRT as the
    others have of their likelihood. The weight of the data is 1: of two weights only the ratio counts.
    """
    objective = Objective(
        {"haadf": Term(problem.haadf_alone(), 1.0)}, problem.total_variation_alone(), problem.place, problem.support
    )
    start = _start(problem) if initial is None else initial
    return minimise(objective, start, problem.settings, callback=callback)


def _start(problem: Problem) -> Array:
    if not problem.settings.initial_iterations:
        return problem.place.xp.zeros((1, *problem.shape[1:]), np.float32)
    few = {"max_iterations": problem.settings.initial_iterations, "tolerance": 0.0}
    return haadf_sirt(replace(problem, settings=problem.settings.model_copy(update=few))).volume
