"""When must a controller inside a batch job stop handing out trials? Before the job's walltime, by drain_min."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from workflows.machines.profile import Machine

_BEGAN = time.monotonic()  # imported as the process starts: what is left of a job is read at once after


@contextmanager
def deadline(machine: Machine) -> Iterator[None]:
    """Send this process SIGUSR1 when its time is up, as a scheduler does that is asked to; it then stops in order."""
    if machine.provider != "local" or not machine.walltime_min:
        yield
        return
    left_s = _BEGAN + 60 * (machine.walltime_min - machine.drain_min) - time.monotonic()
    timer = threading.Timer(max(0.0, left_s), os.kill, (os.getpid(), signal.SIGUSR1))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
