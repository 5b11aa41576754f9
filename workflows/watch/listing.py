"""Which trials ran, where, and why did some fail? A line each, or the failed ones with the end of what they said."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from fusedtomo.errors import InputError, nearest
from workflows.campaign import CampaignConfig
from workflows.record.journal import TrialResult
from workflows.record.runfolder import RunFolder
from workflows.record.tally import printable, reason_of

LOGS = "logs"
_LAST_LINES = 6
_HEADER = ("condition", "trial", "NRMSE", "s", "iterations", "worker", "point")
_RESULTS = ("nrmse", "stoichiometry_error", "iterations")
_COLUMNS = ("condition", "trial", "status", "seconds", "started", "worker", "device", *_RESULTS)
_WORKER = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*):([0-9]+)")


def show(
    console: Console,
    run: Path,
    failed: bool,
    condition: str | None,
    as_json: bool,
    sort: str | None = None,
    reverse: bool = False,
) -> None:
    """Print the trials of a run, in the order in which they ended or sorted by a column."""
    folder = RunFolder.read(run)
    trials = in_order(chosen(folder.trials(), folder.config, failed, condition), sort, reverse)
    if as_json:
        said = [json.dumps(vars(trial) | {"log": _text(log_of(run, trial.worker))}) for trial in trials]
    elif failed:
        said = [_failure(run, trial) for trial in trials] or ["no trial failed"]
    else:
        said = table(trials)
    # past rich: lines are as long as they are, for grep and jq, and nothing in them is markup
    console.file.write("".join(f"{printable(line)}\n" for line in said))


def chosen(
    trials: Iterable[TrialResult], config: CampaignConfig, failed: bool, condition: str | None
) -> list[TrialResult]:
    """Those of a condition, those that failed; a condition that neither the campaign nor the journal has is refused."""
    trials = list(trials)
    known = {one.key for one in config.conditions()} | {trial.condition for trial in trials}
    if condition is not None and condition not in known:
        raise InputError(f"there is no condition '{condition}'; {nearest(condition, known)}")
    return [trial for trial in trials if condition in (None, trial.condition) and not (failed and trial.ok)]


def in_order(trials: list[TrialResult], column: str | None, reverse: bool = False) -> list[TrialResult]:
    """Sorted by a column or a searched parameter; those without a value come last, whichever way round.

    Raises:
        InputError: there is no such column.
    """
    if column is None:
        return trials[::-1] if reverse else trials
    parameters = {name for trial in trials for name in trial.point}
    if column not in {*_COLUMNS, *parameters}:
        raise InputError(f"--sort {column}: there is no such column; {nearest(column, {*_COLUMNS, *parameters})}")
    valued = [(_value(trial, column), trial) for trial in trials]
    having = [(value, trial) for value, trial in valued if value is not None]
    having.sort(key=lambda pair: pair[0], reverse=reverse)
    return [trial for _, trial in having] + [trial for value, trial in valued if value is None]


def _value(trial: TrialResult, column: str) -> Any:
    """What a trial has in a column; None where it has nothing, as a failed one no result."""
    if column not in _COLUMNS:
        return trial.point.get(column)
    value = getattr(trial, column)
    return None if not trial.ok and column in _RESULTS else value


def table(trials: list[TrialResult]) -> list[str]:
    """A header and a line for each trial, in columns."""
    rows = [_HEADER, *(_row(trial) for trial in trials)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def log_of(run: Path, worker: str) -> Path | None:
    """The log of a worker, given as "host:pid" in the journal; None where there is none.

    The journal is text that anybody may have written: a worker's name leads nowhere but into the folder of the logs.
    """
    named = _WORKER.fullmatch(worker)
    path = run / LOGS / f"{named[1]}-{named[2]}.log" if named else None
    return path if path and path.is_file() else None


def _row(trial: TrialResult) -> tuple[str, ...]:
    score = f"{trial.nrmse:.4f}" if trial.ok else "failed"
    last = _point(trial) if trial.ok else f"{_point(trial)}  {reason_of(trial)}".strip()
    cost = (f"{trial.seconds:.1f}", str(trial.iterations or ""))
    return trial.condition, str(trial.trial), score, *cost, trial.worker, last


def _failure(run: Path, trial: TrialResult) -> str:
    where = f"  on {trial.worker}" if trial.worker else ""
    lines = [f"{trial.condition} #{trial.trial}  {_point(trial)}{where}, after {trial.seconds:.1f} s"]
    lines.append(f"  {reason_of(trial)}")
    lines += [f"    {line}" for line in trial.stderr.splitlines()[-_LAST_LINES:]]
    log = log_of(run, trial.worker)
    return "\n".join(lines + ([f"  log: {log}"] if log else []))


def _point(trial: TrialResult) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in trial.point.items())


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
