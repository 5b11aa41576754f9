"""The whole examination: this process first, then every worker that a machine gives, then a trial on one of them."""

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from fusedtomo.errors import InputError
from workflows.batch.plan import predict, work
from workflows.campaign import load_campaign
from workflows.doctor import compare, here
from workflows.doctor.check import LIMIT_S, Check, Unfit, run
from workflows.doctor.there import Assignment, Seen, hello_ranks, look_around
from workflows.machines import CONFIGS, Machine, Wishes, load_machine, settled
from workflows.trial.evaluate import Trial
from workflows.watch.panel import duration
from workflows.workers.apps import run_trial
from workflows.workers.start import workers

_HOLD_S = 2.0  # a worker that has answered waits, so that the next one gets the next question
_ROUNDS = 3
_QUEUE_S = 3600.0  # longest wait for a batch job
_RANKS = 2
_AS_IT_IS = Wishes()
_QUICKSTART = CONFIGS / "campaigns" / "quickstart.toml"


def examine(console: Console, machine_name: str, wishes: Wishes = _AS_IT_IS) -> bool:
    """Run every check of a machine; return whether all that matter passed."""
    machine = settled(wishes.applied(load_machine(machine_name))).changed("doctor", trial_limit_s=LIMIT_S)
    if machine.provider != "local":
        machine.complete()
    passed = [run(console, check) for check in here.checks(machine)]
    if all(passed):
        passed += _workers(console, machine)
    else:
        console.print("  workers are not started before this is mended")
    console.print("[green]ready[/green]" if all(passed) else "[red]not ready[/red]: see above")
    return all(passed)


def _workers(console: Console, machine: Machine) -> list[bool]:
    """Start the machine's workers and check them."""
    limit_s = machine.start_timeout_s + 10 * LIMIT_S + (0 if machine.provider == "local" else _QUEUE_S)
    with _no_longer_than(limit_s) as late, _folder() as folder:
        try:
            with workers(machine, folder, Console(stderr=True)) as submit:  # stdout is for the checks
                return [run(console, check) for check in _checks(submit, machine, folder)]
        except InputError as error:
            reason = str(error)
        except KeyboardInterrupt:
            if not late.is_set():
                raise
            reason = f"no end after {duration(limit_s)}: a full queue, or workers that hang; see Parsl's logs"
    return [run(console, Check("workers", lambda: _raise(reason)))]


def _raise(reason: str) -> str:
    raise Unfit(reason)


def _checks(submit: Callable, machine: Machine, folder: Path) -> Iterator[Check]:
    seen = _everywhere(submit, machine, folder)
    yield Check("workers", lambda: compare.answered(seen, machine))
    if seen:
        yield Check("interpreters", lambda: compare.interpreter(seen))
        yield Check("versions on workers", lambda: compare.packages(seen))
        yield Check("shared folder", lambda: compare.run_folder(seen))
        yield Check("scratch", lambda: compare.scratch(seen))
        yield Check("devices", lambda: compare.devices(seen, machine))
        yield Check("MPI", lambda: _mpi(submit, machine), matters=machine.ranks > 1, limit_s=2 * LIMIT_S)
        yield Check("trial", lambda: _trial(submit, machine), limit_s=3 * LIMIT_S)


def _everywhere(submit: Callable, machine: Machine, folder: Path) -> list[Seen]:
    """What every worker sees; a slow node may join late, so the question is asked again for those that lack."""
    (folder / "token").touch()
    asked = Assignment(str((folder / "token").absolute()), machine.scratch, machine.device, _HOLD_S)
    found: dict[tuple[str, int], Seen] = {}
    for _ in range(_ROUNDS):
        done, _ = wait([submit(look_around, asked) for _ in range(machine.n_workers)], timeout=LIMIT_S)
        answers = [future.result() for future in done if not future.exception()]
        found |= {(one.host, one.pid): one for one in answers}
        if len(found) >= machine.n_workers:
            break
    return list(found.values())


def _mpi(submit: Callable, machine: Machine) -> str:
    launch, n = machine.mpi_launch, _RANKS
    said, words = submit(hello_ranks, launch, n, LIMIT_S).result(timeout=2 * LIMIT_S)
    used = "" if machine.ranks > 1 else " (this profile gives each trial one rank)"
    return compare.ranks(said, words, launch.format(ranks=n), n) + used


def _trial(submit: Callable, machine: Machine) -> str:
    """A trial of the quickstart, the second one of a worker: the first one waits for kernels."""
    config = load_campaign(_QUICKSTART)
    condition = config.cells(config.methods[0])[-1]
    trials = [Trial(config, condition, number, {}) for number in range(2)]
    try:
        results = [submit(run_trial, trial).result(timeout=1.5 * LIMIT_S) for trial in trials]
    except FutureTimeout:
        raise Unfit(f"no answer within {1.5 * LIMIT_S:g} s; is the node overloaded?") from None
    if failed := [result for result in results if not result.ok]:
        raise Unfit(f"{failed[0].reason} on {failed[0].worker}; mend that, or give the profile another device")
    seconds = results[-1].seconds
    plan = predict(config, machine, seconds / work(config, condition))
    size = config.phantom.size
    return (
        f"{size}^3 voxels, {condition.words}, in "
        f"{seconds:.2g} s on {results[-1].device}; the quickstart's {plan.trials} trials in about "
        f"{duration(plan.seconds)} on {plan.workers} workers"
    )


@contextmanager
def _folder() -> Iterator[Path]:
    """A run folder for the workers, where the user's would be: nodes may share it, and no system's /tmp."""
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=Path.cwd(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _no_longer_than(seconds: float) -> Iterator[threading.Event]:
    """Interrupt the block as Ctrl-C would, so that its batch jobs are cancelled; end this process where that hangs.

    Yields whether it did: Parsl may wait for an answer for ever.
    """
    late = threading.Event()

    def interrupt() -> None:
        late.set()
        os.kill(os.getpid(), signal.SIGINT)

    timers = threading.Timer(seconds, interrupt), threading.Timer(seconds + LIMIT_S, os._exit, [1])
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield late
    finally:
        for timer in timers:
            timer.cancel()
