"""Parsl's pool of workers, any process of which may be killed at any moment.

``python -m workflows.workers.pool`` takes the arguments of Parsl's own ``process_worker_pool.py``.

Parsl's own workers wait for their next task with the lock held under which all of a pool read: one that is killed
while it waits takes the lock with it, and no other gets a task again. Here they wait without it.

Parsl's own pool lives on without its helper, the process that keeps the list of tasks under way, and without any of its
threads, such as the one that speaks to the interchange. Here it ends then: its block is replaced, and its trials are
given back.
"""

import os
import runpy
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from multiprocessing.managers import SyncManager
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from queue import Empty
from types import ModuleType
from typing import Any

from workflows.trial.tether import tether

_LOOK_S = 1.0
_JOIN_S = 120.0  # after which all threads of a pool run, or have run
_GRACE_S = 10.0  # for a pool that ends in order, beyond which it is ended
_ANSWER_S = 60.0  # for an interchange that thousands of pools join at once
_SPEAKER = "Interchange-Communicator"  # Parsl's name of the thread


class PatientQueue(Queue):  # type: ignore[type-arg]  # it is generic in its stubs alone
    """A queue whose readers hold its lock for the moment of reading alone."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """As of any queue."""
        while True:
            if block and not self._poll(timeout):  # type: ignore[attr-defined]  # of multiprocessing, not of its stubs
                raise Empty
            try:
                return super().get(block=False)
            except Empty:  # another reader was faster
                if not block or timeout is not None:
                    raise


def helper(context: Any) -> SyncManager:
    """The helper, watched from now on; it ends with this process.

    Its socket has a name and no file: one in TMPDIR would stay there when it is killed. Who connects must know its key.
    """
    before = set(active_children())
    manager = SyncManager(address=f"\0fusedtomo-{secrets.token_hex(16)}", ctx=context)
    with _without_program():
        manager.start(tether, (os.getpid(),))
    (process,) = set(active_children()) - before
    threading.Thread(target=_watch, args=(process,), name="watch", daemon=True).start()
    return manager


@contextmanager
def _without_program() -> Iterator[None]:
    """A process that is spawned inside imports nothing of this one's program: Parsl takes it a second."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # it names neither a file nor a module to import
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def _watch(process: BaseProcess) -> None:
    """End this pool at once when its helper is lost, and a while after its work has ended, if it is still there."""
    began = time.monotonic()
    while (
        process.is_alive() and threading.main_thread().is_alive() and (_speaks() or time.monotonic() < began + _JOIN_S)
    ):
        time.sleep(_LOOK_S)
    if process.is_alive() or not _speaks():
        time.sleep(_GRACE_S)
    os._exit(1)


def _speaks() -> bool:
    return any(thread.name == _SPEAKER for thread in threading.enumerate())


def _end_with(failed: threading.ExceptHookArgs) -> None:
    """End this pool with any of its threads."""
    threading.__excepthook__(failed)
    os._exit(1)


def answered_in_time(make_socket: Callable[..., Any]) -> Callable[..., Any]:
    """What makes sockets, so that an interchange that is gone is not waited for for ever."""
    from zmq import RCVTIMEO

    def make(*arguments: Any, **options: Any) -> Any:
        socket = make_socket(*arguments, **options)
        socket.setsockopt(RCVTIMEO, round(1000 * _ANSWER_S))
        return socket

    return make


def main() -> None:
    """Become Parsl's pool."""
    from parsl.curvezmq import ClientContext
    from parsl.multiprocessing import SpawnContext

    setattr(SpawnContext, "Queue", lambda: PatientQueue(0, ctx=SpawnContext))  # noqa: B010  # it has another type
    setattr(SpawnContext, "Manager", lambda: helper(SpawnContext))  # noqa: B010
    setattr(ClientContext, "socket", answered_in_time(ClientContext.socket))  # noqa: B010
    threading.excepthook = _end_with
    runpy.run_module("parsl.executors.high_throughput.process_worker_pool", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    import workflows.workers.pool  # by its name, under which workers find PatientQueue

    workflows.workers.pool.main()
