"""Accelerated proximal gradient in a diagonal metric: the solver behind fused, poisson, poisson-tv and fista-tv."""

from dataclasses import dataclass

import numpy as np

from fusedtomo.arrays import descend, extrapolate, model_change, relative_change
from fusedtomo.settings import SolverSettings
from fusedtomo.solvers.objective import Objective
from fusedtomo.solvers.solution import Callback, History, Solution

_FIRST_SCALE = 0.5  # the diagonal bound is pessimistic; half of it mostly passes the test below
_RELAX, _TIGHTEN = 0.95, 1.6  # per iteration, and per failed test
_OUTDATED = 4.0  # a bound that had to grow beyond this was made at a place left behind: make it anew
_RENEWALS = 2  # each start over costs steps that are too long; a bound that stays too small is left to its scale
_STILL = 3  # iterations running within the tolerance; a single short step may only mean a steep place
_MAX_TESTS = 40  # 1.6^40 is 1e8: by then the step is below float32 rounding


@dataclass(frozen=True, eq=False)
class _Point:
    """A volume, what the model makes of it, and the weighted smooth terms there: evaluated once, used thrice."""

    volume: np.ndarray
    projected: dict[str, np.ndarray]
    terms: dict[str, float]

    @property
    def value(self) -> float:
        return sum(self.terms.values())


class _Buffers:
    """Volumes that every iteration writes anew."""

    def __init__(self, like: np.ndarray):
        self.ahead, self.gradient, self.inverse, self.noisy = (np.empty_like(like) for _ in range(4))


def minimise(
    objective: Objective, start: np.ndarray, settings: SolverSettings, *, callback: Callback | None = None
) -> Solution:
    """Minimise a cost function over x >= 0, from `start` (element, z, y, x).

    FISTA (Beck and Teboulle 2009) in the metric of a diagonal that majorises the curvature at the start, scaled by
    backtracking, with a restart whenever the cost rises (O'Donoghue and Candes 2015); docs/solver.md has the
    equations. Stops when the volume moved by less than `settings.tolerance` of itself three times running.
    """
    history = History(callback)
    x = y = _evaluate(objective, start.astype(np.float32, order="C"))
    total = history.record({**x.terms, "tv": objective.tv.value(x.volume)}, x.volume)
    metric, work = objective.curvature(x.projected, x.volume), _Buffers(x.volume)
    t, scale, still, renewals = 1.0, _FIRST_SCALE, 0, _RENEWALS
    for _ in range(settings.max_iterations):
        objective.gradient(y.projected, y.volume, work.gradient)
        new, scale = _backtrack(objective, y, metric, scale, work)
        previous, total = total, history.record({**new.terms, "tv": objective.tv.value(new.volume)}, new.volume)
        if not np.isfinite(total):
            return Solution(x.volume, history.values, "not finite")
        still = still + 1 if relative_change(new.volume, x.volume) <= settings.tolerance else 0
        if still == _STILL:
            return Solution(new.volume, history.values, "tolerance")
        if scale > _OUTDATED and renewals:
            metric, scale, renewals = objective.curvature(new.projected, new.volume), _FIRST_SCALE, renewals - 1
        t, step = _momentum(1.0 if total > previous else t)
        y = _evaluate(objective, extrapolate(new.volume, x.volume, step, work.ahead)) if step else new
        x, scale = new, scale * _RELAX
    return Solution(x.volume, history.values, "max_iterations")


def _evaluate(objective: Objective, volume: np.ndarray) -> _Point:
    projected = objective.project(volume)
    return _Point(volume, projected, objective.smooth(projected))


def _momentum(t: float) -> tuple[float, float]:
    """The next t of FISTA and the extrapolation step (t - 1) / t_next."""
    t_next = (1 + np.sqrt(1 + 4 * t * t)) / 2
    return t_next, (t - 1) / t_next


def _backtrack(objective: Objective, y: _Point, metric: np.ndarray, scale: float, work: _Buffers):
    """A proximal step from y, its metric grown until the quadratic model lies above the smooth part."""
    slack = 1e-6 * abs(y.value)  # what float32 projections cannot resolve
    volume = np.empty_like(y.volume)  # not a buffer: callbacks may keep it
    for _ in range(_MAX_TESTS):
        descend(y.volume, work.gradient, metric, scale, work.inverse, work.noisy)
        new = _evaluate(objective, objective.tv.prox(work.noisy, work.inverse, volume))
        model = y.value + model_change(work.gradient, metric, scale, volume, y.volume)
        # a value that is not finite fails every comparison: hand it on, the caller stops
        if not new.value > model + slack or not np.isfinite(new.value):
            break
        scale *= _TIGHTEN
    return new, scale
