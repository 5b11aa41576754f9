"""A campaign from its configuration to its products: workers started, trials steered, everything cleaned up."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from fusedtomo.errors import InputError
from workflows.campaign import CampaignConfig
from workflows.control.again import compute_again
from workflows.control.provenance import provenance
from workflows.control.steer import Steering
from workflows.control.stopping import Stop, Stopped
from workflows.control.volumes import make_volumes
from workflows.machines import Machine, deadline
from workflows.record.journal import Journal, TrialResult
from workflows.record.runfolder import RunFolder
from workflows.record.sessions import add_session
from workflows.record.state import RUNNING, STOPPED, Heartbeat
from workflows.report.again import trials_again
from workflows.report.findings import Findings
from workflows.report.products import Say, volumes_to_make, write_products
from workflows.saying import KERNELS, doing
from workflows.search.order import orders_of
from workflows.watch.live import Dashboard
from workflows.workers.apps import ParslSubmit, warm_up
from workflows.workers.memory import ranks_by_condition, too_large
from workflows.workers.start import Start, kept_workers, kinds, n_of, workers

Finish = Callable[[RunFolder, Mapping[str, str], Say], Path]


def run_campaign(
    config: CampaignConfig, machine: Machine, out: Path, console: Console, finish: Finish | None = None
) -> Path | None:
    """Start or resume a campaign in the folder `out`.

    Args:
        config: the campaign.
        machine: where it runs.
        out: its run folder.
        console: for progress.
        finish: makes something of the complete run; by default all of its products.

    Returns:
        The path that `finish` returned, such as the report's; None when the run was stopped early.
    """

    def start(ranks: Mapping[str, int]) -> AbstractContextManager[ParslSubmit]:
        return workers(machine, out, console, ranks)

    with Stop(60 * machine.drain_min) as stop, suppress(Stopped):
        return _run(config, machine, out, console, stop, start, finish or write_products)
    return None


def run_campaigns(
    configs: Sequence[CampaignConfig], machine: Machine, folder: Path, console: Console, finish: Finish
) -> bool:
    """Start or resume campaigns one after another on the same workers, each in a run folder of its name.

    Args:
        configs: the campaigns.
        machine: where they run.
        folder: of all run folders, and of what workers log.
        console: for progress.
        finish: makes something of each complete run.

    Returns:
        Whether all are complete; False when they were stopped early.
    """
    with (
        Stop(60 * machine.drain_min) as stop,
        suppress(Stopped),
        kept_workers(machine, folder, console) as start,
    ):
        for number, config in enumerate(configs, start=1):
            console.print(f"campaign {number} of {len(configs)}: {config.name}", markup=False)
            if _run(config, machine, folder / config.name, console, stop, start, finish) is None:
                raise Stopped  # which ends the workers as soon as a signal asks for
        return True
    return False


def _run(
    config: CampaignConfig, machine: Machine, out: Path, console: Console, stop: Stop, start: Start, finish: Finish
) -> Path | None:
    with (
        RunFolder(out, config) as folder,
        Journal(folder.journal) as journal,
        Heartbeat(folder.path, machine.name) as heart,
    ):
        try:
            _Controller(folder, journal, machine, console, stop, heart, start).compute()
            journal.check_in_place()
            heart.update(phase="writing the report")
            with doing(console, "writing the report") as said:
                written = finish(folder, provenance(config, machine), said.update)
        except Stopped:  # no error, to those who read the state
            heart.update(phase=STOPPED)
            return None
        heart.update(phase="finished")
        return written


@dataclass(frozen=True)
class _Controller:
    """What one controller has: run folder and journal, machine and workers, and whom it listens and speaks to."""

    folder: RunFolder
    journal: Journal
    machine: Machine
    console: Console
    stop: Stop
    heart: Heartbeat
    start: Start

    def compute(self) -> None:
        """Have computed what is left: trials, the reconstructions that the report shows, best trials on other noise.

        Raises:
            Stopped: the campaign is not complete.
        """
        trials = self.folder.trials()
        finished = all(order.finished for order in orders_of(self.folder.config, trials))
        if finished and not volumes_to_make(self.folder) and not trials_again(Findings(self.folder)):
            return
        if fault := too_large(self.machine, self.folder.config):
            raise InputError(fault)
        note_session(self.folder, self.machine, self.console)
        ranks = ranks_by_condition(self.machine, self.folder.config)
        self._prepare()
        with self.start(ranks) as submit, deadline(self.machine):
            if not finished:
                self._search(trials, submit, ranks)
            self.journal.check_in_place()
            self.heart.update(phase="reconstructing volumes")
            make_volumes(volumes_to_make(self.folder), submit, self.console, submit.broken)
            compute_again(self.folder, submit, self.console, submit.broken)

    def _prepare(self) -> None:
        self.heart.update(phase="preparing the kernels")
        with doing(self.console, f"preparing ({KERNELS})"):
            warm_up()
        self.heart.update(phase="starting workers")

    def _search(self, trials: list[TrialResult], submit: ParslSubmit, ranks: Mapping[str, int]) -> None:
        """Run the trials that are left; Stopped when they are not complete."""
        config, heart = self.folder.config, self.heart
        n_workers = sum(n_of(self.machine, kind) for kind in kinds(ranks))
        waiting = config.search.pending * sum(n > 1 for n in ranks.values())
        with Dashboard(config, heart, self.console, trials=trials) as watch:
            heart.update(phase=RUNNING)
            steering = Steering(config, trials, self.journal, submit, n_workers, watch, submit.broken, waiting)
            with self.stop.calling(steering.stop):
                steering.run()
            if steering.stopping:
                watch.stopped()
        if steering.stopping:
            raise Stopped


def note_session(folder: RunFolder, machine: Machine, console: Console) -> None:
    """Note in the run folder which code works in it from now on; warn where other code made a part of it."""
    changed = add_session(folder.path, provenance(folder.config, machine))
    if changed:
        console.print(
            f"warning: {folder.path}: other code made a part of it: {changed}. Its trials stay; where they may no "
            f"longer be comparable, start over in another --out",
            style="yellow",
            markup=False,
        )
