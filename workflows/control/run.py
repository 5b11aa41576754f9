"""A campaign from its configuration to its products: workers started, trials steered, everything cleaned up."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from workflows.campaign import CampaignConfig
from workflows.control.provenance import provenance
from workflows.control.steer import Steering
from workflows.control.stopping import Stop, Stopped
from workflows.control.volumes import make_volumes
from workflows.machines import Machine, deadline
from workflows.record.journal import Journal, TrialResult
from workflows.record.runfolder import RunFolder
from workflows.record.sessions import add_session
from workflows.record.state import RUNNING, Heartbeat
from workflows.report.products import volumes_to_make, write_products
from workflows.search.order import orders_of
from workflows.watch.live import Dashboard
from workflows.workers.apps import ParslSubmit, warm_up
from workflows.workers.memory import ranks_by_condition
from workflows.workers.start import kinds, n_of, workers


def run_campaign(config: CampaignConfig, machine: Machine, out: Path, console: Console) -> Path | None:
    """Start or resume a campaign in the folder `out`; return the report's path, None when it was stopped early."""
    with Stop(60 * machine.drain_min) as stop:
        try:
            return _run(config, machine, out, console, stop)
        except Stopped:
            return None


def _run(config: CampaignConfig, machine: Machine, out: Path, console: Console, stop: Stop) -> Path | None:
    with (
        RunFolder(out, config) as folder,
        Journal(folder.journal) as journal,
        Heartbeat(folder.path, machine.name) as heart,
    ):
        try:
            _steer(folder, journal, machine, console, stop, heart)
            heart.update(phase="writing the report")
            with console.status("writing the report") as status:
                written = write_products(folder, provenance(config, machine), status.update)
        except Stopped:  # no error, to those who read the state
            heart.update(phase="stopped")
            return None
        heart.update(phase="finished")
        return written


def _steer(
    folder: RunFolder, journal: Journal, machine: Machine, console: Console, stop: Stop, heart: Heartbeat
) -> None:
    """Run what is left to run: trials, then the reconstructions that the report shows.

    Raises:
        Stopped: the campaign is not complete.
    """
    config, trials = folder.config, folder.trials()
    finished = all(order.finished for order in orders_of(config, trials))
    if finished and not volumes_to_make(folder):
        return
    _note_session(folder, machine, console)
    ranks = ranks_by_condition(machine, config)
    heart.update(phase="preparing the kernels")
    with console.status("preparing the kernels (the first time on a machine takes up to a minute)"):
        warm_up()
    heart.update(phase="starting workers")
    with workers(machine, folder.path, console, ranks) as submit:
        if not finished:
            _search(folder, journal, trials, submit, ranks, machine, console, stop, heart)
        heart.update(phase="reconstructing volumes")
        with deadline(machine):
            make_volumes(volumes_to_make(folder), submit, console, submit.broken)


def _search(
    folder: RunFolder,
    journal: Journal,
    trials: list[TrialResult],
    submit: ParslSubmit,
    ranks: Mapping[str, int],
    machine: Machine,
    console: Console,
    stop: Stop,
    heart: Heartbeat,
) -> None:
    """Run the trials that are left; Stopped when they are not complete."""
    config = folder.config
    n_workers = sum(n_of(machine, kind) for kind in kinds(ranks))
    waiting = config.search.pending * sum(n > 1 for n in ranks.values())
    with Dashboard(config, heart, console, trials=trials) as watch:
        heart.update(phase=RUNNING)
        steering = Steering(config, trials, journal, submit, n_workers, watch, submit.broken, waiting)
        with stop.calling(steering.stop), deadline(machine):
            steering.run()
    if steering.stopping:
        raise Stopped


def _note_session(folder: RunFolder, machine: Machine, console: Console) -> None:
    changed = add_session(folder.path, provenance(folder.config, machine))
    if changed:
        console.print(
            f"warning: {folder.path}: other code made a part of it: {changed}. Its trials stay; where they may no "
            f"longer be comparable, start over in another --out",
            style="yellow",
            markup=False,
        )
