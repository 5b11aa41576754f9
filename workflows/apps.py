"""The functions that Parsl runs on workers: plain, importable, wrapped once."""

import time
from concurrent.futures import Future

from workflows.evaluate import Trial, evaluate
from workflows.journal import TrialResult
from workflows.search import Asked, Proposal, propose


def run_trial(trial: Trial) -> TrialResult:
    """Evaluate a trial."""
    return evaluate(trial)


def run_proposal(asked: Asked) -> tuple[Proposal, float]:
    """Propose a point; return it with the seconds it took."""
    began = time.perf_counter()
    return propose(asked), time.perf_counter() - began


def warm_up() -> float:
    """Compile or load every kernel that a trial needs; return the seconds it took."""
    began = time.perf_counter()
    from workflows.warmup import run_everything_once

    run_everything_once()
    return time.perf_counter() - began


class ParslSubmit:
    """Submits functions to a loaded Parsl; each is wrapped as an app the first time it is seen."""

    def __init__(self, kernel):
        self._kernel, self._apps = kernel, {}

    def __call__(self, function, *arguments) -> Future:
        """Return the Future of function(*arguments) on a worker."""
        from parsl.app.app import python_app

        if function not in self._apps:
            self._apps[function] = python_app(function, data_flow_kernel=self._kernel)
        return self._apps[function](*arguments)

    def broken(self) -> str:
        """Why no task can end any more, such as a killed interchange, which Parsl itself does not notice; else ""."""
        executor = self._kernel.executors["trials"]
        if executor.bad_state_is_set:
            return f"{type(executor.executor_exception).__name__}: no block of workers is left"
        ended = executor.interchange_proc.poll()
        return "" if ended is None else f"Parsl's interchange ended with {ended}"
