"""Algorithm 1 of the paper (Supplement 24) on the cost function of `fused`, with the best fixed step there is.

As printed its weights are step sizes as well, and no two choices minimise the same function. The most favourable
reading keeps what makes it Algorithm 1, gradient steps of one fixed length and a TV prox, and lets it descend the very
cost that `fused` minimises: ``x+ = prox_{s TV, x >= 0}(x - s grad f(x))``. The length s comes from a search over powers
of two, once with one s for all elements and once with one each, which the paper's division of every series by its
maximum amounts to. The prox gets 20 inner iterations, warm-started.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fusedtomo.solvers.objective import Objective, Term
from fusedtomo.solvers.problem import Problem

TV_ITERATIONS = 20
_POWERS = range(4, -5, -1)  # of two
_TRIAL_ITERATIONS = 150  # that every step is tried for
_FINALISTS = 2  # steps that go the whole way
SEARCHED = f"fixed steps 2^k / L and 2^k / L_i, k = {_POWERS[-1]}..{_POWERS[0]}"


@dataclass(frozen=True)
class Step:
    """A fixed step: 2^power over the largest curvature of all elements, or of each."""

    power: int
    each: bool

    def __str__(self) -> str:
        return f"2^{self.power} / {'L_i' if self.each else 'L'}"


@dataclass(frozen=True)
class Descent:
    """Algorithm 1 on one problem.

    Args:
        problem: as for `fused`.
        start: (element, z, y, x).
        minimiser: where it leads; the steps are in units of one over the largest entry that the curvature bound
            has there or at the start, whichever is larger.
    """

    problem: Problem
    start: np.ndarray
    minimiser: np.ndarray

    def iterates(self, step: Step, iterations: int) -> Iterator[tuple[float, np.ndarray]]:
        """The costs and volumes of the start and of so many iterates; the volume's memory is used again."""
        objective = objective_of(self.problem)
        x, inverse = self.start.copy(), self._steps(objective, step)
        gradient, tv = np.empty_like(x), objective.tv.value(x)
        for _ in range(iterations + 1):
            projected = objective.project(x)
            yield sum(objective.smooth(projected).values()) + tv, x
            objective.gradient(projected, x, gradient)
            tv, _ = objective.tv.prox(x - inverse * gradient, inverse, 1.0, x)

    def best_steps(self) -> list[Step]:
        """The steps with the least cost after some iterations, best first."""
        steps = [Step(power, each) for power in _POWERS for each in (False, True)]
        costs = {step: _last_cost(self.iterates(step, _TRIAL_ITERATIONS)) for step in steps}
        return sorted(steps, key=costs.get)[:_FINALISTS]

    def _steps(self, objective: Objective, step: Step) -> np.ndarray:
        """The step at every voxel, (element, z, y, x)."""
        shortest = np.minimum(*(_shortest(objective, volume) for volume in (self.start, self.minimiser)))
        shortest = shortest if step.each else np.full_like(shortest, shortest.min())
        return np.ones_like(self.start) * np.float32(2.0**step.power) * shortest


def _shortest(objective: Objective, volume: np.ndarray) -> np.ndarray:
    """One over the largest curvature of every element, (element, 1, 1, 1)."""
    volume = np.ascontiguousarray(volume, np.float32)
    return objective.inverse_curvature(objective.project(volume), volume).min(axis=(1, 2, 3), keepdims=True)


def objective_of(problem: Problem) -> Objective:
    """The cost function of `fused`, its TV prox with a fixed number of inner iterations."""
    terms = {
        "chemical": Term(problem.chemical(), problem.weights.chemical),
        "haadf": Term(problem.haadf(), problem.weights.haadf),
    }
    settings = problem.settings.model_copy(update={"tv_iterations": TV_ITERATIONS})
    return Objective(terms, Problem(problem.dataset, problem.weights, settings).total_variation())


def _last_cost(iterates: Iterator[tuple[float, np.ndarray]]) -> float:
    first = None
    for cost, _ in iterates:
        first = cost if first is None else first
        if not cost < 10 * first:  # diverging, or not finite
            return np.inf
    return cost
