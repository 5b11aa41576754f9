"""What can be checked in this process: interpreter, packages, kernels, the run folder's disk, the network."""

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import fusedtomo
from workflows.control.provenance import processor
from workflows.doctor.check import Check, Unfit
from workflows.machines import Machine
from workflows.machines.network import LOOPBACK, address_of

# by the names of their distributions
REQUIRED = (
    "numpy",
    "scipy",
    "numba",
    "h5py",
    "pydantic",
    "scikit-optimize",
    "scikit-learn",
    "parsl",
    "typer",
    "rich",
    "matplotlib",
)
OPTIONAL = ("cupy-cuda12x", "cupy-cuda13x", "mpi4py", "astra-toolbox")
_MB = 32
_LEAST_GB = 1.0


def checks(machine: Machine) -> Iterator[Check]:
    """Those that need no worker."""
    yield Check("python", lambda: f"{sys.version.split()[0]}, fusedtomo {fusedtomo.__version__}, {sys.executable}")
    yield Check("host", lambda: f"{processor()}, {len(os.sched_getaffinity(0))} usable cores, {_memory_gb():.1f} GB")
    yield Check("packages", _packages)
    yield Check("kernels", _kernels, limit_s=300)
    yield Check("run folder's disk", lambda: str(disk(Path.cwd())))
    yield Check("journal", _journal)
    yield Check("network", lambda: _network(machine))


def versions() -> dict[str, str]:
    """Installed version of every package that a result depends on, optional ones included."""
    found = {}
    for name in (*REQUIRED, *OPTIONAL):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found | {"fusedtomo": fusedtomo.__version__}


@dataclass(frozen=True)
class Disk:
    """What a folder's disk has left, and how fast it takes what is written and flushed."""

    free_gb: float
    mb_per_s: float

    def __str__(self) -> str:
        return f"{self.free_gb:.0f} GB free, {self.mb_per_s:.0f} MB/s flushed to disk"


def disk(folder: Path, mb: int = _MB) -> Disk:
    """Free space and write speed of a folder's disk, by writing so many MB.

    Raises:
        Unfit: it cannot be written, or is nearly full.
    """
    try:
        seconds = _write(folder, mb)
    except OSError as error:
        raise Unfit(f"{folder} cannot be written ({error.strerror}); choose another folder") from None
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < _LEAST_GB:
        raise Unfit(f"{folder} has {free_gb:.2f} GB left; make room or choose another folder")
    return Disk(free_gb, mb / seconds)


def _write(folder: Path, mb: int) -> float:
    block = b"\0" * (1 << 20)
    with tempfile.TemporaryFile(dir=folder) as file:
        began = time.perf_counter()
        for _ in range(mb):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return time.perf_counter() - began


def _packages() -> str:
    found = versions()
    if missing := [name for name in REQUIRED if name not in found]:
        raise Unfit(f"{', '.join(missing)} not installed; pip install fusedtomo in this environment again")
    return ", ".join(f"{name} {number}" for name, number in found.items() if name != "fusedtomo")


def _kernels() -> str:
    from workflows.workers.apps import warm_up

    compiled, cached = warm_up(), warm_up()
    return f"ready in {compiled:.1f} s, a 16^3 trial takes {cached * 1e3:.0f} ms"


def _journal() -> str:
    """A trial's line must reach the disk before the next one is written."""
    lines, line = 8, b"x" * 1000
    with tempfile.TemporaryFile(dir=Path.cwd(), buffering=0) as file:
        began = time.perf_counter()
        for _ in range(lines):
            file.write(line)
            os.fsync(file.fileno())
        each_s = (time.perf_counter() - began) / lines
    return f"a line reaches the disk in {1e3 * each_s:.1f} ms, so at most {1 / each_s:.0f} trials a second"


def _network(machine: Machine) -> str:
    address = address_of(machine)
    if address == LOOPBACK:
        return "workers on this host, by loopback"
    try:
        with socket.create_server((address, 0)) as server:
            socket.create_connection(server.getsockname(), timeout=5).close()
    except OSError as error:
        raise Unfit(
            f"{address} cannot be listened on ({error.strerror}); set `interface` of machine '{machine.name}' to a "
            "network of this host that its nodes reach"
        ) from None
    return f"workers reach this host by {address}"


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
