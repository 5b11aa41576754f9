"""Which weights does the data itself ask for, where no truth is known?

Counts are thinned into folds (fusedtomo/thinning.py). Weights are tried on a lattice, half decades of the HAADF weight
and factors of 2 of total variation: what is fitted to the first fold must predict the counts that were held out. Whole
decades of the HAADF weight come first, because where HAADF contradicts the maps there is more than one valley; then it
goes downhill. The best weights, and those that the rule below would take, are tried on the other folds as well.

**The rule.** Among weights whose held-out deviance is within one standard error of the least, those nearest to the
prior (an atlas, or the defaults) are taken; of two as near, those that predict the held-out HAADF tilts better.
Held-out counts of the tilts that were recorded say nothing about the missing wedge, and too little about total
variation: their least deviance has more HAADF and less total variation than is best. The prior knows better, as long
as the counts do not object.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.held_out import prediction
from fusedtomo.incoming import read_json
from fusedtomo.methods import METHODS
from fusedtomo.reconstruct import solve
from fusedtomo.settings import Settings, SolverSettings, Weights
from fusedtomo.slabs import cut, in_units_of, middle_columns
from fusedtomo.solvers.problem import Problem
from fusedtomo.thinning import Fold, thinned
from fusedtomo.tilts import FusedDataset
from fusedtomo.toml import validated

STEPS = {"haadf": 10**0.5, "tv": 2.0}
_SCANNED = {"haadf": (2, -2, -4)}  # steps from the prior that are tried first
_REACH = 12  # steps from the prior: six decades of the HAADF weight
_FINALISTS = 3

Place = tuple[int, ...]  # steps from the prior, by searched weight


class Tried(Settings):
    """Weights that were tried.

    Attributes:
        weights: of Eq. 1.
        folds: on how many folds.
        deviance: half the deviance of a fold's held-out counts beyond that of the best weights, a mean over the folds.
        haadf: the same of the held-out HAADF tilts.
    """

    weights: Weights
    folds: int
    deviance: float
    haadf: float


class Weighed(Settings):
    """Weights that were found without truth, and how; `model_dump_json` is the file of `fusedtomo weights`.

    Attributes:
        kind: what the file is.
        method: of which method.
        weights, prior: what was found, and where it began.
        standard_error: of the mean deviance of a fold.
        columns: of x, from and to, that were used.
        folds, seed, solves: of the thinning, and how many reconstructions of a part it took.
        ended: whether the search came to its end, and not the solves.
        tried: all weights, the lowest deviance first.
    """

    kind: Literal["fusedtomo weights"] = "fusedtomo weights"
    method: str
    weights: Weights
    prior: Weights
    standard_error: float
    columns: tuple[int, int]
    folds: int
    seed: int
    solves: int
    ended: bool
    tried: tuple[Tried, ...]


def read_weighed(path: str | Path) -> Weighed:
    """Read the file of `fusedtomo weights`."""
    wanted = "a file of `fusedtomo weights`"
    content = read_json(path, wanted)
    if not isinstance(content, dict) or content.get("kind") != "fusedtomo weights":
        raise InputError(f"{path}: holds no weights; give the path of {wanted}")
    return validated(Weighed, content, path)


def weigh(
    dataset: FusedDataset,
    method: str = "fused",
    prior: Weights | None = None,
    settings: SolverSettings | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    solves: int = 25,
    say: Callable[[str], None] = lambda text: None,
) -> Weighed:
    """Find weights by what they predict of counts and HAADF tilts that were held out.

    Args:
        dataset: with raw counts.
        method: one with a weight of HAADF or of total variation beside the chemical one.
        prior: weights to begin with, and to stay near to; default: those of `Weights`.
        settings: of the solver.
        folds: parts of the counts.
        seed: of the thinning.
        solves: reconstructions of a part, at most.
        say: told of every one.

    Raises:
        InputError: the method has no weight to find, counts are no whole numbers, or solves are too few.
    """
    names = [name for name in STEPS if name in METHODS[method].searched]
    if not names:
        raise InputError(f"{method} has no weight to find; take fused, or poisson-tv")
    scanned = _scanned(names)
    least = len(scanned) + 2 * len(names) + _FINALISTS * (folds - 1)
    if solves < least:
        raise InputError(f"{solves} solves are too few for {folds} folds; give {least} or more, or fewer folds")
    columns = middle_columns(dataset, settings)
    slab = cut(dataset, slice(*columns))
    trials = _Trials(
        dataset,
        slab,
        thinned(slab, folds, np.random.default_rng(seed)),
        method,
        prior or Weights(),
        names,
        settings or SolverSettings(),
        say,
    )
    ended = _descend(trials, scanned, solves - _FINALISTS * (folds - 1))
    chosen = _settle(trials, solves)
    return Weighed(
        method=method,
        weights=trials.weights(chosen),
        prior=trials.prior,
        standard_error=trials.error,
        columns=columns,
        folds=folds,
        seed=seed,
        solves=trials.solves,
        ended=ended,
        tried=trials.table(),
    )


@dataclass(eq=False)
class _Trials:
    """What was tried: deviances by place and fold."""

    whole: FusedDataset
    slab: FusedDataset
    parts: list[Fold]
    method: str
    prior: Weights
    names: list[str]
    settings: SolverSettings
    say: Callable[[str], None]
    maps: dict[Place, dict[int, float]] = field(default_factory=dict)
    haadf: dict[Place, dict[int, float]] = field(default_factory=dict)
    errors: dict[Place, float] = field(default_factory=dict)
    solves: int = 0

    def weights(self, place: Place) -> Weights:
        """The weights at a place of the lattice."""
        moved = {n: getattr(self.prior, n) * STEPS[n] ** step for n, step in zip(self.names, place, strict=True)}
        return self.prior.model_copy(update={name: float(f"{value:.4g}") for name, value in moved.items()})

    def at(self, place: Place, fold: int = 0) -> float:
        """Half the deviance of what is held out of a fold; solved once."""
        if fold not in self.maps.setdefault(place, {}):
            self._solve(place, fold)
        return self.maps[place][fold]

    def _solve(self, place: Place, number: int) -> None:
        fold, weights = self.parts[number], self.weights(place)
        scaled, settings = in_units_of(self.whole, self.slab, weights, self.settings)
        problem = Problem(fold.fitted, scaled, settings)
        found = prediction(problem, fold, solve(fold.fitted, self.method, scaled, settings).volume)
        self.solves += 1
        self.maps[place][number] = float(found.maps.sum())
        self.haadf.setdefault(place, {})[number] = float(found.haadf.sum())
        self.errors[place] = found.error
        told = ", ".join(f"{name} {getattr(weights, name):.3g}" for name in self.names)
        self.say(f"solve {self.solves}, fold {number + 1}: {told}: held-out deviance {2 * found.maps.sum():.0f}")

    @property
    def best(self) -> Place:
        """The least deviance: of those tried on all folds, where there are some, else on the first."""
        most = max(map(len, self.maps.values()))
        return min((p for p in self.maps if len(self.maps[p]) == most), key=lambda p: sum(self.maps[p].values()))

    def beyond(self, place: Place, of: dict[Place, dict[int, float]] | None = None) -> float:
        """By how much a place is above the best one, a mean over the folds that both have."""
        values = self.maps if of is None else of
        common = values[place].keys() & values[self.best].keys()
        return float(np.mean([values[place][fold] - values[self.best][fold] for fold in common]))

    @property
    def error(self) -> float:
        """The standard error of the best mean deviance over all folds."""
        return self.errors[self.best] / float(np.sqrt(len(self.parts)))

    def rule(self) -> Place:
        """Within one standard error of the least, the nearest to the prior; then by the held-out HAADF tilts."""
        within = [place for place in self.maps if self.beyond(place) <= self.error]
        return min(within, key=lambda place: (_distance(place), self.beyond(place, self.haadf)))

    def table(self) -> tuple[Tried, ...]:
        """All that was tried."""
        rows = [
            Tried(
                weights=self.weights(place),
                folds=len(self.maps[place]),
                deviance=self.beyond(place),
                haadf=self.beyond(place, self.haadf),
            )
            for place in self.maps
        ]
        return tuple(sorted(rows, key=lambda row: row.deviance))


def _distance(place: Place) -> float:
    return float(sum(step**2 for step in place))


def _scanned(names: list[str]) -> list[Place]:
    """The prior, and places far from it."""
    prior = (0,) * len(names)
    far = [(axis, step) for axis, name in enumerate(names) for step in _SCANNED.get(name, ())]
    return [prior, *(tuple(step * (k == axis) for k in range(len(names))) for axis, step in far)]


def _descend(trials: _Trials, scanned: list[Place], budget: int) -> bool:
    """Downhill on the first fold from the lowest of some places; whether no neighbour was lower at the end."""
    here = min(scanned, key=trials.at)
    directions = [direction for axis in range(len(here)) for direction in _steps(axis, len(here))]
    while True:
        for direction in directions:
            there = tuple(a + b for a, b in zip(here, direction, strict=True))
            if max(map(abs, there)) > _REACH or there in trials.maps:
                continue
            if trials.solves >= budget:
                return False
            if trials.at(there) < trials.at(here):
                here = there
                directions = [direction, *(other for other in directions if other != direction)]
                break
        else:
            return True


def _steps(axis: int, n: int) -> Iterable[Place]:
    return (tuple(sign * (k == axis) for k in range(n)) for sign in (1, -1))


def _settle(trials: _Trials, solves: int) -> Place:
    """Try what the rule would take, and the best, on the other folds, until the rule takes what was tried on all."""
    n, full = len(trials.parts), set[Place]()
    while len(full) < _FINALISTS:
        left = sorted((p for p in trials.maps if p not in full), key=trials.beyond)
        wanted = next((p for p in (trials.best, trials.rule()) if p not in full), left[0] if left else None)
        if wanted is None or trials.solves + n - len(trials.maps[wanted]) > solves:
            break
        for fold in range(1, n):
            trials.at(wanted, fold)
        full.add(wanted)
    return trials.rule()
