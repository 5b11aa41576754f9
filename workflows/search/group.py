"""Which cells are searched together, and what is known of them? The conditions of one method, and their trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workflows.campaign import Condition, Dimension
from workflows.search.places import coordinates, places_of, unit
from workflows.search.propose import Asked, Known, Point
from workflows.search.surface import Places


@dataclass(frozen=True)
class Group:
    """The cells of one method, and what is known of them: other methods have other parameters, and another surface.

    Attributes:
        name: of the method.
        conditions: its cells.
        space: what is searched in each.
        share: fidelity of a cheap trial, a mean over the cells; 1 where there are none.
        known: their trials so far, those under way included.
        total: trials in all.
        seed: of the campaign.
        earlier: cells of an earlier campaign, from which the search starts.
        earlier_trials: its trials: number of the cell, point and error.
    """

    name: str
    conditions: Sequence[Condition]
    space: Mapping[str, Dimension]
    share: float
    known: Sequence[Known]
    total: int
    seed: int
    earlier: Sequence[Condition] = ()
    earlier_trials: Sequence[tuple[int, Point, float]] = ()

    @staticmethod
    def of(asked: Asked, method: str) -> "Group":
        """The cells of a method, as a strategy is told of them."""
        own = [one for one in asked.conditions if one.method == method]
        known = [one for one in asked.campaign if one.condition.method == method]
        share = float(np.mean([asked.cheap.get(one, 1.0) for one in own]))
        total = sum(asked.budgets[one] for one in own)
        return Group(method, own, asked.conditions[own[0]], share, known, total, asked.seed, *_earlier(asked, method))

    @property
    def done(self) -> int:
        """Trials proposed so far."""
        return len(self.known)

    @property
    def cheap(self) -> bool:
        """Whether trials are explored in slabs."""
        return self.share < 1

    @cached_property
    def places(self) -> Places:
        """Of the trials so far."""
        return places_of(self.known, self.conditions, self.space)

    @cached_property
    def cells(self) -> Places:
        """Each cell, in full, at any point."""
        n = len(self.conditions)
        at, none = coordinates(self.conditions), np.zeros((n, len(self.space)))
        return Places(np.arange(n), at, none, np.zeros(n, bool))

    @cached_property
    def earlier_places(self) -> Places:
        """Of the earlier campaign's trials: their cells have numbers below 0."""
        cells = np.array([cell for cell, _, _ in self.earlier_trials], int)
        at = coordinates(self.conditions, self.earlier)[cells]
        points = np.array([unit(self.space, point) for _, point, _ in self.earlier_trials], float)
        return Places(-1 - cells, at, points.reshape(len(cells), len(self.space)), np.zeros(len(cells), bool))

    @cached_property
    def earlier_errors(self) -> np.ndarray:
        """(trial,) their log errors."""
        return np.log([error for *_, error in self.earlier_trials])

    @cached_property
    def whole(self) -> dict[int, np.ndarray]:
        """Places of each cell's full trials that have a result or are under way."""
        found: dict[int, list[np.ndarray]] = {}
        for one, cell, place in zip(self.known, self.places.cell, self.places.point, strict=True):
            if one.fidelity == 1 and (one.under_way or one.error is not None):
                found.setdefault(int(cell), []).append(place)
        return {cell: np.array(places) for cell, places in found.items()}

    @cached_property
    def failed(self) -> dict[int, list[np.ndarray]]:
        """Places of the full trials of each cell that failed."""
        failed: dict[int, list[np.ndarray]] = {}
        for one, cell, place in zip(self.known, self.places.cell, self.places.point, strict=True):
            if one.error is None and not one.under_way and one.fidelity == 1:
                failed.setdefault(int(cell), []).append(place)
        return failed

    @cached_property
    def incumbents(self) -> dict[int, tuple[np.ndarray, float]]:
        """The best full trial of each cell that has one: its place and its log error."""
        best: dict[int, tuple[np.ndarray, float]] = {}
        for one, cell, place in zip(self.known, self.places.cell, self.places.point, strict=True):
            if one.error is not None and one.fidelity == 1:
                error = float(np.log(one.error))
                if int(cell) not in best or error < best[int(cell)][1]:
                    best[int(cell)] = place, error
        return best

    def at(self, cell: int, points: np.ndarray) -> Places:
        """Full trials of a cell at some points."""
        n = len(points)
        return Places(np.full(n, cell), np.repeat(self.cells.at[[cell]], n, axis=0), points, np.zeros(n, bool))


def _earlier(asked: Asked, method: str) -> tuple[list[Condition], list[tuple[int, Point, float]]]:
    """Cells and trials of a method in the campaign that the search starts from."""
    prior = asked.search.prior
    if prior is None:
        return [], []
    cells = [Condition(cell.method, tuple(cell.at.items())) for cell in prior.cells]
    trials = [(t.cell, t.point, t.error) for t in prior.trials if cells[t.cell].method == method]
    return cells, trials


def groups_of(asked: Asked) -> list[Group]:
    """The conditions by method."""
    methods = dict.fromkeys(one.method for one in asked.conditions)
    return [Group.of(asked, method) for method in methods]
