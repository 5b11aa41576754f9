"""How does a process end that started Parsl? In bounded time, even where Parsl itself waits for ever."""

import os
import sys
import threading
from collections.abc import Iterable
from typing import Any, NoReturn

CLEANUP_S = 30.0  # Parsl's own cleanup may wait for an answer for ever

_not_ended: list[Any] = []  # executors whose threads would keep this process from ending by itself


def end(kernel: Any, within_s: float = CLEANUP_S) -> bool:
    """End a kernel of Parsl and its interchanges within a bounded time; return whether nothing of it is left.

    Args:
        kernel: the DataFlowKernel.
        within_s: how long its own cleanup is waited for; not at all where an interchange is gone, which it would ask.
    """
    executors = list(kernel.executors.values())
    lost = any(process.poll() is not None for process in _interchanges(executors))
    if not lost and _cleaned_up(kernel, within_s):
        return True
    abandon(executors)
    return False


def abandon(executors: Iterable[Any]) -> None:
    """End the interchanges of executors, and Parsl's other processes here; `leave` does not wait for their threads."""
    import multiprocessing  # which commands without workers, all of which `leave`, need not load

    for process in _interchanges(executors):
        if process.poll() is None:
            process.kill()
    for helper in multiprocessing.active_children():  # those of Parsl's monitoring
        helper.kill()
    _not_ended.extend(executors)


def leave(code: int) -> NoReturn:
    """End this process; at once where one could not be ended, for everything else is closed by then."""
    if _not_ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _cleaned_up(kernel: Any, within_s: float) -> bool:
    if not within_s:
        return False
    cleanup = threading.Thread(target=kernel.cleanup, daemon=True)
    cleanup.start()
    cleanup.join(within_s)
    return not cleanup.is_alive()


def _interchanges(executors: Iterable[Any]) -> list[Any]:
    return [one.interchange_proc for one in executors if getattr(one, "interchange_proc", None)]
