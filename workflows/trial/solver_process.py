"""How does a worker survive the trials that it computes? It leaves them to a child process that it may end.

The child keeps kernels and data from trial to trial. It is ended with its whole process group when a trial exceeds
its time limit, a kernel that kills it (out of memory) costs a trial and not a worker, and it dies with its worker.
What it prints goes to ``logs/<host>-<pid>.log`` of the run folder, the last lines also into a failed trial's result.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from fusedtomo.errors import InputError, NoRoom, is_full
from fusedtomo.placement import Device
from workflows.campaign import Trial
from workflows.record.journal import TrialResult
from workflows.trial.outcome import unfinished
from workflows.trial.own_gpu import own_gpu

ATTEMPTS = 2  # a child that was killed may have been killed for a neighbour's memory, or by a person
_START_S = 600.0  # a cold shared file system takes minutes to import numba on many nodes at once
_TRACEBACK_S = 0.3  # time to write the place where a hanging trial hangs
_STDERR_LINES, _STDERR_BYTES = 30, 4000
_SPOILT = ("MemoryError", "CUDA")  # reasons after which a process is not to be trusted with another trial


@dataclass(frozen=True)
class Handling:
    """How a worker evaluates trials; small, and the same for all trials of a run but for the ranks.

    Attributes:
        device: "cpu" or "gpu".
        limit_s: a trial that takes longer is ended and failed.
        folder: the run folder, as seen by all nodes; "" for none: nothing is logged then.
        scratch: folder for temporary files (TMPDIR); "" leaves it to the system.
        memory_gb: most memory that a process may allocate; 0: no limit. Not the device's.
        ranks: MPI ranks that share a trial; 1: a solver process computes it (workflows/trial/ranks.py for more).
        mpi_launch: the command that starts ``{ranks}`` ranks.
    """

    device: Device = "cpu"
    limit_s: float = 3600.0
    folder: str = ""
    scratch: str = ""
    memory_gb: float = 0.0
    ranks: int = 1
    mpi_launch: str = "mpiexec -n {ranks}"

    @property
    def longest_s(self) -> float:
        """More seconds than a trial takes from start to end, every attempt and start of a process included."""
        return ATTEMPTS * (self.limit_s + _START_S)


class UnfitWorker(InputError):
    """No trial can be computed here, whichever it is: that is no trial's failure."""


class FullWorker(UnfitWorker, NoRoom):
    """No trial can be computed here before there is room for its temporary files."""


class SolverProcess:
    """A child process that evaluates trials, started when the first one comes."""

    def __init__(self, how: Handling):
        self.how = how
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._pid = self._log_start = 0

    def evaluate(self, trial: Trial) -> TrialResult:
        """Return the trial's result; whatever the trial does to its process is a failed result with its reason.

        Raises:
            UnfitWorker: the child cannot be started here.
        """
        began = time.monotonic()
        for _ in range(ATTEMPTS):
            result = self._attempt(trial)
            if isinstance(result, TrialResult):
                break
        else:
            result = failure(trial, f"{result} (in each of {ATTEMPTS} attempts)", self.how, self.worker)
        if result.ok:
            return result
        said = last_lines(self.log, self._log_start)
        seconds = result.seconds or round(time.monotonic() - began, 4)
        if any(word in result.reason for word in _SPOILT):
            self.end()
        return replace(result, stderr=said, seconds=seconds)

    def start(self) -> None:
        """Start the child unless it runs; return when it can take a trial.

        Raises:
            UnfitWorker: it cannot be started here, with what it said.
        """
        if self._child is not None and self._child.poll() is None:
            return
        self.end()
        _, pipe = self._launch()
        try:
            if pipe.poll(_START_S):
                pipe.recv()
                return
            why = f"did not start within {_START_S:g} s"
        except (EOFError, OSError):
            why = self._ending()
        self.end()
        raise UnfitWorker(f"solver process on {socket.gethostname()} {why}: {last_lines(self.log, 0) or 'no words'}")

    def end(self) -> None:
        """End the child and everything that it started."""
        if self._child is not None:
            end_group(self._child)
        if self._pipe is not None:
            self._pipe.close()
        self._child = self._pipe = None

    @property
    def worker(self) -> str:
        """Host and process, as in a journal line."""
        return f"{socket.gethostname()}:{self._pid}"

    @property
    def log(self) -> Path | None:
        """Where the child's standard error goes."""
        return log_of(self.how.folder, self._pid)

    def _attempt(self, trial: Trial) -> TrialResult | str:
        """A result, or how the child was killed."""
        self.start()
        child, pipe = self._running()
        self._log_start = size_of(self.log)
        try:
            pipe.send(trial)
            if pipe.poll(self.how.limit_s):
                result: TrialResult = pipe.recv()
                return result
        except (EOFError, OSError):
            return self._ending()
        child.send_signal(signal.SIGUSR1)
        time.sleep(_TRACEBACK_S)
        self.end()
        return failure(trial, f"time limit of {self.how.limit_s:g} s reached", self.how, self.worker)

    def _running(self) -> tuple[subprocess.Popen[bytes], Connection]:
        assert self._child is not None  # between start and end
        assert self._pipe is not None
        return self._child, self._pipe

    def _launch(self) -> tuple[subprocess.Popen[bytes], Connection]:
        environment = {**own_gpu(os.environ), **temporary_folder(self.how.scratch)}
        self._pipe, theirs = Pipe()
        arguments = [os.getpid(), theirs.fileno(), self.how.device, self.how.memory_gb, self.how.folder]
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "workflows.trial.solver_child", *map(str, arguments)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        self._pid, self._log_start = self._child.pid, 0
        return self._running()

    def _ending(self) -> str:
        """How the child ended, as a reason; it is gone then."""
        child, _ = self._running()
        code = child.wait()
        self.end()
        return ending(code)


def end_group(process: subprocess.Popen[bytes], grace_s: float = 0.0) -> None:
    """End a process and all of its group; with a grace, ask first."""
    with suppress(ProcessLookupError):
        if grace_s:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ending(code: int) -> str:
    """A return code in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    likely = ", probably out of memory" if -code == signal.SIGKILL else ""
    return f"killed by signal {-code}{likely}"


def failure(trial: Trial, reason: str, how: Handling, worker: str) -> TrialResult:
    """The failed result of a trial that could not report itself."""
    return unfinished(trial, reason=reason, worker=worker, device=how.device, ranks=how.ranks)


def temporary_folder(scratch: str) -> dict[str, str]:
    """The environment that sends temporary files to the scratch folder, which is made; {} for none."""
    if not scratch:
        return {}
    probe = Path(scratch) / f".probe-{os.getpid()}"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        full = is_full(error)
        raise (FullWorker if full else UnfitWorker)(
            f"scratch '{scratch}' cannot be written on {socket.gethostname()} ({error.strerror}); "
            f"{'make room, or ' if full else ''}give another scratch in the machine profile"
        ) from None
    return {"TMPDIR": scratch}


def log_of(folder: str, pid: int) -> Path | None:
    """The log of a process that evaluates trials; None without a run folder."""
    return Path(folder) / "logs" / f"{socket.gethostname()}-{pid}.log" if folder else None


def size_of(path: Path | None) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size if path else 0
    except OSError:
        return 0


def last_lines(path: Path | None, start: int) -> str:
    """The last lines of a file behind a position; "" when there is nothing to read."""
    try:
        with open(path or os.devnull, "rb") as file:
            file.seek(max(start, size_of(path) - _STDERR_BYTES))
            text = file.read(_STDERR_BYTES).decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-_STDERR_LINES:])
