"""trials.jsonl: append-only, fsynced, one line a trial; the one source of truth of a run folder."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from fusedtomo.errors import InputError, TryAgain, unwritable
from workflows.campaign import Dimension
from workflows.campaign.measures import Minimise, weights_of

JOURNAL = "trials.jsonl"
CAP = "max_iterations"  # why a solver stopped that had not converged
_ON_BOUND = 1e-3  # of a range, on its own scale

Positive = Annotated[float, Field(ge=0)]  # or 0
Count = Annotated[int, Field(ge=0)]
Nrmse = Annotated[float, Field(ge=0, le=2.001)]  # 2 is the opposite of the truth; the rest is rounding


@dataclass(frozen=True)
class TrialResult:
    """One evaluation of one condition, as it stands in the journal.

    Attributes:
        condition: the condition's key, such as ``fused-h47-c9``.
        trial: its number within the condition, from 0.
        status: "ok", or "failed" with a reason.
        point: the searched parameters of this trial, by name.
        fidelity: how much of the problem was computed, in (0, 1]; only trials with 1 stand for their condition.
        order: its number among all trials of a campaign whose strategy sees all conditions; None otherwise.
        start: the point whose solution it started from (`search.warm_start`); None for a start from the chemistry.
        weights: all three weights as used (searched or fixed).
        nrmse: mean over the elements (paper, Methods); None when failed.
        nrmse_by_element, rmse_by_element, stoichiometry_error: beside it; see fusedtomo.score.
        terms: the terms of Eq. 1 at the reconstruction by name, without their weights (fusedtomo/solvers/terms.py). A
            method that does not see the HAADF series has none of it; earlier versions noted none.
        iterations, stopped: outer iterations of the solver and why it ended.
        snr: SNR reached per modality ("HAADF" and the elements).
        reason: why the trial failed, with the last line of its traceback.
        stderr: the last lines that a failed trial wrote to standard error.
        seconds: wall time of the evaluation on its worker; `started` is Unix time; `worker` is "host:pid".
        device, ranks: "cpu" or "gpu", and how many of them shared the trial.
        search: state that the search strategy needs to go on (numbers only).
        proposal_s: seconds that a worker spent on the model that proposed the point.

    What comes from a line is validated; what a trial makes is taken as it is.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    condition: str
    trial: Count
    status: Literal["ok", "failed"]
    point: dict[str, float]
    fidelity: Annotated[float, Field(gt=0, le=1)] = 1.0
    order: Count | None = None
    start: dict[str, float] | None = None
    weights: dict[str, Positive] = field(default_factory=dict)
    nrmse: Nrmse | None = None
    nrmse_by_element: dict[str, Nrmse] = field(default_factory=dict)
    rmse_by_element: dict[str, Positive] = field(default_factory=dict)
    stoichiometry_error: Positive | None = None
    terms: dict[str, Positive] = field(default_factory=dict)
    iterations: Count = 0
    stopped: str = ""
    snr: dict[str, Positive] = field(default_factory=dict)
    reason: str = ""
    stderr: str = ""
    seconds: Positive = 0.0
    started: Positive = 0.0
    worker: str = ""
    device: Literal["cpu", "gpu"] = "cpu"
    ranks: Annotated[int, Field(ge=1)] = 1
    search: dict[str, Any] = field(default_factory=dict)
    proposal_s: Positive = 0.0

    @model_validator(mode="after")
    def _has_its_score(self) -> Self:
        if self.ok and self.nrmse is None:
            raise ValueError("status is 'ok', but nrmse is null")
        return self

    @property
    def ok(self) -> bool:
        """Whether the trial has a score."""
        return self.status == "ok"

    @property
    def whole(self) -> bool:
        """Whether it has a score of the whole problem, so that it may stand for its condition."""
        return self.ok and self.fidelity == 1

    def measure(self, name: str) -> float:
        """One of the measures of workflows/campaign/measures.py; NaN where the trial has none."""
        if name == "rmse":
            return fmean(self.rmse_by_element.values()) if self.rmse_by_element else math.nan
        value = getattr(self, name)
        return math.nan if value is None else value

    def error(self, minimised: Minimise) -> float:
        """What a search minimises; NaN where the trial does not have it."""
        return sum(weight * self.measure(name) for name, weight in weights_of(minimised).items())

    def line(self) -> str:
        """The journal line, without its newline."""
        return json.dumps(vars(self), allow_nan=False)

    @classmethod
    def from_line(cls, line: str | bytes) -> "TrialResult":
        """The trial of a journal line; ValueError says what is wrong with it."""
        if any(word in line for word in _NO_NUMBERS[type(line)]):  # one that `search` holds would pass
            json.loads(line, parse_constant=_refuse)
        try:
            return _adapter().validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"{where} = {first['input']!r:.60}: {first['msg']}" if where else first["msg"]) from None


_NO_NUMBERS: Mapping[type, tuple[Any, ...]] = {str: ("NaN", "Infinity"), bytes: (b"NaN", b"Infinity")}


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no number")


@cache
def _adapter() -> TypeAdapter[TrialResult]:
    return TypeAdapter(TrialResult)


class Journal:
    """Appends trials to a file; opening it cuts off a torn last line."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        _cut_torn_line(self.path)
        self._file = self.path.open("ab", buffering=0)
        self._bytes = self._file.tell()

    def append(self, *results: TrialResult) -> None:
        """Write a line for each and wait once until the disk has them all.

        Raises:
            TryAgain: they are written, but not in the file that has the journal's name now.
        """
        data = b"".join(result.line().encode() + b"\n" for result in results)
        if not data:
            return
        self._write(data)
        self.check_in_place()

    def _write(self, data: bytes) -> None:
        self._bytes += len(data)
        try:
            while data:  # a full disk takes a part of the lines, and raises at the next call
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path, error, "mend the disk, then run the same command again") from None

    def check_in_place(self) -> None:
        """Refuse to go on where the journal's name no longer stands for the file that was written, whole.

        What is made from a journal reads it by its name: one that is gone would be read as one without trials.
        """
        descriptor = self._file.fileno()
        if os.fstat(descriptor).st_size == self._bytes and _is_at(descriptor, self.path):
            return
        raise TryAgain(
            f"{self.path}: moved, deleted or changed by another program while it was written; the trials of this run "
            f"are in {_name_now(descriptor)}. Put the run folder back, then run the same command again"
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _name_now(descriptor: int) -> str:
    """Where an open file is now, as Linux tells; it marks one that has no name any more as deleted."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return "a file whose name is not known"


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with open(path, "rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)


def replay(path: str | Path) -> list[TrialResult]:
    """Return every trial of a journal in order; a torn last line is left out, a broken one inside is an InputError."""
    path = Path(path)
    if not path.exists():
        return []
    content = path.read_bytes()
    # what follows the last newline is empty, or a line that a crash tore
    return parse(content[: content.rfind(b"\n") + 1], path)


def parse(
    content: bytes, path: Path, first_line: int = 1, ended: set[tuple[str, int]] | None = None
) -> list[TrialResult]:
    """Return the trials of whole lines; an InputError names the file and the line that is none, or a trial again.

    Args:
        content: of the file, from the line with the number `first_line` on.
        path: for messages.
        first_line: from 1.
        ended: conditions and numbers of the trials of earlier lines; those of these lines are added.
    """
    trials: list[TrialResult] = []
    ended = set() if ended is None else ended
    for number, line in enumerate(content.split(b"\n")[:-1], start=first_line):
        try:
            trials.append(_new_trial(line, ended))
        except ValueError as error:
            raise InputError(f"{path}:{number}: not a trial ({error}); restore the line or remove it") from None
    return trials


def _new_trial(line: bytes, ended: set[tuple[str, int]]) -> TrialResult:
    trial = TrialResult.from_line(line)
    key = trial.condition, trial.trial
    if key in ended:
        raise ValueError(f"trial {trial.trial} of {trial.condition} stands in an earlier line")
    ended.add(key)
    return trial


def by_condition(trials: list[TrialResult]) -> dict[str, list[TrialResult]]:
    """Group trials by condition, each group in the order of its trial numbers."""
    groups: dict[str, list[TrialResult]] = {}
    for trial in trials:
        groups.setdefault(trial.condition, []).append(trial)
    return {key: sorted(group, key=lambda trial: trial.trial) for key, group in groups.items()}


def best(trials: list[TrialResult], minimised: Minimise = "nrmse") -> TrialResult | None:
    """The whole trial with the lowest error, the earliest of equals; None when there is none."""
    scored = [trial for trial in trials if trial.whole and not math.isnan(trial.error(minimised))]
    return min(scored, key=lambda trial: (trial.error(minimised), trial.trial), default=None)


def on_bound(trial: TrialResult, space: Mapping[str, Dimension]) -> bool:
    """Whether a searched parameter of a trial lies on an end of its range: the best may lie beyond."""
    places = (dimension.place(trial.point[name]) for name, dimension in space.items() if name in trial.point)
    return any(min(place, 1 - place) < _ON_BOUND for place in places)
