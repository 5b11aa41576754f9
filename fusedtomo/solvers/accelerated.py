"""Accelerated proximal gradient in a diagonal metric: the solver behind fused, poisson, poisson-tv and fista-tv."""

from dataclasses import dataclass, field

import numpy as np

from fusedtomo.arrays import Array, array_module, kernels, relative, relative_change
from fusedtomo.kernels.interface import Columns
from fusedtomo.settings import SolverSettings
from fusedtomo.solvers.objective import Objective
from fusedtomo.solvers.solution import Callback, History, Solution

_FIRST_SCALE = 0.5  # the diagonal bound is pessimistic; half of it mostly passes the test below
_RELAX, _TIGHTEN = 0.95, 1.6  # per iteration, and per failed test
_OUTDATED = 4.0  # a bound that had to grow beyond this was made at a place left behind: make it anew
_RENEWALS = 2  # each start over costs steps that are too long; a bound that stays too small is left to its scale
_STILL = 3  # iterations running within the tolerance; a single short step may only mean a steep place
_MAX_TESTS = 40  # 1.6^40 is 1e8: by then the step is below float32 rounding
_GAP = 0.5  # of the last fall of the cost: how far from its minimum a prox may end
_LEAST_GAP = 0.3  # the same, of the tolerance times the cost


@dataclass(eq=False)
class _Point:
    """A volume, what the model makes of it, and its terms: evaluated once, used thrice; its memory is used again."""

    volume: Array
    projected: dict[str, Array] = None  # type: ignore[assignment]  # `evaluated` comes first
    sums: dict[str, Columns] | None = None  # what the terms are made of; None where the volume is not evaluated
    terms: dict[str, float] = field(default_factory=dict)  # once they were waited for

    def evaluated(self, objective: Objective) -> "_Point":
        """Project the volume and sum up what the smooth terms there are made of; a GPU does so while we go on."""
        self.projected = objective.project(self.volume, self.projected)
        self.sums, self.terms = objective.sums(self.projected), {}
        return self

    def smooth(self, objective: Objective) -> float:
        """The smooth part, which is waited for."""
        self.terms = self.terms or objective.smooth(self.projected, self.sums)
        return sum(self.terms.values())

    def like(self) -> "_Point":
        """Room for another point."""
        xp = array_module(self.volume)
        return _Point(xp.empty_like(self.volume), {name: xp.empty_like(p) for name, p in self.projected.items()})


class _Descent:
    """The state of a minimisation; no array is allocated once it is made."""

    def __init__(self, objective: Objective, start: Array):
        self.objective, self.x = objective, _Point(objective.supported(start)).evaluated(objective)
        self.y, self.scale = self.x, _FIRST_SCALE
        self.inverse = objective.inverse_curvature(self.x.projected, self.x.volume)
        xp = array_module(self.x.volume)
        self._gradient, self._noisy = (xp.empty_like(self.x.volume) for _ in range(2))
        self._points = [self.x, *(self.x.like() for _ in range(2))]

    def step(self, allowed_gap: float) -> tuple[_Point, float]:
        """A proximal step from y, its metric grown until the quadratic model lies above the smooth part.

        Returns the new point and its total variation. With n = y - g / (c D), which the prox is of, the model
        f(y) + <g, x - y> + c/2 ||x - y||_D^2 is f(y) + c/2 ||x - n||_D^2 - ||g||_{1/D}^2 / (2 c): the prox knows the
        one and the way to n the other, so that no pass over the volumes is spent on it.
        """
        objective, y = self.objective, self.y
        if y.sums is None:
            y.evaluated(objective)
        objective.gradient(y.projected, y.volume, self._gradient)
        new = self._free()
        for _ in range(_MAX_TESTS):
            tv, distance, slope = self._tried(new, allowed_gap)
            there, here = new.smooth(objective), y.smooth(objective)
            model = here + distance - slope / (2 * self.scale)
            slack = 1e-6 * abs(here)  # what float32 projections cannot resolve
            # a value that is not finite fails every comparison: hand it on, the caller stops
            if not there > model + slack or not np.isfinite(there):
                break
            self.scale *= _TIGHTEN
        return new, tv

    def _tried(self, new: _Point, allowed_gap: float) -> tuple[float, float, float]:
        """A step in the present metric, into `new`; its total variation, its distance, ||g||^2 in the inverse metric.

        All of it is under way on a GPU before the first sum is waited for.
        """
        objective, step = self.objective, 1 / self.scale
        columns = kernels(self._noisy).sums.descend(self.y.volume, self._gradient, self.inverse, step, self._noisy)
        terms = objective.tv.begin_prox(self._noisy, self.inverse, step, new.volume, allowed_gap=allowed_gap)
        new.evaluated(objective)
        return *terms(), float(objective.place.comm.total(columns))

    def advance(self, new: _Point, momentum: float) -> float:
        """Take the new point, and extrapolate beyond it to where the next step starts; return how far it moved.

        That is ||new - old|| / ||new||.
        """
        old, self.x, self.y = self.x, new, new
        self.scale *= _RELAX
        if not momentum:
            return relative_change(new.volume, old.volume, self.objective.place.comm)
        self.y = next(point for point in self._points if point is not old and point is not new)
        self.y.sums = None  # evaluated when a step starts there
        columns = kernels(new.volume).sums.extrapolate(new.volume, old.volume, momentum, self.y.volume)
        return relative(columns, self.objective.place.comm)

    def renew(self, new: _Point) -> None:
        """Make the diagonal anew where the iteration has come to."""
        self.objective.inverse_curvature(new.projected, new.volume, self.inverse)
        self.scale = _FIRST_SCALE

    def solution(self, point: _Point, history: History, stopped: str) -> Solution:
        """The result at a point, cleared of what rounding left outside the support."""
        if self.objective.support is not None:
            point.volume *= self.objective.support
        return Solution(point.volume, history.values, stopped)

    def _free(self) -> _Point:
        return next(point for point in self._points if point is not self.x and point is not self.y)


def minimise(
    objective: Objective, start: Array, settings: SolverSettings, *, callback: Callback | None = None
) -> Solution:
    """Minimise a cost function over x >= 0, from `start` (element, z, y, x).

    FISTA (Beck and Teboulle 2009) in the metric of a diagonal that majorises the curvature at the start, scaled by
    backtracking, with a restart whenever the cost rises (O'Donoghue and Candes 2015); docs/solver.md has the
    equations. Stops when the volume moved by less than `settings.tolerance` of itself three times running.
    """
    history, descent = History(callback), _Descent(objective, start)
    descent.x.smooth(objective)
    total = history.record({**descent.x.terms, "tv": objective.tv.value(descent.x.volume)}, descent.x.volume)
    t, still, renewals, fall = 1.0, 0, _RENEWALS, abs(total)
    for _ in range(settings.max_iterations):
        new, tv = descent.step(max(_GAP * fall, _LEAST_GAP * settings.tolerance * abs(total)))
        previous, total = total, history.record({**new.terms, "tv": tv}, new.volume)
        if not np.isfinite(total):
            return descent.solution(descent.x, history, "not finite")
        if descent.scale > _OUTDATED and renewals:
            descent.renew(new)
            renewals -= 1
        t, momentum = _momentum(1.0 if total > previous else t)
        moved = descent.advance(new, momentum)
        still = still + 1 if moved <= settings.tolerance else 0
        if still == _STILL:
            return descent.solution(new, history, "tolerance")
        fall = max(previous - total, 0.0)
    return descent.solution(descent.x, history, "max_iterations")


def _momentum(t: float) -> tuple[float, float]:
    """The next t of FISTA and the extrapolation step (t - 1) / t_next."""
    t_next = (1 + np.sqrt(1 + 4 * t * t)) / 2
    return t_next, (t - 1) / t_next
