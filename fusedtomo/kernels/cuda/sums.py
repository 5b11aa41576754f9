"""GPU kernels of column sums and of the solver's elementwise steps; the sources are in sums.cu and fold.cu.

Sums come back as float64 arrays, one value for every x, that are on their way to the host: who reads them waits. They
have the same bits in a volume and in a slab of it.
"""

from math import prod
from typing import Any

import numpy as np

from fusedtomo.kernels.cuda import launch
from fusedtomo.kernels.cuda.launch import Pending

_BLOCK = (32, 8)
_CHUNK = 64  # rows of a partial sum
_FEW = 8  # the same, times the sums, where there are not so many rows that they would fill a device
_MANY = 2**16  # rows
_STEPS = 32  # rows that fold.cu adds side by side


def dot(a: Any, b: Any) -> Pending:
    """Sums of a * b over all axes but the last: float32 arrays (..., x) -> (x,)."""
    return column_sums("sums", "dot", (a, b), a.shape)


def products(a: Any, b: Any) -> Pending:
    """Sums of a^2 and of a * b: float32 arrays (..., x) -> (2, x)."""
    return column_sums("sums", "products", (a, b), a.shape, (2,), n_sums=2)


def totals(a: Any) -> Pending:
    """Sums over the middle axes: float32 array (n, ..., x) -> (n, x)."""
    return column_sums("sums", "totals", (a,), a.shape, (a.shape[0],), groups=a.shape[0])


def squared_change(new: Any, old: Any) -> Pending:
    """Sums of (new - old)^2 and of new^2: float32 arrays (..., x) -> (2, x)."""
    return column_sums("sums", "squared_change", (new, old), new.shape, (2,), n_sums=2)


def distance(a: Any, b: Any, inverse: Any) -> Pending:
    """Sums of (a - b)^2 / inverse: float32 arrays (..., x) -> (x,)."""
    return column_sums("sums", "distance", (a, b, inverse), a.shape)


def descend(volume: Any, gradient: Any, inverse: Any, step: float, out: Any) -> Pending:
    """out = volume - step * inverse * gradient; float32 arrays of one shape, out may be one of them.

    Returns sums of inverse * gradient^2, (x,).
    """
    args = (volume, gradient, inverse, np.float32(step), out)
    return column_sums("sums", "descend", args, out.shape)


def extrapolate(new: Any, old: Any, step: float, out: Any) -> Pending:
    """out = max(new + step * (new - old), 0); float32 arrays of one shape, out may be one of them.

    Returns what `squared_change` does.
    """
    return column_sums("sums", "extrapolate", (new, old, np.float32(step), out), out.shape, (2,), n_sums=2)


def column_sums(
    source: str,
    name: str,
    args: tuple[Any, ...],
    shape: tuple[int, ...],
    leading: tuple[int, ...] = (),
    *,
    groups: int = 1,
    n_sums: int = 1,
) -> Pending:
    """Run a kernel that writes one partial sum for every column of every chunk of rows, and add the chunks.

    args: the kernel's first arguments; shape: what it reads, (..., x), whose leading axes hold `groups` equal groups of
    rows. Returns float64 sums (*leading, x), where leading holds n_sums times groups of them.
    """
    rows, nx = prod(shape[:-1]) // groups, shape[-1]
    chunk = _CHUNK if rows >= _MANY else _FEW * n_sums
    partial = launch.empty((n_sums * groups, launch.blocks(rows, chunk), nx), np.float64)
    width = launch.width(nx) if source == "sums" else 1
    sizes = map(np.int32, (rows, chunk, nx))
    grid = _grid(partial.shape[1], nx // width, groups)
    launch.launch(source, name, grid, _BLOCK, (*args, partial, *sizes), (f"WIDTH={width}",))
    return fold(partial, leading)


def fold(partial: Any, leading: tuple[int, ...]) -> Pending:
    """Sums over the middle axis in a fixed order: device float64 (groups, rows, x) -> host (*leading, x)."""
    groups, rows, nx = partial.shape
    out = launch.empty((*leading, nx), np.float64)
    args = partial, out, np.int32(rows), np.int32(nx)
    launch.launch("fold", "fold", (launch.blocks(nx, 32), groups, 1), (32, _STEPS), args)
    return launch.download(out)


def _grid(chunks: int, nx: int, groups: int) -> tuple[int, int, int]:
    return launch.blocks(nx, _BLOCK[0]), launch.blocks(chunks, _BLOCK[1]), groups
