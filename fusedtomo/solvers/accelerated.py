"""Accelerated proximal gradient in a diagonal metric: the solver behind fused, poisson, poisson-tv and fista-tv."""

import numpy as np

from fusedtomo.arrays import dot
from fusedtomo.settings import SolverSettings
from fusedtomo.solvers.objective import Objective
from fusedtomo.solvers.solution import Callback, History, Solution, relative_change

_FIRST_SCALE = 0.5  # the diagonal bound is pessimistic; half of it mostly passes the test below
_RELAX, _TIGHTEN = 0.95, 1.6  # per iteration, and per failed test


def minimise(
    objective: Objective, start: np.ndarray, settings: SolverSettings, *, callback: Callback | None = None
) -> Solution:
    """Minimise a cost function over x >= 0, from `start` (element, z, y, x).

    FISTA (Beck and Teboulle 2009) in the metric of a diagonal that majorises the curvature at the start, scaled by
    backtracking, with a restart whenever the cost rises (O'Donoghue and Candes 2015); docs/solver.md has the
    equations. Stops when the volume moves by less than `settings.tolerance` of itself.
    """
    history = History(callback)
    x = start.astype(np.float32)
    now = objective.project(x)
    total = history.record({**objective.smooth(now), "tv": objective.tv.value(x)}, x)
    metric = objective.curvature(now, x)
    y, at_y, t, scale = x, now, 1.0, _FIRST_SCALE
    gradient = np.empty_like(x)
    for _ in range(settings.max_iterations):
        objective.gradient(at_y, y, gradient)
        x_new, new, scale = _backtrack(objective, y, at_y, gradient, metric, scale)
        terms = {**objective.smooth(new), "tv": objective.tv.value(x_new)}
        previous, total = total, history.record(terms, x_new)
        if not np.isfinite(total):
            return Solution(x, history.values, "not finite")
        if relative_change(x_new, x) <= settings.tolerance:
            return Solution(x_new, history.values, "tolerance")
        t = 1.0 if total > previous else t
        t, step = _momentum(t)
        y = np.maximum(x_new + np.float32(step) * (x_new - x), 0)
        at_y = objective.project(y) if step else new
        x, scale = x_new, scale * _RELAX
    return Solution(x, history.values, "max_iterations")


def _momentum(t: float) -> tuple[float, float]:
    """The next t of FISTA and the extrapolation step (t - 1) / t_next."""
    t_next = (1 + np.sqrt(1 + 4 * t * t)) / 2
    return t_next, (t - 1) / t_next


def _backtrack(objective, y, at_y, gradient, metric, scale):
    """A proximal step from y, its metric grown until the quadratic model lies above the smooth part."""
    value_y = sum(objective.smooth(at_y).values())
    slack = 1e-6 * abs(value_y)  # what float32 projections cannot resolve
    while True:
        inverse = 1 / (np.float32(scale) * metric)
        x = objective.tv.prox(y - gradient * inverse, inverse, np.empty_like(y))
        projected = objective.project(x)
        move = x - y
        model = value_y + dot(gradient, move) + 0.5 * scale * dot(metric * move, move)
        value = sum(objective.smooth(projected).values())
        if not value > model + slack or not np.isfinite(value):
            return x, projected, scale
        scale *= _TIGHTEN
