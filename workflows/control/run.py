"""A campaign from its configuration to its products: workers started, trials steered, everything cleaned up."""

from pathlib import Path

from rich.console import Console

from workflows.campaign.config import CampaignConfig
from workflows.control.provenance import provenance
from workflows.control.steer import Campaign
from workflows.control.stopping import Stop, Stopped
from workflows.machines import Machine, deadline
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder
from workflows.record.sessions import add_session
from workflows.record.state import RUNNING, Heartbeat
from workflows.report.products import write_products
from workflows.watch.live import Dashboard
from workflows.workers.apps import warm_up
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
    """Run what is left to run.

    Raises:
        Stopped: the campaign is not complete.
    """
    config, trials = folder.config, folder.trials()
    if _finished(config, trials):
        return
    _note_session(folder, machine, console)
    ranks = ranks_by_condition(machine, config)
    heart.update(phase="preparing the kernels")
    with console.status("preparing the kernels (the first time on a machine takes up to a minute)"):
        warm_up()
    heart.update(phase="starting workers")
    with (
        workers(machine, folder.path, console, ranks) as submit,
        Dashboard(config, heart, console, trials=trials) as watch,
    ):
        heart.update(phase=RUNNING)
        n_workers = sum(n_of(machine, kind) for kind in kinds(ranks))
        waiting = config.search.pending * sum(n > 1 for n in ranks.values())
        campaign = Campaign(config, trials, journal, submit, n_workers, watch, submit.broken, waiting)
        with stop.calling(campaign.stop), deadline(machine):
            campaign.run()
    if campaign.stopping:
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


def _finished(config: CampaignConfig, trials) -> bool:
    done = {(trial.condition, trial.trial) for trial in trials}
    return all((c.key, t) in done for c in config.conditions() for t in range(config.evaluations(c)))
