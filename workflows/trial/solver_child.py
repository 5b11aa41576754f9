"""The child that computes a worker's trials (solver_process.py): it evaluates what comes through a pipe."""

import faulthandler
import logging
import os
import resource
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, cast

from workflows.trial.solver_process import log_of
from workflows.trial.tether import tether

if TYPE_CHECKING:
    from fusedtomo.placement import Device  # imported when the log is open, so that the log has what fails


def main(parent: int, descriptor: int, device: "Device", memory_gb: float, folder: str) -> None:
    """Say that this process is ready, then answer each trial with its result until the pipe's other end is closed."""
    tether(parent)
    _log_to(log_of(folder, os.getpid()))
    _be_the_first_to_go()
    if memory_gb:
        resource.setrlimit(resource.RLIMIT_DATA, (round(memory_gb * 1e9),) * 2)
    # only now, so that the log has what fails here
    from fusedtomo.placement import placed
    from workflows.trial.evaluate import evaluate
    from workflows.trial.warmup import run_everything_once

    run_everything_once()
    place = placed(device)
    with Connection(descriptor) as pipe, suppress(EOFError):
        pipe.send("ready")
        while True:
            pipe.send(evaluate(pipe.recv(), place))


def _log_to(path: Path | None) -> None:
    """Send what this process prints to its log; SIGUSR1 adds where it is."""
    if path:
        with suppress(OSError):  # a full disk must not cost the trial
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)


def _be_the_first_to_go() -> None:
    """When memory runs out, the kernel shall take this process, not its worker."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), cast("Device", sys.argv[3]), float(sys.argv[4]), sys.argv[5])
