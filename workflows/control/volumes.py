"""Which reconstructions does the report need? Workers make them after the search, on their devices, and keep them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path

from rich.console import Console

from fusedtomo.files import check_room
from workflows.campaign import Trial
from workflows.control.steer import TICK_S, Submit
from workflows.record.journal import TrialResult
from workflows.saying import doing
from workflows.workers.apps import run_trial
from workflows.workers.lost import WorkersLost


def make_volumes(
    trials: Sequence[Trial], submit: Submit, console: Console, broken: Callable[[], str] = lambda: ""
) -> None:
    """Have workers compute trials again and keep what they reconstruct; a failure is told and costs a figure alone.

    Raises:
        WorkersLost: no worker can answer any more; the same command goes on.
        NoRoom: the disk is full.
    """
    for trial, _, why in computed(trials, submit, console, "reconstructing volumes for the report", broken):
        if why:
            tell_failure(console, trial, "for the report", why)


def computed(
    trials: Sequence[Trial], submit: Submit, console: Console, words: str, broken: Callable[[], str] = lambda: ""
) -> Iterator[tuple[Trial, TrialResult | None, str]]:
    """Have workers compute trials that may keep their reconstructions; each as it ends, without a result if it failed.

    Args:
        trials: each with a file of a run folder that takes its reconstruction, or without one.
        submit: hands a trial to a worker.
        console: told how many are done.
        words: what is being done.
        broken: says why no worker can answer any more, "" as long as one can.

    Raises:
        WorkersLost, NoRoom: as of `make_volumes`.
    """
    futures = {submit(run_trial, trial): trial for trial in trials}
    waiting = set(futures)
    with doing(console, "") as said:
        while waiting:
            said.update(f"{words}: {len(futures) - len(waiting)} of {len(futures)}")
            ended, waiting = wait(waiting, TICK_S, FIRST_COMPLETED)
            lost = [future for future in ended if future.exception()]
            if (waiting or lost) and (reason := broken()):  # what all workers lost is no failure of a reconstruction
                raise WorkersLost(reason)
            for future in ended:
                if (why := _failure(future)) and futures[future].keep:
                    check_room(Path(futures[future].keep).parents[1])  # of the run folder
                yield futures[future], None if why else future.result(), why


def _failure(future: Future[TrialResult]) -> str:
    if error := future.exception():
        return f"{type(error).__name__}: {error}"
    return future.result().reason


def tell_failure(console: Console, trial: Trial, of: str, why: str) -> None:
    """Warn of a reconstruction that failed."""
    said = f"warning: the reconstruction of {trial.condition.key} {of} failed: {why}"
    console.print(said, style="yellow", markup=False)
