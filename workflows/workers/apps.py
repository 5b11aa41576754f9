"""The functions that Parsl runs on workers: plain, importable, wrapped once."""

import logging
import os
import pickle
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from copy import copy
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from workflows.campaign import Trial
from workflows.record.journal import TrialResult
from workflows.search.propose import Asked, Proposal, propose
from workflows.trial.ranks import check_launcher, evaluate_on_ranks
from workflows.trial.solver_process import Handling, SolverProcess, UnfitWorker
from workflows.trial.tether import tether
from workflows.workers.loading import interchange_ended

# labels of Parsl's executors: workers that compute a trial each, and workers that start the ranks of one
ALONE, ON_RANKS = "trials", "ranks"
_UNFIT_S = 5.0  # a worker that can do nothing would take every trial from those that can

_LOG_OF_TASKS = "parsl.dataflow.dflow"  # the logger that would write lines for every task


class _Solver:
    """The one solver process of this worker."""

    process: SolverProcess | None = None


def run_trial(trial: Trial, how: Handling) -> TrialResult:
    """Evaluate a trial; what the journal could not take, such as a NaN, is an error."""
    try:
        result = _on_ranks(trial, how) if how.ranks > 1 else _solver(how).evaluate(trial)
    except UnfitWorker:
        time.sleep(_UNFIT_S)
        raise
    result.line()
    return result


def prepare_worker(how: Handling) -> float:
    """Make this worker ready for trials; return the seconds it took."""
    began = time.perf_counter()
    if how.ranks > 1:
        check_launcher(how)
    else:
        _solver(how).start()
    return time.perf_counter() - began


def _on_ranks(trial: Trial, how: Handling) -> TrialResult:
    _end_solver()  # that of a trial of a slab holds memory, of a GPU too, which the ranks need
    return evaluate_on_ranks(trial, how)


def _solver(how: Handling) -> SolverProcess:
    if "PARSL_WORKER_RANK" in os.environ:
        tether(os.getppid())  # a worker of a pool that was killed would compute its trial to the end
    if _Solver.process is None or _Solver.process.how != how:
        _end_solver()
        _Solver.process = SolverProcess(how)
    return _Solver.process


def _end_solver() -> None:
    if _Solver.process is not None:
        _Solver.process.end()
    _Solver.process = None


def run_proposal(asked: Asked) -> Proposal:
    """Propose a point and say how long it took."""
    began = time.perf_counter()
    proposal = propose(asked)
    return replace(proposal, seconds=time.perf_counter() - began)


def warm_up() -> float:
    """Compile or load every kernel that a trial needs; return the seconds it took."""
    began = time.perf_counter()
    from workflows.trial.warmup import run_everything_once

    run_everything_once()
    return time.perf_counter() - began


def call(pickled: bytes) -> Any:
    """Call what `ParslSubmit` packed."""
    function, arguments = pickle.loads(pickled)
    return function(*arguments)


class ParslSubmit:
    """Submits functions to a loaded Parsl.

    Parsl would pickle every argument in Python, and write a dozen lines a task into its log: together some 4 ms of the
    controller for each. So the arguments travel as bytes, and its log keeps what concerns blocks and workers.
    """

    def __init__(self, kernel: Any, how: Handling, ranks: Mapping[str, int] = MappingProxyType({})):
        from parsl.app.app import python_app

        self._how, self._ranks, self._heard = how, ranks, time.monotonic()
        self._executors = {label: kernel.executors[label] for label in (ALONE, ON_RANKS) if label in kernel.executors}
        self._calls = {label: python_app(call, data_flow_kernel=kernel, executors=[label]) for label in self._executors}
        logging.getLogger(_LOG_OF_TASKS).setLevel(logging.WARNING)

    def of(self, ranks: Mapping[str, int]) -> "ParslSubmit":
        """The same workers, for trials that have other ranks."""
        other = copy(self)
        other._ranks = ranks
        return other

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Return the Future of function(*arguments) on a worker; a trial is told how, too."""
        label = next(iter(self._calls))  # ALONE where there are such workers: others may do the same
        if function is run_trial:
            how = replace(self._how, ranks=self._ranks_of(arguments[0]))
            arguments = (*arguments, how)
            label = ON_RANKS if how.ranks > 1 else label
        self._heard = time.monotonic()
        future: Future[Any] = self._calls[label](pickle.dumps((function, arguments)))
        future.add_done_callback(self._hear)
        return future

    def _ranks_of(self, trial: Trial) -> int:
        """MPI ranks of a trial; a slab of the problem fits one process."""
        return self._ranks.get(trial.condition.key, 1) if trial.fidelity == 1 else 1

    def _hear(self, _future: Future[Any]) -> None:
        self._heard = time.monotonic()

    def prepared(self) -> list[Future[float]]:
        """A worker of each kind made ready."""
        most = max(self._ranks.values(), default=1)
        hows = {ALONE: replace(self._how, ranks=1), ON_RANKS: replace(self._how, ranks=most)}
        return [call_(pickle.dumps((prepare_worker, (hows[label],)))) for label, call_ in self._calls.items()]

    def broken(self) -> str:
        """Why no task can end any more, such as a killed interchange, which Parsl itself does not notice; else "".

        To be asked while tasks are out: then a long silence is such a reason, whatever Parsl lost on the way.
        """
        for executor in self._executors.values():
            if executor.bad_state_is_set:
                return str(executor.executor_exception)
        return self.interchange_ended() or self._silence()

    def interchange_ended(self) -> str:
        """How an interchange ended; "" while all run."""
        return interchange_ended(list(self._executors.values()))

    def _silence(self) -> str:
        """Of tasks out for longer than any may take, which workers that wait for a queue do not break."""
        if time.monotonic() - self._heard < self._how.longest_s:
            return ""
        if self.queued():
            self._heard = time.monotonic()
            return ""
        return f"none has answered for {self._how.longest_s:.0f} s, and no trial may take so long"

    def queued(self) -> bool:
        """Whether every block of workers that has not ended waits in the scheduler's queue."""
        from parsl.jobs.states import JobState

        blocks = [state for executor in self._executors.values() for state in executor.status_facade.values()]
        states = [state for state in blocks if not state.terminal]
        return bool(states) and all(state.state == JobState.PENDING for state in states)
