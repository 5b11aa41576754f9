"""How are Parsl's workers started, watched and ended, so that no fault hangs a run or leaves a process behind?"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from fusedtomo.errors import InputError
from fusedtomo.files import check_room
from workflows.machines import Machine, parsl_config
from workflows.saying import doing
from workflows.trial.solver_process import Handling, UnfitWorker
from workflows.workers.apps import ALONE, ON_RANKS, ParslSubmit
from workflows.workers.blocks import Blocks
from workflows.workers.ending import CLEANUP_S, end
from workflows.workers.loading import load
from workflows.workers.lost import WorkersLost

Start = Callable[[Mapping[str, int]], AbstractContextManager[ParslSubmit]]  # of the ranks of trials, by condition

_LOOK_S = 0.2
_STOPPING_S = 3.0  # for Parsl's cleanup where a signal ends the run: a batch system kills soon


@contextmanager
def workers(
    machine: Machine, folder: Path, console: Console, ranks: Mapping[str, int] = MappingProxyType({})
) -> Iterator[ParslSubmit]:
    """Parsl with its workers, ready; ended with everything that it started, whatever happens inside.

    Args:
        machine: what is started.
        folder: the run folder that it is started for.
        console: told what happens.
        ranks: MPI ranks of the trials of a condition, by its key; 1 for others.
    """
    import parsl

    blocks = Blocks(folder)
    if left := blocks.end():
        console.print(f"ended {left} blocks of workers that were left of a controller that was killed")
    kernel, within_s = None, CLEANUP_S
    try:
        kernel = load(parsl_config(machine, folder / "parsl", kinds(ranks), blocks.note))
        submit = ParslSubmit(kernel, handling_of(machine, folder), ranks)
        with doing(console, f"starting {machine.n_workers} workers on {machine.name}") as said:
            _wait_for_worker(submit, machine, folder, said.update)
        yield submit
    except Exception:
        check_room(folder)  # on a full disk everything fails, and its own reason helps nobody
        raise
    except BaseException as asked:  # a second signal: nothing is waited for; a first one: not for long
        within_s = 0.0 if isinstance(asked, KeyboardInterrupt) else _STOPPING_S
        raise
    finally:
        try:
            if kernel is not None:
                end(kernel, within_s)
        finally:
            blocks.end()
            parsl.clear()


@contextmanager
def kept_workers(machine: Machine, folder: Path, console: Console) -> Iterator[Start]:
    """Workers for campaigns one after another: the first that has something to compute starts them.

    What a worker loaded for one campaign, such as kernels and the specimen, serves the next. Where a campaign needs
    workers of other kinds, those of the one before are ended. What workers log lies in `folder`.

    Args:
        machine: what is started.
        folder: that of all campaigns.
        console: told what happens.
    """
    there: dict[tuple[str, ...], ParslSubmit] = {}
    with ExitStack() as stack:

        @contextmanager
        def of(ranks: Mapping[str, int]) -> Iterator[ParslSubmit]:
            needed = kinds(ranks)
            if needed not in there:
                stack.close()
                there.clear()
                there[needed] = stack.enter_context(workers(machine, folder, console, ranks))
            yield there[needed].of(ranks)

        yield of


def kinds(ranks: Mapping[str, int]) -> tuple[str, ...]:
    """The kinds of workers that trials need, as labels of Parsl's executors."""
    needed = {ON_RANKS if n > 1 else ALONE for n in ranks.values()} or {ALONE}
    return tuple(sorted(needed, reverse=True))


def n_of(machine: Machine, kind: str) -> int:
    """How many workers of a kind a machine has at most; ranks are started by one worker a block."""
    return machine.max_blocks if kind == ON_RANKS else machine.n_workers


def handling_of(machine: Machine, folder: Path) -> Handling:
    """How the workers of a machine evaluate trials of a run."""
    return Handling(
        device=machine.device,
        limit_s=machine.trial_limit_s,
        folder=str(folder.resolve()),
        scratch=machine.scratch,
        memory_gb=machine.memory_limit_gb,
        mpi_launch=machine.mpi_launch,
    )


def _wait_for_worker(submit: ParslSubmit, machine: Machine, folder: Path, say: Callable[[str], None]) -> None:
    """Return once a worker can take a trial; one that never joins is an error, not a wait. Waiting in a queue is."""
    futures, waited = submit.prepared(), 0.0
    while not any(future.done() for future in futures):
        time.sleep(_LOOK_S)
        queued = submit.queued()
        waited += 0.0 if queued else _LOOK_S
        say(f"waiting in the queue of {machine.name}" if queued else f"starting workers on {machine.name}")
        if ended := submit.interchange_ended():
            raise WorkersLost(ended)
        if reason := submit.broken():
            raise _never_joined(f"no worker joined: {reason}", machine, folder)
        if waited > machine.start_timeout_s:
            raise _never_joined(f"no worker joined within {machine.start_timeout_s:g} s", machine, folder)
    error = next(future for future in futures if future.done()).exception()
    if isinstance(error, UnfitWorker):
        raise type(error)(f"{error} (machine '{machine.name}')") from None
    if error:
        raise _never_joined(f"no worker joined: {type(error).__name__}: {error}", machine, folder)


def _never_joined(why: str, machine: Machine, folder: Path) -> InputError:
    said = _block_errors(folder / "parsl")
    return InputError(
        f"{why} (machine '{machine.name}'); its last words: {said or 'none'}. "
        f"See {folder / 'parsl'} and `fusedtomo doctor`"
    )


def _block_errors(folder: Path) -> str:
    """The last lines that the blocks of the newest Parsl run wrote to standard error."""
    files = sorted(folder.glob("*/submit_scripts/*.err*"), key=lambda file: file.stat().st_mtime)
    return files[-1].read_text(errors="replace").strip()[-500:] if files else ""
