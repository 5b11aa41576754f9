"""How do several run folders of one campaign become one? Their grids united, every trial kept that fits."""

import os
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from fusedtomo.errors import InputError, unwritable
from workflows.campaign import AXES, CampaignConfig, Value
from workflows.record.journal import JOURNAL, Journal, TrialResult
from workflows.record.runfolder import CAMPAIGN, RunFolder, differences, listed
from workflows.record.sessions import read_sessions, write_sessions
from workflows.record.state import read_state
from workflows.record.tally import Tally
from workflows.saying import doing

_SHOWN = 5  # conditions named before the rest is counted

Group = dict[int, TrialResult]  # the trials of one condition in one run, by number


@dataclass(frozen=True)
class Merged:
    """What a merged run holds.

    Attributes:
        config: the first campaign with the axes, methods, report cells and budgets of all.
        trials: those of the first run, then those that each later one adds.
        chosen: for every group in which the runs differ, the place of the run that it is taken from. A group is a
            condition, or the whole campaign where one search chose among all conditions.
    """

    config: CampaignConfig
    trials: list[TrialResult]
    chosen: dict[str, int]


def merge(say: Console, paths: Sequence[Path], out: Path) -> None:
    """Write the run folder `out` from others and say what it holds."""
    if len(paths) < 2:
        raise InputError("merge: give two run folders or more")
    runs = [RunFolder.read(path) for path in paths]
    _check_one_campaign(runs)
    for run in runs:
        if (state := read_state(run.path)) and state.alive(time.time()):
            say.print(f"{run.path}: a run works in it; what ends from now on will not be in {out}", markup=False)
    with _new_folder(out) as folder:
        with doing(say, "reading the journals"):
            merged = merge_trials([run.config for run in runs], [run.trials() for run in runs])
        _write(folder, merged, runs)
    _tell(say, merged, paths, out)


def merge_trials(configs: Sequence[CampaignConfig], journals: Sequence[Sequence[TrialResult]]) -> Merged:
    """Merge the trials of runs whose fingerprints agree.

    A condition on which the runs agree gets the trials of all. Where one trial ended differently in two runs, all
    later ones of its condition were proposed from different pasts: such a condition is taken whole from one run, the
    one with the most successful trials of it, of equals the first.
    """
    runs = [_groups(trials) for trials in journals]
    chosen = {}
    for key in dict.fromkeys(key for run in runs for key in run):
        groups = [run.get(key, {}) for run in runs]
        if not _agree(groups):
            chosen[key] = max(range(len(groups)), key=lambda place: (_successes(groups[place]), -place))
    kept: dict[tuple[str, int], TrialResult] = {}
    for place, trials in enumerate(journals):
        for trial in trials:
            if chosen.get(_group(trial), place) == place:
                kept.setdefault((trial.condition, trial.trial), trial)
    return Merged(_united(configs), list(kept.values()), chosen)


def _groups(trials: Sequence[TrialResult]) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    for trial in trials:
        groups.setdefault(_group(trial), {})[trial.trial if trial.order is None else trial.order] = trial
    return groups


def _group(trial: TrialResult) -> str:
    """What later trials were proposed from: those of its condition, or of the whole campaign."""
    return trial.condition if trial.order is None else "the campaign"


def _agree(groups: Sequence[Group]) -> bool:
    """Whether every trial that several runs have ended alike in all of them; where and how fast does not matter."""
    ended: dict[int, tuple[object, ...]] = {}
    return all(
        ended.setdefault(number, _outcome(trial)) == _outcome(trial)
        for group in groups
        for number, trial in group.items()
    )


def _outcome(trial: TrialResult) -> tuple[object, ...]:
    return trial.condition, trial.status, trial.point, trial.fidelity, trial.start, trial.nrmse


def _successes(group: Group) -> int:
    return sum(trial.ok for trial in group.values())


def _united(configs: Sequence[CampaignConfig]) -> CampaignConfig:
    """The first campaign with what the others have more of; nothing of it alters a result."""
    first, reports = configs[0].model_dump(), [config.report for config in configs]
    for name in ("axes", "repeats"):
        first[name] = {axis: _values(axis, [getattr(config, name) for config in configs]) for axis in first[name]}
    first["methods"] = list(dict.fromkeys(method for config in configs for method in config.methods))
    first["report"] |= {
        "slices": list(dict.fromkeys(cell for report in reports for cell in report.slices)),
        "landscapes": list(dict.fromkeys(cell for report in reports for cell in report.landscapes)),
    }
    for budget in ("evaluations", "baseline_evaluations"):
        first["search"][budget] = max(getattr(config.search, budget) for config in configs)
    return CampaignConfig.model_validate(first)


def _values(axis: str, tables: Sequence[Mapping[str, tuple[Value, ...]]]) -> list[Value]:
    """The values of an axis in all runs, in order."""
    values = list(dict.fromkeys(value for table in tables for value in table[axis]))
    return values if AXES[axis].scale == "category" else sorted(values)


def _check_one_campaign(runs: Sequence[RunFolder]) -> None:
    first = runs[0]
    for run in runs[1:]:
        for name in ("axes", "repeats"):
            ours, theirs = (list(getattr(one.config, name)) for one in (first, run))
            if ours != theirs:
                raise InputError(
                    f"{run.path}: {name} are {', '.join(theirs) or 'none'}, but {', '.join(ours) or 'none'} in "
                    f"{first.path}; merge runs over the same {name}"
                )
        if run.config.fingerprint() != first.config.fingerprint():
            found = differences(first.config, run.config).items()
            shown = [f"{key} is {old!r} in {first.path} and {new!r} in {run.path}" for key, (old, new) in found]
            raise InputError(
                f"{run.path}: of another campaign than {first.path}; {listed(shown)}: results would mix. "
                f"Merge runs that differ in the values of axes, methods, budgets, report or name alone"
            )


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder that takes the name `out` once it is complete."""
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        if out.exists():
            raise InputError(f"{out}: exists; give the name of a new folder as --out")
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(out)
    except OSError as error:
        raise unwritable(out, error, "give another --out") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(folder: Path, merged: Merged, runs: Sequence[RunFolder]) -> None:
    with Journal(folder / JOURNAL) as journal:
        journal.append(*merged.trials)
    (folder / CAMPAIGN).write_text(merged.config.model_dump_json(indent=2) + "\n")
    write_sessions(folder, [session for run in runs for session in read_sessions(run.path)])


def _tell(say: Console, merged: Merged, paths: Sequence[Path], out: Path) -> None:
    tally = Tally(merged.config, merged.trials)
    config = merged.config
    say.print(f"{out}: {len(merged.trials)} trials of {len(paths)} runs", markup=False)
    for key, place in list(merged.chosen.items())[:_SHOWN]:
        say.print(f"  {key}: the runs differ; taken whole from {paths[place]}", markup=False)
    if len(merged.chosen) > _SHOWN:
        say.print(f"  and so {len(merged.chosen) - _SHOWN} more conditions")
    grid = f"{' x '.join(str(len(values)) for values in config.axes.values())} cells"
    if left := tally.missing:
        command = shlex.join(["fusedtomo", "run", str(out / CAMPAIGN), "--out", str(out)])
        say.print(f"{grid}, {left} of {tally.total} trials to go:\n  {command}", markup=False)
    else:
        command = shlex.join(["fusedtomo", "report", str(out)])
        say.print(f"{grid}, complete:\n  {command}", markup=False)
