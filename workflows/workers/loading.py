"""How is Parsl loaded, so that an interchange that ends at its start ends the run at once?

Parsl would wait for its answer for two minutes.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from workflows.workers.ending import abandon
from workflows.workers.lost import WorkersLost

if TYPE_CHECKING:
    from parsl.config import Config

_LOOK_S = 0.2


def load(config: "Config") -> Any:
    """Return Parsl's kernel.

    Raises:
        WorkersLost: an interchange ended, or did not answer.
    """
    loaded: Future[Any] = Future()
    threading.Thread(target=_load, args=(config, loaded), name="parsl", daemon=True).start()
    try:
        while not wait([loaded], timeout=_LOOK_S).done:
            _check(config.executors)
        return _kernel(loaded, config.executors)
    except BaseException:
        abandon(config.executors)
        raise


def _load(config: "Config", loaded: Future[Any]) -> None:
    """Load, and stay: the kernel ends an interchange together with the thread that started it (setpriv --pdeathsig)."""
    import parsl

    try:
        loaded.set_result(parsl.load(config))
    except BaseException as error:
        loaded.set_exception(error)
    threading.Event().wait()


def _kernel(loaded: Future[Any], executors: Sequence[Any]) -> Any:
    try:
        return loaded.result()
    except OSError:
        _check(executors)  # one that ended no longer reads what it is sent
        raise
    except Exception as error:
        _check(executors)
        if any(executor.interchange_proc for executor in executors):
            raise WorkersLost(str(error)) from error
        raise


def _check(executors: Sequence[Any]) -> None:
    if reason := interchange_ended(executors):
        raise WorkersLost(reason)


def interchange_ended(executors: Sequence[Any]) -> str:
    """How an interchange ended, which Parsl itself does not notice; "" while all run."""
    for executor in executors:
        process = executor.interchange_proc
        if process is not None and process.poll() is not None:
            return f"Parsl's interchange ended with {process.returncode}"
    return ""
