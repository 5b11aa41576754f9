"""What does a worker see where it runs? Run there; the answer travels back as plain values."""

import os
import platform
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fusedtomo.errors import InputError
from workflows.doctor.here import Disk, disk, versions
from workflows.trial.ranks import environment_of_ranks

_SCRATCH_MB = 16
_HELLO = "from mpi4py import MPI; c = MPI.COMM_WORLD; print(f'rank {c.rank}/{c.size}', flush=True)"
_RANK = re.compile(r"rank (\d+/\d+)")
_DEVICES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")


@dataclass(frozen=True)
class Assignment:
    """What a worker is to look at.

    Attributes:
        token: a file that the controller wrote into the run folder.
        scratch: the folder of temporary files; "" for the system's.
        device: "cpu" or "gpu".
        hold_s: how long it keeps the worker, so that every worker gets one of these tasks.
    """

    token: str
    scratch: str
    device: str
    hold_s: float


@dataclass(frozen=True)
class Seen:
    """What a worker saw.

    Attributes:
        host, pid: the worker.
        python: version of its interpreter.
        versions: of its packages.
        cores: how many it may use.
        visible: the variable that shows it its GPUs, "" without one.
        gpus: (uuid, name) of each GPU that it can use.
        sees_run_folder: whether the controller's file is there.
        scratch: its folder for temporary files; `disk` what that has, None where it is not fit, for the reason `why`.
    """

    host: str
    pid: int
    python: str
    versions: dict[str, str]
    cores: int
    visible: str
    gpus: tuple[tuple[str, str], ...]
    sees_run_folder: bool
    scratch: str
    disk: Disk | None
    why: str


def look_around(asked: Assignment) -> Seen:
    """Look, and keep the worker until `hold_s` have passed."""
    end = time.monotonic() + asked.hold_s
    scratch = Path(asked.scratch or tempfile.gettempdir())
    visible = [f"{name}={os.environ[name]}" for name in _DEVICES if os.environ.get(name)]
    seen = Seen(
        socket.gethostname(),
        os.getpid(),
        platform.python_version(),
        versions(),
        len(os.sched_getaffinity(0)),
        " ".join(visible),
        gpus() if asked.device == "gpu" else (),
        Path(asked.token).exists(),
        str(scratch),
        *_scratch(scratch),
    )
    time.sleep(max(0.0, end - time.monotonic()))
    return seen


def _scratch(folder: Path) -> tuple[Disk | None, str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return disk(folder, _SCRATCH_MB), ""
    except OSError as error:
        return None, f"{folder} cannot be made ({error.strerror})"
    except InputError as error:
        return None, str(error)


def gpus() -> tuple[tuple[str, str], ...]:
    """(uuid, name) of the GPUs that this process can compute on, by CuPy; without it by nvidia-smi."""
    try:
        from cupy.cuda import runtime

        devices = [runtime.getDeviceProperties(number) for number in range(runtime.getDeviceCount())]
    except Exception:  # no CuPy, no driver, no device: each has an error of its own
        return _by_nvidia_smi()
    return tuple((_uuid(device), device["name"].decode()) for device in devices)


def _uuid(properties: dict) -> str:
    """The GPU's own number; without one its place on the bus."""
    if raw := properties.get("uuid"):
        return bytes(raw).hex()
    return "bus " + ":".join(str(properties.get(name, "?")) for name in ("pciDomainID", "pciBusID", "pciDeviceID"))


def _by_nvidia_smi() -> tuple[tuple[str, str], ...]:
    command = ["nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader"]
    if shutil.which(command[0]) is None:
        return ()
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.count(",") == 2]
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    mine = None if shown is None else shown.split(",")
    return tuple((uuid, name) for index, uuid, name in rows if mine is None or {index, uuid} & set(mine))


def hello_ranks(launch: str, ranks: int, limit_s: float) -> tuple[list[str], str]:
    """Start a program of so many ranks as a trial is started; return what each said of itself, and all other words."""
    command = [*shlex.split(launch.format(ranks=ranks)), sys.executable, "-c", _HELLO]
    try:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment_of_ranks(),
            start_new_session=True,
        )
    except OSError as error:
        return [], f"{command[0]}: {error.strerror}"
    try:
        words, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return [], f"no answer within {limit_s:g} s"
    said = sorted(_RANK.findall(words))  # ranks may write at once, into one line
    return said, " ".join(_RANK.sub("", words).split())[-300:]
