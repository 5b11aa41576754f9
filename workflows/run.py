"""A campaign from its configuration to its products: workers started, trials steered, everything cleaned up."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from fusedtomo.errors import InputError
from workflows.apps import ParslSubmit, warm_up
from workflows.campaign import CampaignConfig
from workflows.journal import Journal
from workflows.live import Dashboard
from workflows.machines import Machine, deadline, parsl_config
from workflows.products import write_products
from workflows.provenance import provenance
from workflows.runfolder import RunFolder
from workflows.sessions import add_session
from workflows.state import Heartbeat
from workflows.steer import Campaign


def run_campaign(config: CampaignConfig, machine: Machine, out: Path, console: Console) -> Path | None:
    """Start or resume a campaign in the folder `out`; return the report's path, None when it was stopped early."""
    with (
        RunFolder(out, config) as folder,
        Journal(folder.journal) as journal,
        Heartbeat(folder.path, machine.name) as heart,
    ):
        trials = folder.trials()
        if not _finished(config, trials):
            _note_session(folder, machine, console)
            heart.update(phase="preparing the kernels")
            with console.status("preparing the kernels (the first time on a machine takes up to a minute)"):
                warm_up()
            heart.update(phase="starting workers")
            with (
                workers(machine, folder.path, console) as submit,
                Dashboard(config, heart, console, trials=trials) as watch,
            ):
                heart.update(phase="running")
                campaign = Campaign(config, trials, journal, submit, machine.n_workers, watch, submit.broken)
                with _stopping(campaign), deadline(machine):
                    campaign.run()
            if campaign.stopping:
                heart.update(phase="stopped")
                return None
        heart.update(phase="writing the report")
        with console.status("writing the report") as status:
            written = write_products(folder, provenance(config, machine), status.update)
        heart.update(phase="finished")
        return written


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


@contextmanager
def workers(machine: Machine, path: Path, console: Console) -> Iterator[ParslSubmit]:
    """Parsl with its workers, ready; stopped at the end."""
    import parsl

    kernel = parsl.load(parsl_config(machine, path / "parsl"))
    try:
        submit = ParslSubmit(kernel)
        with console.status(f"starting {machine.n_workers} workers on {machine.name}"):
            _wait_for_worker(submit, machine, path)
        yield submit
    finally:
        _stop(kernel)
        parsl.clear()


def _stop(kernel) -> None:
    """End Parsl; without its interchange its own cleanup would wait for an answer for ever."""
    executor = kernel.executors["trials"]
    interchange = executor.interchange_proc
    if interchange is not None and interchange.poll() is not None:
        executor.provider.cancel(list(executor.blocks_to_job_id.values()))
    else:
        kernel.cleanup()
    if sweep := getattr(executor.provider, "sweep", None):  # providers of batch jobs have one
        sweep()


def _first_answer(submit: ParslSubmit, machine: Machine) -> None:
    """Wait until a worker has run something: as long as all blocks are queued, then for start_timeout_s."""
    future, queued = submit(warm_up), time.monotonic()
    while True:
        try:
            return future.result(timeout=1)
        except FutureTimeout:
            if submit.queued():
                queued = time.monotonic()
            elif time.monotonic() - queued > machine.start_timeout_s:
                raise


def _wait_for_worker(submit: ParslSubmit, machine: Machine, path: Path) -> None:
    """Return once a worker has run something; a worker that never joins is an error, not a wait."""
    try:
        _first_answer(submit, machine)
    except Exception as error:  # no answer in time, or Parsl found that its block had ended
        late = f"no worker joined within {machine.start_timeout_s:g} s"
        why = late if isinstance(error, FutureTimeout) else f"no worker joined: {type(error).__name__}"
        said = _block_errors(path / "parsl")
        raise InputError(
            f"{why} (machine '{machine.name}'); its last words: {said or 'none'}. "
            f"See {path / 'parsl'} and `fusedtomo doctor`"
        ) from None


def _block_errors(folder: Path) -> str:
    """The last lines that the blocks of the newest Parsl run wrote to standard error."""
    files = sorted(folder.glob("*/submit_scripts/*.err*"), key=lambda file: file.stat().st_mtime)
    return files[-1].read_text(errors="replace").strip()[-500:] if files else ""


@contextmanager
def _stopping(campaign: Campaign) -> Iterator[None]:
    """The first SIGINT, SIGTERM or SIGUSR1 lets running trials end and stops; the second ends at once."""

    def stop(number, _frame):
        if campaign.stopping:
            raise KeyboardInterrupt
        campaign.stopping = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
