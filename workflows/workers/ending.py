"""How does a process end that started Parsl? In bounded time, even where Parsl itself waits for ever."""

import os
import sys
import threading
from typing import Any, NoReturn

_CLEANUP_S = 30.0  # Parsl's own cleanup may wait for an answer for ever

_not_ended: list[Any] = []  # kernels whose threads would keep this process from ending by itself


def end(kernel: Any, in_haste: bool = False) -> bool:
    """End a kernel of Parsl and its interchanges within a bounded time; return whether nothing of it is left.

    Args:
        kernel: the DataFlowKernel.
        in_haste: its own cleanup is not waited for; nor is it where an interchange is gone, which it would ask.
    """
    interchanges = [executor.interchange_proc for executor in _executors(kernel) if executor.interchange_proc]
    lost = any(process.poll() is not None for process in interchanges)
    ended = not (in_haste or lost) and _cleaned_up(kernel)
    for process in interchanges:
        if process.poll() is None:
            process.kill()
    if not ended:
        _not_ended.append(kernel)
    return ended


def leave(code: int) -> NoReturn:
    """End this process; at once where a kernel could not be ended, for everything else is closed by then."""
    if _not_ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _cleaned_up(kernel: Any) -> bool:
    cleanup = threading.Thread(target=kernel.cleanup, daemon=True)
    cleanup.start()
    cleanup.join(_CLEANUP_S)
    return not cleanup.is_alive()


def _executors(kernel: Any) -> list[Any]:
    return [executor for executor in kernel.executors.values() if hasattr(executor, "interchange_proc")]
