"""The strategy "map": which cell, which weights, whole or in a slab? Whatever teaches most about the whole map.

There is one model of all cells (workflows/search/surface.py). Trials have three phases:

1. Explore, in slabs where the campaign has them: space-filling points spread over the cells first, then those by which
   the regret of all cells together is expected to fall most for what they cost.
2. Settle: each cell is computed in full at the best point that the model predicts for it.
3. Top up: full trials where the model expects most to be gained.

Proposals are planned in rounds, with one look at the model each, so that a map of hundreds of cells does not wait for
it. The plan of a round travels with the trials in the journal. Costs are shares of the whole, never seconds: the map
must not depend on how fast a machine was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from workflows.campaign import STRATEGIES, Condition, Dimension, Strategy
from workflows.search.certificate import Standing, standing
from workflows.search.places import coordinates, places_of
from workflows.search.propose import Asked, Known, Proposal, scaled
from workflows.search.space_filling import sobol_points
from workflows.search.surface import Parameters, Places, Surface, fitted

_ROUNDS = 4  # of a round's trials there are this share of the cells
_MOST = 48  # trials of a round
_LOOKED_AT = 64  # cells among which a round chooses
_RIVALS = 3  # other points that may be the best of a cell, each drawn from the model
_NEAR, _TEMPERATURE = 40, 0.05  # candidates of a cell, and how far above its least they lie, in log error
_AHEAD = 2  # trials by which a cell that is explored may be ahead of others
_SETTLED = 0.01  # so far above its least may be expected what counts as a cell's full trial, in log error
_FAILED = 0.03  # so near to a failed trial, none is proposed in its cell again; of the ranges
_OVERHEAD = 0.02  # of a cheap trial, over the cost of a whole one
_LEAST_TOLD = 3  # trials with a result, for a model
_GROWN = 1.3  # parameters are fitted again when there are so many times the trials
_MOST_TRIALS = 1500  # in the model: those that are far from the best of their cells are left out beyond


def propose_for_the_map(asked: Asked) -> Proposal:
    """The next trial of the plan, or of a new one."""
    state = dict(asked.state)
    if not state.get("plan"):
        state = _planned(asked, state)
    (key, cheap, *place), *rest = state["plan"]
    condition = next(one for one in asked.conditions if one.key == key)
    point = scaled(asked.conditions[condition], np.array(place))
    fidelity = asked.cheap.get(condition, 1.0) if cheap else 1.0
    return Proposal(point, {**state, "plan": rest}, fidelity, condition)


def needs_model(asked: Asked) -> bool:
    """Whether a new round is planned; the first ones need no model."""
    return not asked.state.get("plan") and asked.trial > 0


def whole_trials(evaluations: int) -> float:
    """Trials of a cell that are computed in full, of so many: one, and top-ups."""
    return 1 + top_ups(evaluations, 16) / 16


def top_ups(evaluations: int, cells: int) -> int:
    """Trials left for where the model expects most, when every cell has its full one."""
    return (evaluations - 1) * cells // 12


def _planned(asked: Asked, state: dict[str, Any]) -> dict[str, Any]:
    """The state with the plan of a round, of the method that is least far."""
    group = min(groups_of(asked), key=lambda one: one.done / one.total)
    plan, learnt = group.plan(state)
    rows = [[group.conditions[cell].key, int(cheap), *np.round(place, 5).tolist()] for cell, cheap, place in plan]
    merged = {name: {**state.get(name, {}), group.name: value} for name, value in learnt.items()}
    return {**{key: value for key, value in state.items() if key != "fallback"}, **merged, "plan": rows}


def groups_of(asked: Asked) -> list["Group"]:
    """The conditions by method: other methods have other parameters, and another surface."""
    methods = dict.fromkeys(one.method for one in asked.conditions)
    return [Group.of(asked, method) for method in methods]


Planned = list[tuple[int, bool, np.ndarray]]  # cell, whether cheap, place of the point


@dataclass(frozen=True)
class Group:
    """The cells of one method, and what is known of them.

    Attributes:
        name: of the method.
        conditions: its cells.
        space: what is searched in each.
        share: fidelity of a cheap trial, a mean over the cells; 1 where there are none.
        known: their trials so far, those under way included.
        evaluations: trials of a cell, in the mean.
        seed: of the campaign.
    """

    name: str
    conditions: Sequence[Condition]
    space: Mapping[str, Dimension]
    share: float
    known: Sequence[Known]
    evaluations: int
    seed: int

    @staticmethod
    def of(asked: Asked, method: str) -> "Group":
        """The cells of a method, as a strategy is told of them."""
        own = [one for one in asked.conditions if one.method == method]
        known = [one for one in asked.campaign if one.condition.method == method]
        share = float(np.mean([asked.cheap.get(one, 1.0) for one in own]))
        return Group(method, own, asked.conditions[own[0]], share, known, asked.budgets[own[0]], asked.seed)

    @property
    def done(self) -> int:
        """Trials proposed so far."""
        return len(self.known)

    @property
    def total(self) -> int:
        """Trials in all."""
        return self.evaluations * len(self.conditions)

    @property
    def first(self) -> int:
        """Space-filling trials before the model is asked."""
        least = 4 + 4 * len(self.space) + 2 * coordinates(self.conditions).shape[1]
        return int(max(1, min(least, (self.total - len(self.conditions)) * 2 // 3)))

    @property
    def size(self) -> int:
        """Trials of a round."""
        return int(min(_MOST, max(1, len(self.conditions) // _ROUNDS)))

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
    def whole(self) -> dict[int, np.ndarray]:
        """Places of each cell's full trials that have a result or are under way."""
        found: dict[int, list[np.ndarray]] = {}
        for one, cell, place in zip(self.known, self.places.cell, self.places.point, strict=True):
            if one.fidelity == 1 and (one.under_way or one.error is not None):
                found.setdefault(int(cell), []).append(place)
        return {cell: np.array(places) for cell, places in found.items()}

    def plan(self, state: Mapping[str, Any]) -> tuple[Planned, dict[str, Any]]:
        """The trials of a round, and what was learnt on the way: parameters of the model, and a certificate."""
        left = self.total - self.done
        if self.done < self.first:
            return self._space_filling(min(self.size, self.first - self.done)), {}
        model = Model.of(self, state.get("fit", {}).get(self.name))
        later = len(model.unsettled) + top_ups(self.evaluations, len(self.conditions))
        explored = left - later
        if explored > 0:
            plan = model.explored(min(self.size, explored))
        elif model.unsettled:
            plan = model.settled(min(self.size, len(model.unsettled)))
        else:
            plan = model.topped_up(max(1, min(self.size // 2, left)))
        return plan or model.explored(1), {"fit": model.fit, "regret": model.standing.summary()}

    def bounds(self, state: Mapping[str, Any]) -> dict[Condition, float]:
        """Upper bounds of the regret of cells that have a full trial."""
        if sum(one.error is not None for one in self.known) < _LEAST_TOLD:
            return {}
        found = Model.of(self, state.get("fit", {}).get(self.name)).standing.bounds
        return {self.conditions[number]: float(found[number]) for number in sorted(self.whole)}

    def _space_filling(self, count: int) -> Planned:
        """Points and cells of one sequence, so that each region of weights is seen in all regions of the map."""
        at = self.cells.at
        numbers = range(self.done, self.done + count)
        filling = sobol_points(len(self.space) + at.shape[1], self.seed, self.first)
        chosen: Planned = []
        for number in numbers:
            place = filling[number]
            near = np.square(at - place[len(self.space) :]).sum(axis=1) if at.shape[1] else np.zeros(len(at))
            seen = np.bincount([*self.places.cell, *(cell for cell, *_ in chosen)], minlength=len(at))
            cell = int(np.lexsort((near, seen))[0])
            chosen.append((cell, self.cheap, place[: len(self.space)]))
        return chosen


class Model:
    """The surface of a group with what it says of every cell."""

    def __init__(self, group: Group, parameters: Parameters, fit: dict[str, Any]):
        self.group, self.fit = group, fit
        self._rng = np.random.default_rng([group.seed, group.done])
        self.surface = _surface(group, parameters)

    @staticmethod
    def of(group: Group, before: Mapping[str, Any] | None) -> "Model":
        """With parameters as they were fitted before, or anew where there is much more to fit them to."""
        known = [one for one in group.known if one.error is not None]
        n_axes = group.cells.at.shape[1]
        prior = Parameters.prior(n_axes, len(group.space))
        start = prior if before is None else Parameters(np.array(before["values"], float), n_axes)
        fits = len(start.values) == len(prior.values)  # an axis that was added has a length of its own
        start = start if fits else prior
        if before is None or not fits or len(known) >= _GROWN * before["trials"]:
            places, errors = _told(group)
            start = fitted(places, errors, start) if len(errors) > 2 else start
            before = {"trials": len(known)}
        fit = {"trials": before["trials"], "values": start.values.tolist()}
        return Model(group, start, fit)

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
        for cell in self._failed:
            means[cell, self._near_failed(cell, self.points)] = np.inf
        return means

    @cached_property
    def _failed(self) -> dict[int, list[np.ndarray]]:
        """Places of the full trials of each cell that failed."""
        failed: dict[int, list[np.ndarray]] = {}
        for one, cell, place in zip(self.group.known, self.group.places.cell, self.group.places.point, strict=True):
            if one.error is None and not one.under_way and one.fidelity == 1:
                failed.setdefault(int(cell), []).append(place)
        return failed

    def _near_failed(self, cell: int, points: np.ndarray) -> np.ndarray:
        """(point,) bool."""
        apart = [np.abs(points - place).max(axis=1) for place in self._failed.get(cell, ())]
        return np.min(apart, axis=0) < _FAILED if apart else np.zeros(len(points), bool)

    @cached_property
    def standing(self) -> Standing:
        """How far each cell's best full trial may be from its best weights."""
        return standing(self.surface, self.group.cells, self.points, self.means, self._incumbents, self.group.seed)

    @property
    def _incumbents(self) -> dict[int, tuple[np.ndarray, float]]:
        """The best full trial of each cell that has one: its place and its log error."""
        best: dict[int, tuple[np.ndarray, float]] = {}
        places = self.group.places
        for one, cell, place in zip(self.group.known, places.cell, places.point, strict=True):
            if one.error is not None and one.fidelity == 1:
                error = float(np.log(one.error))
                if int(cell) not in best or error < best[int(cell)][1]:
                    best[int(cell)] = place, error
        return best

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
            self.surface.mean(self._at(cell, places)).min() < self.means[cell].min() + _SETTLED
        )

    def settled(self, count: int) -> Planned:
        """Full trials of cells that need one, those without any first, and of these the farthest from any other."""
        at, plan = self.group.cells.at, []
        bare = [cell for cell in self.unsettled if cell not in self.group.whole]
        left = bare or list(self.unsettled)
        there = [at[cell] for cell in range(len(at)) if cell not in left]
        for _ in range(min(count, len(left))):
            gaps = [min((float(np.square(at[cell] - one).sum()) for one in there), default=1.0) for cell in left]
            cell = left.pop(int(np.argmax(gaps)))
            there.append(at[cell])
            plan.append((cell, False, self.best(cell)))
        return plan

    def topped_up(self, count: int) -> Planned:
        """Full trials where the error is expected to fall most below the best so far, a cell once."""
        gains = []
        for cell, (_, error) in self._incumbents.items():
            near = self._near(cell, self._rng)
            places = self._at(cell, near)
            mean, spread = self.surface.mean(places), np.sqrt(np.diag(self.surface.covariance(places)).clip(1e-12))
            expected = _expected_gain(mean - error, spread)
            gains.append((float(expected.max()), cell, near[expected.argmax()]))
        gains.sort(key=lambda each: (-each[0], each[1]))
        return [(cell, False, place) for _, cell, place in gains[:count]]

    def explored(self, count: int) -> Planned:
        """Trials by which the regret of all cells together is expected to fall most for their cost.

        Of a cell, the point expected to be best rivals with points that draws from the model have as their best. A
        trial's value is what choosing between them after it is expected to gain, over all cells (knowledge gradient).
        """
        cells = self._looked_at()
        points = [np.concatenate([self.best(cell)[None], self._rivals(cell)]) for cell in cells]
        whole = [self._at(cell, place) for cell, place in zip(cells, points, strict=True)]
        joined = whole[0]
        for one in whole[1:]:
            joined = joined.joined(one)
        options = joined.joined(replace(joined, slab=np.ones(len(joined), bool))) if self.group.cheap else joined
        costs = np.where(options.slab, self.group.share + _OVERHEAD, 1.0)
        return self._greedy(options, len(joined), costs, count)

    def _greedy(self, options: Places, n_whole: int, costs: np.ndarray, count: int) -> Planned:
        covariance, noise = self.surface.covariance(options), self.surface.kernel.noise(options)
        means = self.surface.mean(options[slice(n_whole)])
        firsts = np.arange(n_whole) // (1 + _RIVALS) * (1 + _RIVALS)
        rivals = np.flatnonzero(np.arange(n_whole) != firsts)
        behind, plan = means[firsts[rivals]] - means[rivals], []
        for _ in range(count):
            with_best = covariance[firsts[rivals]] - covariance[rivals]
            learnt = np.abs(with_best) / np.sqrt(np.diag(covariance).clip(0) + noise)
            gains = _expected_gain(-behind[:, None], learnt).sum(axis=0) / costs
            chosen = int(gains.argmax())
            plan.append((int(options.cell[chosen]), bool(options.slab[chosen]), options.point[chosen]))
            column = covariance[:, chosen]
            covariance = covariance - np.outer(column, column) / (column[chosen] + noise[chosen])
        return plan

    def _looked_at(self) -> list[int]:
        """Cells with few trials so far: none is left out for long, however alike the model takes them to be."""
        n = len(self.group.conditions)
        trials = np.bincount(self.group.places.cell, minlength=n)
        few = np.flatnonzero(trials <= trials.min() + _AHEAD)
        return sorted(
            few.tolist() if len(few) <= _LOOKED_AT else self._rng.choice(few, _LOOKED_AT, replace=False).tolist()
        )

    def _rivals(self, cell: int) -> np.ndarray:
        near = self._near(cell, self._rng)
        drawn = self.surface.draws(self._at(cell, near), _RIVALS, self._rng)
        return np.asarray(near[drawn.argmin(axis=1)])

    def _near(self, cell: int, rng: np.random.Generator) -> np.ndarray:
        """Candidates of a cell, the nearer to its least the likelier (Gumbel's trick: without drawing one twice)."""
        means = self.means[cell]
        scores = -(means - means.min()) / _TEMPERATURE + rng.gumbel(size=len(means))
        return self.points[np.sort(np.argsort(scores)[-_NEAR:])]

    def _at(self, cell: int, points: np.ndarray) -> Places:
        n = len(points)
        return Places(np.full(n, cell), np.repeat(self.group.cells.at[[cell]], n, axis=0), points, np.zeros(n, bool))


def _expected_gain(above: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How far a normal quantity lies below 0 in the mean, of what is below (expected improvement)."""
    from scipy.stats import norm  # late: `fusedtomo status` knows this strategy, and needs no scipy

    spread = np.maximum(spread, 1e-12)
    z = -above / spread
    return np.asarray(spread * (z * norm.cdf(z) + norm.pdf(z)))


def _told(group: Group) -> tuple[Places, np.ndarray]:
    """The trials with a result: places and log errors; of very many, those near the best of their cells."""
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


STRATEGIES.register(
    Strategy(
        "map",
        propose_for_the_map,
        sees="campaign",
        needs_model=needs_model,
        cheap=True,
        whole=whole_trials,
        certifies=True,
    )
)
