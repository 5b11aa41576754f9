"""How is a trial computed that one process or one GPU cannot hold? By several MPI ranks, started as a command.

The ranks are a process group of their own (``mpiexec -n 4 python -m workflows.trial.evaluate FILE``), which ends at
the trial's time limit and with the worker that started it.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from workflows.campaign import Trial
from workflows.record.journal import TrialResult
from workflows.trial.solver_process import (
    ATTEMPTS,
    Handling,
    UnfitWorker,
    end_group,
    ending,
    failure,
    last_lines,
    log_of,
    size_of,
    temporary_folder,
)
from workflows.trial.tether import tethered

_GRACE_S = 5.0  # a launcher that is asked to end takes its ranks on other nodes along
# what a launcher left in this worker's environment would make ranks of another launcher take part in its job
_OTHER_LAUNCHERS = ("PMI_", "PMIX_", "OMPI_", "PALS_", "HYDI_")


def evaluate_on_ranks(trial: Trial, how: Handling) -> TrialResult:
    """Return the trial's result; a launcher or a rank that is killed is tried again, then a failure with its reason.

    Raises:
        UnfitWorker: there is no such launcher here.
    """
    check_launcher(how)
    log = log_of(how.folder, os.getpid())
    began, start = time.monotonic(), size_of(log)
    for _ in range(ATTEMPTS):
        result = _attempt(trial, how, log)
        if isinstance(result, TrialResult):
            break
    else:
        result = failure(trial, f"{result} (in each of {ATTEMPTS} attempts)", how, _worker())
    if result.ok:
        return result
    seconds = result.seconds or round(time.monotonic() - began, 4)
    return replace(result, stderr=last_lines(log, start), seconds=seconds)


def check_launcher(how: Handling) -> None:
    """Raise UnfitWorker when ranks cannot be started here."""
    launcher = shlex.split(how.mpi_launch)[0]
    if shutil.which(launcher) is None:
        raise UnfitWorker(
            f"'{launcher}' is not in PATH on {socket.gethostname()}, and trials need {how.ranks} MPI ranks; "
            f"load an MPI in worker_init of the machine profile, or give another mpi_launch"
        )


def _attempt(trial: Trial, how: Handling, log: Path | None) -> TrialResult | str:
    """A result, or how the launcher ended without one."""
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
    with _trial_file(trial, how) as file, open(log or os.devnull, "ab") as errors:
        process = subprocess.Popen(
            tethered([*_launch(how), sys.executable, "-m", "workflows.trial.evaluate", str(file)]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**environment_of_ranks(), **temporary_folder(how.scratch)},
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=how.limit_s)
        except subprocess.TimeoutExpired:
            return failure(trial, f"time limit of {how.limit_s:g} s reached", how, _worker())
        finally:
            end_group(process, _GRACE_S)
            if process.stdout:
                process.stdout.close()
    return _result(said) or f"{how.mpi_launch.split()[0]} {ending(process.returncode)}"


def _result(said: bytes) -> TrialResult | None:
    """The first journal line among what the ranks printed."""
    for line in said.decode(errors="replace").splitlines():
        if line.startswith("{"):
            return TrialResult.from_line(line)
    return None


def _launch(how: Handling) -> list[str]:
    return shlex.split(how.mpi_launch.format(ranks=how.ranks))


def environment_of_ranks() -> dict[str, str]:
    """This worker's environment without what its own launcher left in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OTHER_LAUNCHERS)}


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def _trial_file(trial: Trial, how: Handling) -> Iterator[Path]:
    """The trial as a file in the run folder, which the ranks of all nodes see."""
    file = Path(how.folder) / f".trial-{socket.gethostname()}-{os.getpid()}.json"
    content = {
        "campaign": trial.config.model_dump(mode="json"),
        "condition": trial.condition.key,
        "trial": trial.number,
        "point": trial.point,
        "start": trial.start,
        "fidelity": trial.fidelity,
        "keep": trial.keep,
        "device": how.device,
    }
    file.write_text(json.dumps(content))
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
