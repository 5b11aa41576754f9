"""What a benchmark ran on: processor, memory, operating system and versions; no names of hosts, no paths."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("numpy", "scipy", "numba", "astra-toolbox")


def describe() -> dict[str, str]:
    """The machine and the software, ready for a table."""
    return {
        "cpu": cpu_model(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "os": _operating_system(),
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
    }


class OtherLoad:
    """How much of the machine other processes take from here on; beyond a tenth, parallel timings mean little."""

    def __init__(self):
        self._busy, self._all = _ticks()
        self._own = _own_seconds()

    def __str__(self) -> str:
        busy, everything = _ticks()
        if everything <= self._all:
            return "other processes: not known"
        own = (_own_seconds() - self._own) * os.sysconf("SC_CLK_TCK")
        share = max(0.0, (busy - self._busy - own) / (everything - self._all))
        return f"other processes took {100 * share:.0f} % of the machine meanwhile"


def cpu_model() -> str:
    """The processor's name."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def peak_memory_mib() -> float:
    """The most memory that this process has held at once (resident), in MiB.

    Read from /proc where there is one: getrusage's figure is inherited from the process that started this one.
    """
    try:
        return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text()).group(1)) / 1024
    except OSError:
        import resource  # not on Windows

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


def _ticks() -> tuple[int, int]:
    """Clock ticks that the cores were busy, and all there were; (0, 0) without /proc."""
    try:
        user, nice, system, idle, wait, *others = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    except OSError:
        return 0, 0
    busy = user + nice + system + sum(others)
    return busy, busy + idle + wait


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _operating_system() -> str:
    try:
        return f"{platform.system()}, {platform.freedesktop_os_release()['PRETTY_NAME']}"
    except (OSError, KeyError):
        return platform.system()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
