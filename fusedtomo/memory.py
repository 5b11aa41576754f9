"""How much memory does a problem take, and does this machine have it? Reckoned from shapes, before any work."""

from collections.abc import Iterator
from pathlib import Path

import psutil

from fusedtomo.errors import InputError

# volumes of all elements that a solver holds at once, dual variables included: 14.4 were counted for `fused` with four
# elements on a GPU (docs/gpu.md), and 13.6 measured on a CPU
SOLVER_VOLUMES = 14.4
SPECIMEN_VOLUMES = 2.0  # while one is painted: 1.9 were measured
_SERIES = 8  # copies of every ray sum: counts, projections, residuals and what is made from them
_CGROUPS, _OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def volume_gb(n_elements: int, shape: tuple[int, int, int]) -> float:
    """One volume of all elements, float32; shape: (z, y, x)."""
    depth, width, length = shape
    return 4e-9 * n_elements * depth * width * length


def series_gb(n_elements: int, n_haadf: int, n_chemical: int, image: tuple[int, int]) -> float:
    """The tilt series, and what is made of them while they are simulated or reconstructed; image: (y, x)."""
    return 4e-9 * _SERIES * (n_haadf + n_elements * n_chemical) * image[0] * image[1]


def solver_gb(
    n_elements: int, shape: tuple[int, int, int], n_haadf: int, n_chemical: int, *, weighted: bool = False
) -> float:
    """The arrays of a reconstruction, wherever they are; weighted: with local weights of total variation."""
    series = series_gb(n_elements, n_haadf, n_chemical, shape[1:])
    return (SOLVER_VOLUMES + weighted) * volume_gb(n_elements, shape) + series


def check_fits(what: str, needed_gb: float, cure: str) -> None:
    """Refuse what this machine has no memory for; `cure` says what would fit."""
    free_gb = available_gb()
    if needed_gb > free_gb:
        raise InputError(f"{what} needs about {needed_gb:.3g} GB, but {free_gb:.3g} GB of memory are free; {cure}")


def available_gb() -> float:
    """What may still be allocated here: the system's free memory, and no more than what is left of a cgroup's limit."""
    free: int = min([psutil.virtual_memory().available, *_left_of_limits()])
    return free / 1e9


def _left_of_limits() -> Iterator[int]:
    """Bytes that the cgroups of this process leave it, of either version; caches count as free."""
    for folder in _cgroups():
        for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            try:
                most, now = ((folder / name).read_text() for name in (limit, used))
                cached = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                yield int(most) - int(now) + int(cached.get("inactive_file", 0))
            except (OSError, ValueError):  # no such group here, or "max"
                continue


def _cgroups() -> Iterator[Path]:
    """The folders of this process's cgroups that bound memory, with all above them."""
    try:
        lines = _OWN_CGROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers in ("", "memory"):
            own = _CGROUPS / controllers / path.lstrip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(_CGROUPS))
