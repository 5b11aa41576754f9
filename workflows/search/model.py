"""What does the model say of every cell of a group: where its best lies, and how far its best trial may be from it?"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from workflows.search.certificate import Standing, standing
from workflows.search.group import Group
from workflows.search.space_filling import sobol_points
from workflows.search.surface import Parameters, Places, Surface, fitted

_NEAR, _TEMPERATURE = 40, 0.05  # candidates of a cell, and how far above its least they lie, in log error
_SETTLED = 0.01  # so far above its least may be expected what counts as a cell's full trial, in log error
_FAILED = 0.03  # so near to a failed trial, none is proposed in its cell again; of the ranges
_GROWN = 1.3  # parameters are fitted again when there are so many times the trials
_WITH_PRIOR = 2.0  # the same where an earlier campaign's trials are there from the start
_MOST_TRIALS = 1500  # in the model: those that are far from the best of their cells are left out beyond
LEAST_TOLD = 3  # trials with a result, for a model


@dataclass(frozen=True)
class Model:
    """The surface of a group.

    Attributes:
        group: the cells and their trials.
        surface: what the trials say.
        fit: parameters of the surface, for the journal.
    """

    group: Group
    surface: Surface
    fit: Mapping[str, Any]

    @staticmethod
    def of(group: Group, before: Mapping[str, Any] | None) -> "Model":
        """With parameters as they were fitted before, or anew where there is much more to fit them to."""
        n_told = sum(one.error is not None for one in group.known)
        shape = group.cells.at.shape[1], len(group.space)
        prior = Parameters.prior(*shape, earlier=bool(group.earlier_trials))
        # an axis that was added has a length of its own, and another version other parts
        fits = before is not None and len(before["values"]) == len(prior.values)
        start = prior.moved(np.array(before["values"], float)) if before and fits else prior
        grown = _WITH_PRIOR if group.earlier_trials else _GROWN
        if before is None or not fits or n_told >= grown * before["trials"]:
            start = fitted(*_told(group), start) if n_told + len(group.earlier_trials) >= LEAST_TOLD else start
            before = {"trials": n_told}
        return Model(group, _surface(group, start), {"trials": before["trials"], "values": start.values.tolist()})

    def random(self) -> np.random.Generator:
        """For what is drawn from the model: the same at every look that knows the same trials."""
        return np.random.default_rng([self.group.seed, self.group.done])

    @cached_property
    def points(self) -> np.ndarray:
        """(candidate, parameter): where any cell's best may lie."""
        n = len(self.group.space)
        if n > 2:
            return sobol_points(n, self.group.seed, 2048)
        along = np.linspace(0, 1, 129 if n == 1 else 33)
        return np.stack(np.meshgrid(*[along] * n, indexing="ij"), axis=-1).reshape(-1, n)

    @cached_property
    def means(self) -> np.ndarray:
        """(cell, candidate) log errors of full trials expected; none where a trial failed nearby."""
        means = self.surface.means(self.group.cells, self.points)
        for cell in self.group.failed:
            means[cell, self._near_failed(cell, self.points)] = np.inf
        return means

    def _near_failed(self, cell: int, points: np.ndarray) -> np.ndarray:
        """(point,) bool."""
        apart = [np.abs(points - place).max(axis=1) for place in self.group.failed.get(cell, ())]
        return np.min(apart, axis=0) < _FAILED if apart else np.zeros(len(points), bool)

    @cached_property
    def standing(self) -> Standing:
        """How far each cell's best full trial may be from its best weights."""
        group = self.group
        return standing(self.surface, group.cells, self.points, self.means, group.incumbents, group.seed)

    def best(self, cell: int) -> np.ndarray:
        """The point that is expected to be a cell's best, refined between the candidates."""
        place = self.points[self.means[cell].argmin()]
        step = 1 / (len(self.points) ** (1 / len(place)) - 1)
        around = np.stack(np.meshgrid(*[np.linspace(-step, step, 9)] * len(place), indexing="ij"), -1)
        finer = np.clip(place + around.reshape(-1, len(place)), 0, 1)
        one = self.group.cells[np.array([cell])]
        means = np.where(self._near_failed(cell, finer), np.inf, self.surface.means(one, finer)[0])
        return np.asarray(finer[means.argmin()] if len(place) <= 2 else place)

    @cached_property
    def unsettled(self) -> list[int]:
        """Cells without a full trial where the model expects the best, those without any first."""
        return sorted(
            (cell for cell in range(len(self.means)) if not self._is_settled(cell)),
            key=lambda cell: (cell in self.group.whole, cell),
        )

    def _is_settled(self, cell: int) -> bool:
        places = self.group.whole.get(cell)
        return places is not None and bool(
            self.surface.mean(self.group.at(cell, places)).min() < self.means[cell].min() + _SETTLED
        )

    def near(self, cell: int, rng: np.random.Generator) -> np.ndarray:
        """Candidates of a cell, the nearer to its least the likelier (Gumbel's trick: without drawing one twice)."""
        means = self.means[cell]
        scores = -(means - means.min()) / _TEMPERATURE + rng.gumbel(size=len(means))
        return np.asarray(self.points[np.sort(np.argsort(scores)[-_NEAR:])])


def _told(group: Group) -> tuple[Places, np.ndarray]:
    """The trials with a result, those of an earlier campaign first: places and log errors."""
    places, errors = _own(group)
    if not group.earlier_trials:
        return places, errors
    return group.earlier_places.joined(places), np.concatenate([group.earlier_errors, errors])


def _own(group: Group) -> tuple[Places, np.ndarray]:
    """Those of the campaign itself; of very many, those near the best of their cells."""
    there = np.array([one.error is not None for one in group.known], bool)
    errors = np.log([one.error for one in group.known if one.error is not None])
    places = group.places[there]
    if len(errors) > _MOST_TRIALS:
        least = np.full(len(group.conditions), np.inf)
        np.minimum.at(least, places.cell, errors)
        kept = np.sort(np.argsort(errors - least[places.cell], kind="stable")[:_MOST_TRIALS])
        return places[kept], errors[kept]
    return places, errors


def _surface(group: Group, parameters: Parameters) -> Surface:
    """What is under way counts as what is expected of it: nothing is learnt twice."""
    places, errors = _told(group)
    surface = Surface(places, errors, parameters)
    pending = group.places[np.array([one.under_way for one in group.known], bool)]
    if not len(pending):
        return surface
    return Surface(places.joined(pending), np.concatenate([errors, surface.mean(pending)]), parameters)
