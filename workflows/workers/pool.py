"""Parsl's pool of workers, any of which may be killed at any moment.

``python -m workflows.workers.pool`` takes the arguments of Parsl's own ``process_worker_pool.py``.

Parsl's own workers wait for their next task with the lock held under which all of a pool read: one that is killed
while it waits takes the lock with it, and no other gets a task again. Here they wait without it.
"""

import runpy
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any


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


def main() -> None:
    """Become Parsl's pool."""
    from parsl.multiprocessing import SpawnContext

    setattr(SpawnContext, "Queue", lambda: PatientQueue(0, ctx=SpawnContext))  # noqa: B010  # it has another type
    runpy.run_module("parsl.executors.high_throughput.process_worker_pool", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    import workflows.workers.pool  # by its name, under which workers find PatientQueue

    workflows.workers.pool.main()
