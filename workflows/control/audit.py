"""Does the certificate of a run hold? Cells are searched densely, in full, and what is stated is held against that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from fusedtomo.errors import InputError, nearest
from fusedtomo.toml import validated
from workflows.campaign import CampaignConfig, Condition, generator
from workflows.control.steer import Steering, Submit
from workflows.control.stopping import Stop, Stopped
from workflows.machines import Machine, deadline
from workflows.record.journal import Journal, TrialResult, best, by_condition
from workflows.record.runfolder import RunFolder
from workflows.record.state import Progress
from workflows.saying import KERNELS, Said, doing
from workflows.search.certified_map import bounds_of
from workflows.search.order import ConditionOrder
from workflows.workers.apps import warm_up
from workflows.workers.memory import ranks_by_condition
from workflows.workers.start import kinds, n_of, workers

FOLDER = "audit"  # in the run folder
POINTS, CELLS = 640, 20  # trials of a cell, a fifth of them to refine; cells, unless they are named


@dataclass(frozen=True)
class Audited:
    """A cell that was searched densely.

    Attributes:
        condition: the cell.
        error: of the run's best trial.
        least: the least error of the dense search and the run.
        stated: the bound of the regret; None without a certificate.
    """

    condition: Condition
    error: float
    least: float
    stated: float | None

    @property
    def found(self) -> float:
        """The regret: the share by which the run's error is too high."""
        return 1 - self.least / self.error

    @property
    def holds(self) -> bool | None:
        """Whether it is within what is stated."""
        return None if self.stated is None else self.found <= self.stated


def audit(
    folder: RunFolder, wanted: Sequence[str], cells: int, points: int, machine: Machine, console: Console
) -> list[Audited]:
    """Search cells densely and compare; the trials stay in RUN/audit, and the same command goes on with them.

    Args:
        folder: of the run.
        wanted: keys of conditions; () for corners, the middle and others drawn at random.
        cells: how many, where none are named.
        points: full trials of each.
        machine: where they run.
        console: for progress.

    Raises:
        InputError: the run has no result yet, or no such condition.
        Stopped: it was asked to end before all trials did.
    """
    trials = folder.trials()
    chosen = chosen_cells(folder.config, trials, wanted, cells)
    dense = dense_search(folder.config, points)
    with RunFolder(folder.path / FOLDER, dense) as own, Journal(own.journal) as journal:
        _search(own, journal, chosen, machine, console)
        return compared(folder.config, trials, own.trials(), chosen)


def dense_search(config: CampaignConfig, points: int) -> CampaignConfig:
    """The campaign with every cell searched by the strategy "audit"."""
    search = config.search.model_dump(exclude={"fidelity", "until_regret"})
    search |= {"strategy": "audit", "evaluations": points, "baseline_evaluations": points, "pending": 8}
    return validated(CampaignConfig, config.model_dump(exclude_unset=True) | {"search": search}, "audit")


def chosen_cells(
    config: CampaignConfig, trials: Iterable[TrialResult], wanted: Sequence[str], cells: int
) -> list[Condition]:
    """Conditions in which something is searched and a full trial has a result."""
    groups = by_condition(list(trials))
    there = {one.key: one for one in config.conditions() if config.space(one) and best(groups.get(one.key, []))}
    if not there:
        raise InputError(
            "no trial of the run has a result yet, so that there is nothing to audit; run the campaign first"
        )
    for key in wanted:
        if key not in there:
            raise InputError(f"--condition {key}: the run has no result of it; {nearest(key, there)}")
    if wanted:
        return [there[key] for key in dict.fromkeys(wanted)]
    main = [one for one in there.values() if one.method == config.methods[0]] or list(there.values())
    return _corners_and_others(main, cells, config.seed)


def _corners_and_others(cells: list[Condition], count: int, seed: int) -> list[Condition]:
    """The first and the last along every axis, the middle, and others at random: chosen before anything is known."""
    columns = [sorted({dict(one.at)[name] for one in cells}, key=str) for name, _ in cells[0].at]
    ends = [{values[0], values[-1]} for values in columns]
    corners = [one for one in cells if all(v in e for (_, v), e in zip(one.at, ends, strict=True))]
    order = generator(seed, "audit").permutation(len(cells))
    others = [cells[len(cells) // 2], *(cells[index] for index in order)]
    return list(dict.fromkeys([*corners, *others]))[:count]


def compared(
    config: CampaignConfig, trials: Sequence[TrialResult], dense: Sequence[TrialResult], chosen: Sequence[Condition]
) -> list[Audited]:
    """What is stated of each cell beside what was found."""
    stated, own, found = bounds_of(config, trials), by_condition(list(trials)), by_condition(list(dense))
    minimise, audited = config.search.minimise, []
    for one in chosen:
        winner, least = best(own[one.key], minimise), best(found.get(one.key, []), minimise)
        assert winner is not None
        error = winner.error(minimise)
        lowest = error if least is None else min(error, least.error(minimise))
        audited.append(Audited(one, error, lowest, stated.get(one)))
    return audited


def share_held(audited: Sequence[Audited]) -> float:
    """Of the cells with a bound, those in which it holds; NaN without one."""
    held = [one.holds for one in audited if one.holds is not None]
    return float(np.mean(held)) if held else float("nan")


class _Count:
    """Says how far the dense search is."""

    def __init__(self, said: Said, done: int, total: int):
        self._said, self._done, self._total = said, done, total

    def record(self, _result: TrialResult) -> None:
        self._done += 1

    def tick(self, _progress: Progress) -> None:
        self._said.update(f"dense search: {self._done} of {self._total} trials")


def _search(own: RunFolder, journal: Journal, chosen: Sequence[Condition], machine: Machine, console: Console) -> None:
    """Have the trials computed that are missing; Stopped when they are not complete."""
    done = by_condition(own.trials())
    orders = [ConditionOrder(own.config, one, {t.trial: t for t in done.get(one.key, ())}) for one in chosen]
    if all(order.finished for order in orders):
        return
    ranks = ranks_by_condition(machine, own.config)
    with doing(console, f"preparing ({KERNELS})"):
        warm_up()
    with (
        Stop(60 * machine.drain_min) as stop,
        workers(machine, own.path, console, ranks) as submit,
        deadline(machine),
        doing(console, "dense search") as said,
    ):
        watch = _Count(said, sum(len(order.results) for order in orders), sum(order.total for order in orders))
        count = sum(n_of(machine, kind) for kind in kinds(ranks))
        if not steered(own.config, orders, journal, submit, count, watch, stop):
            raise Stopped


def steered(
    config: CampaignConfig,
    orders: Sequence[ConditionOrder],
    journal: Journal,
    submit: Submit,
    count: int,
    watch: _Count,
    stop: Stop,
) -> bool:
    """Run the orders to their end; False when that was stopped."""
    broken = getattr(submit, "broken", lambda: "")
    steering = Steering(config, (), journal, submit, count, watch, broken, orders=orders)
    with stop.calling(steering.stop):
        steering.run()
    return not steering.stopping


def table(audited: Sequence[Audited]) -> list[tuple[str, ...]]:
    """Rows for people: cell, error, least, found, stated, holds."""
    return [
        (
            one.condition.key,
            f"{one.error:.4f}",
            f"{one.least:.4f}",
            f"{one.found:.2%}",
            "–" if one.stated is None else f"{one.stated:.2%}",
            {None: "", True: "yes", False: "no"}[one.holds],
        )
        for one in audited
    ]
