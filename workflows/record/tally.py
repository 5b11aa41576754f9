"""How many trials ended, failed and why, at what cost? Counted one trial at a time, never from the whole journal."""

from collections import Counter
from collections.abc import Iterable

from workflows.campaign.config import CampaignConfig
from workflows.record.journal import TrialResult

# Methods, "Bayesian hyperparameter optimization": one map of 256^3 voxels on Summit or ThetaGPU
PAPER_GPU_HOURS = 1078
PAPER_SIZE = 256
_ALL = "all"


class Tally:
    """The trials so far, counted: every step is O(1), and drawing is O(cells)."""

    def __init__(self, config: CampaignConfig, trials: Iterable[TrialResult] = ()):
        self.config = config
        self.due = {condition.key: config.evaluations(condition) for condition in config.conditions()}
        self._method = {condition.key: condition.method for condition in config.conditions()}
        self.total = sum(self.due.values())
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.nrmse: dict[str, float] = {}
        self.best: str | None = None
        self.hours: Counter[str] = Counter()  # of devices, by kind
        self._seconds: Counter[str] = Counter()  # of workers, by condition, by method and of all
        self._ended: Counter[str] = Counter()
        for trial in trials:
            self.record(trial)

    def record(self, trial: TrialResult) -> None:
        """Count one trial; one of a condition that is not on the grid counts for its cost alone."""
        key = trial.condition
        self.hours[trial.device] += device_hours(trial)
        if key not in self.due:
            return
        self.done[key] += 1
        for group in self._groups(key):
            self._seconds[group] += trial.seconds
            self._ended[group] += 1
        if not trial.ok:
            self.failed[key] += 1
            self.reasons[reason_of(trial)] += 1
            return
        self.nrmse[key] = min(trial.nrmse, self.nrmse.get(key, trial.nrmse))
        if self.best is None or self.nrmse[key] < self.nrmse[self.best]:
            self.best = key

    @property
    def trials(self) -> int:
        """Trials that ended."""
        return self.done.total()

    @property
    def cells_done(self) -> int:
        """Conditions whose every trial ended."""
        return sum(self.done[key] >= due for key, due in self.due.items())

    @property
    def complete(self) -> bool:
        """Whether every trial of every condition ended."""
        return self.cells_done == len(self.due)

    def remaining_s(self) -> float | None:
        """Worker seconds that the missing trials will take; None before any trial says how long one takes.

        A condition's trials take what they took so far, or those of its method, or those of all: baselines run first
        and are quick, so that their mean alone would promise an early end.
        """
        missing = {key: due - self.done[key] for key, due in self.due.items() if due > self.done[key]}
        if missing and not self._ended[_ALL]:
            return None
        return float(sum(count * self._mean_s(key) for key, count in missing.items()))

    def _mean_s(self, key: str) -> float:
        group = next(group for group in self._groups(key) if self._ended[group])
        return self._seconds[group] / self._ended[group]

    def _groups(self, key: str) -> tuple[str, str, str]:
        return key, self._method[key], _ALL

    def best_text(self) -> str:
        """Lowest NRMSE and its condition."""
        return f"{self.nrmse[self.best]:.3f} ({self.best})" if self.best else "none yet"


def device_hours(trial: TrialResult) -> float:
    """Hours of devices that a trial took: of as many as it had ranks."""
    return trial.seconds * trial.ranks / 3600


def reason_of(trial: TrialResult) -> str:
    """Why a trial failed, on one line."""
    return " ".join(printable(trial.reason).split()) or "no reason recorded"


def printable(text: str) -> str:
    """The text without what would steer a terminal: it may come from any program that a trial ran."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t ")


def hours_text(hours: Counter[str]) -> str:
    """Hours by kind of device, such as ``12.5 GPU hours``; a CPU hour is one of a worker with its threads."""
    names = {"gpu": "GPU hours", "cpu": "CPU worker hours"}
    return ", ".join(f"{hours[kind]:.3g} {names.get(kind, kind)}" for kind in sorted(hours, reverse=True)) or "nothing"
