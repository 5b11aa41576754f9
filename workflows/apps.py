"""The functions that Parsl runs on workers: plain, importable, wrapped once."""

import logging
import os
import pickle
import time
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from workflows.campaign import Trial
from workflows.journal import TrialResult
from workflows.search import Asked, Proposal, propose
from workflows.solver_process import How, SolverProcess, UnfitWorker
from workflows.tether import tether

_UNFIT_S = 5.0  # a worker that can do nothing would take every trial from those that can

# loggers that would write lines for every task
_PARSL_LOGS = {"parsl": logging.INFO, "parsl.dataflow.dflow": logging.WARNING}


class _Solver:
    """The one solver process of this worker."""

    process: SolverProcess | None = None


def run_trial(trial: Trial, how: How) -> TrialResult:
    """Evaluate a trial in this worker's solver process; what the journal could not take, such as a NaN, is an error."""
    try:
        result = _solver(how).evaluate(trial)
    except UnfitWorker:
        time.sleep(_UNFIT_S)
        raise
    result.line()
    return result


def prepare_worker(how: How) -> float:
    """Start this worker's solver process; return the seconds it took."""
    began = time.perf_counter()
    _solver(how).start()
    return time.perf_counter() - began


def _solver(how: How) -> SolverProcess:
    if "PARSL_WORKER_RANK" in os.environ:
        tether(os.getppid())  # a worker of a pool that was killed would compute its trial to the end
    if _Solver.process is None or _Solver.process.how != how:
        if _Solver.process is not None:
            _Solver.process.end()
        _Solver.process = SolverProcess(how)
    return _Solver.process


def run_proposal(asked: Asked) -> Proposal:
    """Propose a point and say how long it took."""
    began = time.perf_counter()
    proposal = propose(asked)
    return replace(proposal, seconds=time.perf_counter() - began)


def warm_up() -> float:
    """Compile or load every kernel that a trial needs; return the seconds it took."""
    began = time.perf_counter()
    from workflows.warmup import run_everything_once

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

    def __init__(self, kernel, how: How):
        from parsl.app.app import python_app

        self.how = how
        self._kernel, self._call = kernel, python_app(call, data_flow_kernel=kernel)
        for name, level in _PARSL_LOGS.items():
            logging.getLogger(name).setLevel(level)

    def __call__(self, function, *arguments) -> Future:
        """Return the Future of function(*arguments) on a worker; a trial is told how, too."""
        how = (self.how,) if function is run_trial else ()
        return self._call(pickle.dumps((function, (*arguments, *how))))

    def broken(self) -> str:
        """Why no task can end any more, such as a killed interchange, which Parsl itself does not notice; else ""."""
        executor = self._kernel.executors["trials"]
        if executor.bad_state_is_set:
            return str(executor.executor_exception)
        ended = executor.interchange_proc.poll()
        return "" if ended is None else f"Parsl's interchange ended with {ended}"

    def queued(self) -> bool:
        """Whether every block of workers that has not ended waits in the scheduler's queue."""
        from parsl.jobs.states import JobState

        states = [state for state in self._kernel.executors["trials"].status_facade.values() if not state.terminal]
        return bool(states) and all(state.state == JobState.PENDING for state in states)
