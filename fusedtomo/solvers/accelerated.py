"""Accelerated proximal gradient in a diagonal metric: the solver behind fused, poisson, poisson-tv and fista-tv."""

from dataclasses import dataclass, field

import numpy as np

from fusedtomo.arrays import Array, array_module, kernels, relative, relative_change
from fusedtomo.kernels.interface import Columns
from fusedtomo.settings import SolverSettings
from fusedtomo.solvers.initial import supported
from fusedtomo.solvers.objective import Objective
from fusedtomo.solvers.pace import Renewals, pace_of
from fusedtomo.solvers.solution import AS_GOOD, Best, Callback, History, Solution

_FIRST_SCALE = 0.5  # the diagonal bound is pessimistic; half of it mostly passes the test below
_RELAX, _TIGHTEN = 0.95, 1.6  # per iteration, and per failed test
_STILL = 3  # iterations running within the tolerance; a single short step may only mean a steep place
_MAX_TESTS = 40  # 1.6^40 is 1e8: by then the step is below float32 rounding


@dataclass(eq=False)
class _Point:
    """A volume, what the model makes of it, and its terms: evaluated once, used thrice; its memory is used again."""

    volume: Array
    projected: dict[str, Array] = None  # type: ignore[assignment]  # `evaluated` comes first
    sums: dict[str, Columns] | None = None  # what the terms are made of; None where the volume is not evaluated
    terms: dict[str, float] = field(default_factory=dict)  # once they were waited for
    tv: float = 0.0  # of a volume that a step led to, or of the start

    def evaluated(self, objective: Objective) -> "_Point":
        """Project the volume and sum up what the smooth terms there are made of; a GPU does so while we go on."""
        self.projected = objective.project(self.volume, self.projected)
        self.sums, self.terms = objective.sums(self.projected), {}
        return self

    def smooth(self, objective: Objective) -> float:
        """The smooth part, which is waited for."""
        self.terms = self.terms or objective.smooth(self.projected, self.sums)
        return sum(self.terms.values())

    def costs(self, objective: Objective) -> dict[str, float]:
        """All terms of the cost, those of the smooth part waited for."""
        self.smooth(objective)
        return {**self.terms, "tv": self.tv}

    def like(self) -> "_Point":
        """Room for another point."""
        xp = array_module(self.volume)
        return _Point(xp.empty_like(self.volume), {name: xp.empty_like(p) for name, p in self.projected.items()})


class _Descent:
    """The state of a minimisation; no array is allocated once it is made."""

    def __init__(self, objective: Objective, start: Array):
        self.objective, self.x = objective, _Point(supported(start, objective.support)).evaluated(objective)
        self.y, self.scale, self.t = self.x, _FIRST_SCALE, 1.0
        self.x.tv = objective.tv.value(self.x.volume)
        self._first = self._cost = self._costs(self.x)
        self.inverse = objective.inverse_curvature(self.x.projected, self.x.volume)
        xp = array_module(self.x.volume)
        self._gradient, self._noisy = (xp.empty_like(self.x.volume) for _ in range(2))
        self._points = [self.x, *(self.x.like() for _ in range(2))]

    def step(self, allowed_gap: float) -> _Point:
        """The point that a step from y leads to; from x itself where that one lies above the start."""
        new = self._fitting(allowed_gap)
        if self.y is not self.x and self._costs(new) > self._first:
            self.y, self.t = self.x, 1.0
            new = self._fitting(allowed_gap)
        return new

    def _fitting(self, allowed_gap: float) -> _Point:
        """A proximal step from y, its metric grown until the quadratic model lies above the smooth part.

        With n = y - g / (c D), which the prox is of, the model f(y) + <g, x - y> + c/2 ||x - y||_D^2 is
        f(y) + c/2 ||x - n||_D^2 - ||g||_{1/D}^2 / (2 c): the prox knows the one and the way to n the other, so that
        no pass over the volumes is spent on it.
        """
        objective, y = self.objective, self.y
        if y.sums is None:
            y.evaluated(objective)
        objective.gradient(y.projected, y.volume, self._gradient)
        new = self._free()
        for _ in range(_MAX_TESTS):
            distance, slope = self._tried(new, allowed_gap)
            there, here = new.smooth(objective), y.smooth(objective)
            model = here + distance - slope / (2 * self.scale)
            slack = 1e-6 * abs(here)  # what float32 projections cannot resolve
            too_long = there > model + slack or self._rises(there + new.tv - slack, allowed_gap)
            # a value that is not finite fails every comparison: hand it on, the caller stops
            if not too_long or not np.isfinite(there):
                break
            self.scale *= _TIGHTEN
        return new

    def _rises(self, cost: float, allowed_gap: float) -> bool:
        """Does a step from x itself raise the cost by more than its prox may? Then the prox ended far from its minimum.

        TV's share in that falls with the step. After momentum the cost at y is not known, and may rise.
        """
        return self.y is self.x and cost > min((1 + AS_GOOD) * self._cost + allowed_gap, self._first)

    def _tried(self, new: _Point, allowed_gap: float) -> tuple[float, float]:
        """A step in the present metric, into `new`; its distance, and ||g||^2 in the inverse metric.

        All of it is under way on a GPU before the first sum is waited for.
        """
        objective, step = self.objective, 1 / self.scale
        columns = kernels(self._noisy).sums.descend(self.y.volume, self._gradient, self.inverse, step, self._noisy)
        terms = objective.tv.begin_prox(self._noisy, self.inverse, step, new.volume, allowed_gap=allowed_gap)
        new.evaluated(objective)
        new.tv, distance = terms()
        return distance, float(objective.place.comm.total(columns))

    def advance(self, new: _Point, cost: float) -> float:
        """Take the new point, and extrapolate beyond it to where the next step starts; return how far it moved.

        That is ||new - old|| / ||new||. Momentum starts over where the cost rose.
        """
        self.t, momentum = _momentum(1.0 if cost > self._cost else self.t)
        old, self.x, self.y, self._cost = self.x, new, new, cost
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

    def solution(self, best: Best, history: History, stopped: str) -> Solution:
        """The best iterate, cleared of what rounding left outside the support."""
        volume = best.volume(self.x.volume)
        if self.objective.support is not None:
            volume *= self.objective.support
        return Solution(volume, history.values, stopped)

    def _costs(self, point: _Point) -> float:
        return sum(point.costs(self.objective).values())

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
    history, descent, pace = History(callback), _Descent(objective, start), pace_of(settings)
    total = history.record(descent.x.costs(objective), descent.x.volume)
    best, still, renewals, fall = Best(total), 0, Renewals(pace), abs(total)
    for _ in range(settings.max_iterations):
        new = descent.step(pace.allowed_gap(fall, settings.tolerance * abs(total)))
        previous, total = total, history.record(new.costs(objective), new.volume)
        best.passed(total, descent.x.volume)
        if not np.isfinite(total):
            return descent.solution(best, history, "not finite")
        if renewals.due(descent.scale):
            descent.renew(new)
        still = still + 1 if descent.advance(new, total) <= settings.tolerance else 0
        if still == _STILL:
            return descent.solution(best, history, "tolerance")
        fall = max(previous - total, 0.0)
    return descent.solution(best, history, "max_iterations")


def _momentum(t: float) -> tuple[float, float]:
    """The next t of FISTA and the extrapolation step (t - 1) / t_next."""
    t_next = (1 + np.sqrt(1 + 4 * t * t)) / 2
    return t_next, (t - 1) / t_next
