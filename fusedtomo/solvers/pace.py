"""How fast does the accelerated solver go: when is its metric made anew, and how near must a prox come?

The diagonal of the metric bounds the curvature at one place. Where the iteration has moved on, a few voxels make it
too small, and the backtracked scale that saves them shortens the steps of all others (docs/solver.md).
"""

import math
from dataclasses import dataclass

from fusedtomo.settings import SolverSettings


@dataclass(frozen=True)
class Pace:
    """What there is to choose, one value a name of `SolverSettings.pace`.

    Attributes:
        outdated: the metric is made anew where its scale has grown beyond this,
        most: so many times,
        apart: at least so many iterations after the time before,
        every: and where so many iterations have gone by.
        gap: of the last fall of the cost: how far from its minimum a prox may end.
        least_gap: the same, of the tolerance times the cost.
    """

    outdated: float
    most: float
    apart: int
    every: float
    gap: float
    least_gap: float

    def allowed_gap(self, fall: float, least: float) -> float:
        """How far from its minimum a prox may end, after such a fall of the cost; least: tolerance times the cost."""
        return max(self.gap * fall, self.least_gap * least)


PACES = {
    "steady": Pace(outdated=4.0, most=2, apart=0, every=math.inf, gap=0.5, least_gap=0.3),
    "fast": Pace(outdated=1.0, most=math.inf, apart=3, every=20, gap=0.7, least_gap=0.4),
}


class Renewals:
    """The renewals of one minimisation's metric."""

    def __init__(self, pace: Pace):
        self._pace, self._done, self._since = pace, 0, 0

    def due(self, scale: float) -> bool:
        """Must the metric be made anew after an iteration that ended with this scale? Asked once an iteration."""
        self._since += 1
        apart = not self._done or self._since >= self._pace.apart
        outdated = scale > self._pace.outdated and self._done < self._pace.most and apart
        due = outdated or self._since >= self._pace.every
        if due:
            self._done, self._since = self._done + 1, 0
        return due


def pace_of(settings: SolverSettings) -> Pace:
    """The pace that settings ask for."""
    return PACES[settings.pace]
