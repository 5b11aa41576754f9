"""How many trials ended, failed and why, at what cost? Counted one trial at a time, never from the whole journal."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from workflows.campaign import STRATEGIES, CampaignConfig, Condition
from workflows.record.certified import Wish, said
from workflows.record.journal import CAP, TrialResult, on_bound

# Methods, "Bayesian hyperparameter optimization": one map of 256^3 voxels on Summit or ThetaGPU
PAPER_GPU_HOURS = 1078
PAPER_SIZE = 256
_ALL = "all"


class Tally:
    """The trials so far, counted: every step is O(1), and drawing is O(cells).

    `errors` holds the lowest error of every condition so far, of what the campaign minimises.
    """

    def __init__(self, config: CampaignConfig, trials: Iterable[TrialResult] = ()):
        self.config = config
        self.due = {condition.key: config.evaluations(condition) for condition in config.conditions()}
        self._method = {condition.key: condition.method for condition in config.conditions()}
        self._shared = _chosen_among(config)
        self._shared_total = sum(self.due[key] for key in self._shared)
        self._ordered = 0  # trials of the strategy that sees the campaign, whatever their condition
        self._wish = Wish.of(config)
        self._latest: TrialResult | None = None  # of those, the one proposed last
        self.total = sum(self.due.values())
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.errors: dict[str, float] = {}
        self._marks: dict[str, bool] = {}  # whether the best trial stopped at its cap, or lies on a bound
        self._spaces = {condition.key: config.space(condition) for condition in config.conditions()}
        self._cells = {
            cell.key: [one.key for one in config.repeated(cell)]
            for method in config.methods
            for cell in config.cells(method)
        }
        self.hours: defaultdict[str, float] = defaultdict(float)  # of devices, by kind
        self._seconds: defaultdict[str, float] = defaultdict(float)  # of workers, by condition, by method and of all
        self._ended: Counter[str] = Counter()
        for trial in trials:
            self.record(trial)

    def record(self, trial: TrialResult) -> None:
        """Count one trial; one of a condition that the campaign does not have counts for its cost alone."""
        key = trial.condition
        self.hours[trial.device] += device_hours(trial)
        if trial.order is not None:
            self._take_order(trial)
        if key not in self.due:
            return
        self.done[key] += 1
        for group in self._groups(key):
            self._seconds[group] += trial.seconds
            self._ended[group] += 1
        if not trial.ok:
            self.failed[key] += 1
            self.reasons[reason_of(trial)] += 1
        elif trial.whole:
            self._take_error(trial)

    def _take_order(self, trial: TrialResult) -> None:
        """Of the one search of the campaign: it ends early where its map is as near as wished."""
        assert trial.order is not None
        self._ordered += 1
        if self._latest is None or trial.order > (self._latest.order or 0):
            self._latest = trial
        if self._wish.met(trial.search) and trial.order + 1 < self._shared_total:
            self.total -= self._shared_total - (trial.order + 1)
            self._shared_total = trial.order + 1

    @property
    def certificate(self) -> str:
        """How far the map may be from the best one, in words, as the last trial's proposal knew; "" without one."""
        if self._latest is None:
            return ""
        return said(self._latest.search, Counter(self._method[key] for key in self._shared))

    def _take_error(self, trial: TrialResult) -> None:
        key, error = trial.condition, trial.error(self.config.search.minimise)
        if not error >= self.errors.get(key, math.inf) and not math.isnan(error):
            self.errors[key] = error
            self._marks[key] = trial.stopped == CAP or on_bound(trial, self._spaces[key])

    @property
    def trials(self) -> int:
        """Trials that ended."""
        return self.done.total()

    @property
    def missing(self) -> int:
        """Trials that are still to be done."""
        return sum(self._missing.values())

    @property
    def _missing(self) -> dict[str, int]:
        """Trials to be done of every condition, and under "all" those whose condition a strategy will choose."""
        own = {key: max(0, due - self.done[key]) for key, due in self.due.items() if key not in self._shared}
        return {**own, _ALL: self._to_choose}

    @property
    def _to_choose(self) -> int:
        return max(0, self._shared_total - self._ordered)

    @property
    def cells_done(self) -> int:
        """Conditions to which no trial will be added."""
        return sum(self._is_done(key) for key in self.due)

    def _is_done(self, key: str) -> bool:
        """Whether a condition's every trial ended; a strategy that chooses conditions may come back until its end."""
        if key in self._shared:
            return not self._to_choose
        return self.done[key] >= self.due[key]

    @property
    def complete(self) -> bool:
        """Whether every trial of every condition ended."""
        return not self.missing

    def cell(self, cell: Condition) -> "Cell":
        """The standing of a cell, over all of its repeats."""
        keys = [one.key for one in self.config.repeated(cell)]
        errors = [self.errors[key] for key in keys if key in self.errors]
        done = all(map(self._is_done, keys))
        marked = any(self._marks.get(key, False) for key in keys)
        return Cell(fmean(errors) if errors else None, any(self.done[key] for key in keys), done, marked)

    def remaining_s(self) -> float | None:
        """Worker seconds that the missing trials will take; None before any trial says how long one takes.

        A condition's trials take what they took so far, or those of its method, or those of all: baselines run first
        and are quick, so that their mean alone would promise an early end.
        """
        if not self.missing:
            return 0.0
        if not self._ended[_ALL]:
            return None
        return float(sum(count * self._mean_s(key) for key, count in self._missing.items() if count))

    def _mean_s(self, key: str) -> float:
        group = next(group for group in self._groups(key) if self._ended[group])
        return self._seconds[group] / self._ended[group]

    def _groups(self, key: str) -> tuple[str, ...]:
        return (_ALL,) if key == _ALL else (key, self._method[key], _ALL)

    @property
    def lowest(self) -> tuple[str, float] | None:
        """The key of the cell with the lowest error, averaged over its repeats, and that error; None without one."""
        found = {cell: [self.errors[key] for key in keys if key in self.errors] for cell, keys in self._cells.items()}
        means = {cell: fmean(errors) for cell, errors in found.items() if errors}
        return min(means.items(), key=lambda item: item[1], default=None)

    def lowest_text(self) -> str:
        """Lowest error and its cell."""
        return f"{self.lowest[1]:.3f} ({self.lowest[0]})" if self.lowest else "none yet"


@dataclass(frozen=True)
class Cell:
    """The standing of a cell.

    Attributes:
        error: the lowest so far, averaged over the repeats; None before there is one.
        begun: whether any trial of it ended.
        done: whether all of them did.
        marked: the best trial stopped at the cap of iterations, or lies on a bound of the search.
    """

    error: float | None
    begun: bool
    done: bool
    marked: bool


def _chosen_among(config: CampaignConfig) -> frozenset[str]:
    """The conditions among which the strategy chooses; none for one that sees its condition alone."""
    if STRATEGIES[config.search.strategy].sees == "condition":
        return frozenset()
    return frozenset(condition.key for condition in config.conditions() if config.space(condition))


def device_hours(trial: TrialResult) -> float:
    """Hours of devices that a trial took: of as many as it had ranks."""
    return trial.seconds * trial.ranks / 3600


def reason_of(trial: TrialResult) -> str:
    """Why a trial failed, on one line."""
    return " ".join(printable(trial.reason).split()) or "no reason recorded"


def printable(text: str) -> str:
    """The text without what would steer a terminal: it may come from any program that a trial ran."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t ")


def hours_text(hours: Mapping[str, float]) -> str:
    """Hours by kind of device, such as ``12.5 GPU hours``; a CPU hour is one of a worker with its threads."""
    names = {"gpu": "GPU hours", "cpu": "CPU worker hours"}
    return ", ".join(f"{hours[kind]:.3g} {names.get(kind, kind)}" for kind in sorted(hours, reverse=True)) or "nothing"
