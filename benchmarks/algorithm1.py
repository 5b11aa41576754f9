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
_POWERS = range(5, -6, -1)  # of two; the step is that over the largest entry of the curvature bound at the start
_TRIAL_ITERATIONS = 150  # that every step is tried for
_FINALISTS = 3  # steps that go the whole way
SEARCHED = f"fixed steps 2^k / L and 2^k / L_i, k = {_POWERS[-1]}..{_POWERS[0]}, L at the start"


@dataclass(frozen=True)
class Step:
    """A fixed step: 2^power over the largest curvature of all elements, or of each."""

    power: int
    each: bool

    def __str__(self) -> str:
        return f"2^{self.power} / {'L_i' if self.each else 'L'}"

    def inverse(self, objective: Objective, start: np.ndarray) -> np.ndarray:
        """The step at every voxel, (element, z, y, x)."""
        shortest = objective.inverse_curvature(objective.project(start), start).min(axis=(1, 2, 3), keepdims=True)
        shortest = shortest if self.each else shortest.min()
        return np.full_like(start, 2.0**self.power * shortest)


def objective_of(problem: Problem) -> Objective:
    """The cost function of `fused`, its TV prox with a fixed number of inner iterations."""
    terms = {
        "chemical": Term(problem.chemical(), problem.weights.chemical),
        "haadf": Term(problem.haadf(), problem.weights.haadf),
    }
    settings = problem.settings.model_copy(update={"tv_iterations": TV_ITERATIONS})
    return Objective(terms, Problem(problem.dataset, problem.weights, settings).total_variation())


def descend(problem: Problem, start: np.ndarray, step: Step, iterations: int) -> Iterator[tuple[float, np.ndarray]]:
    """The costs and volumes of the start and of so many iterates; the volume's memory is used again."""
    objective = objective_of(problem)
    x, inverse = start.copy(), step.inverse(objective, start)
    gradient, tv = np.empty_like(x), objective.tv.value(x)
    for _ in range(iterations + 1):
        projected = objective.project(x)
        yield sum(objective.smooth(projected).values()) + tv, x
        objective.gradient(projected, x, gradient)
        tv = objective.tv.prox(x - inverse * gradient, inverse, 1.0, x)


def best_steps(problem: Problem, start: np.ndarray) -> list[Step]:
    """The steps with the least cost after some iterations, best first."""
    steps = [Step(power, each) for power in _POWERS for each in (False, True)]
    costs = {step: _last_cost(descend(problem, start, step, _TRIAL_ITERATIONS)) for step in steps}
    return sorted(steps, key=costs.get)[:_FINALISTS]


def _last_cost(iterates: Iterator[tuple[float, np.ndarray]]) -> float:
    first = None
    for cost, _ in iterates:
        first = cost if first is None else first
        if not cost < 10 * first:  # diverging, or not finite
            return np.inf
    return cost
