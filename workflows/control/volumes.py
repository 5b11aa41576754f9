"""Which reconstructions does the report need? Workers make them after the search, on their devices, and keep them."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
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
    futures = {submit(run_trial, trial): trial for trial in trials}
    waiting = set(futures)
    with doing(console, "") as said:
        while waiting:
            said.update(f"reconstructing volumes for the report: {len(futures) - len(waiting)} of {len(futures)}")
            ended, waiting = wait(waiting, timeout=TICK_S)
            lost = [future for future in ended if future.exception()]
            if (waiting or lost) and (reason := broken()):  # what all workers lost is no failure of a reconstruction
                raise WorkersLost(reason)
            for future in ended:
                if why := _failure(future):
                    check_room(Path(futures[future].keep).parents[1])  # of the run folder
                    _tell(console, futures[future], why)


def _failure(future: Future[TrialResult]) -> str:
    if error := future.exception():
        return f"{type(error).__name__}: {error}"
    return future.result().reason


def _tell(console: Console, trial: Trial, why: str) -> None:
    said = f"warning: the reconstruction of {trial.condition.key} for the report failed: {why}"
    console.print(said, style="yellow", markup=False)
