"""NumPy or CuPy follows the data: the array module and the kernels of an array, and sums over all ranks."""

from types import ModuleType

import numpy as np

from fusedtomo.kernels.interface import Array as Array  # from here, for all who compute
from fusedtomo.kernels.interface import Columns, Kernels
from fusedtomo.parallel import SERIAL, Comm


def on_gpu(array: Array) -> bool:
    """Is this a CuPy array? Asks without importing CuPy."""
    return type(array).__module__.partition(".")[0] == "cupy"


def array_module(array: Array) -> ModuleType:
    """numpy or cupy, whichever the array is of."""
    if on_gpu(array):
        import cupy

        gpu: ModuleType = cupy
        return gpu
    return np


def kernels(array: Array) -> Kernels:
    """The kernels for an array: fusedtomo.kernels.numba or, of the same functions, fusedtomo.kernels.cuda."""
    if on_gpu(array):
        from fusedtomo.kernels import cuda

        return cuda
    from fusedtomo.kernels import numba

    return numba


def to_host(array: Array) -> np.ndarray:
    """The array as NumPy's, once it is there."""
    host: np.ndarray = array.get() if hasattr(array, "get") else array
    return host


def dot(a: Array, b: Array, comm: Comm = SERIAL) -> float:
    """The inner product of two float32 arrays (..., x), in float64; the same for any number of threads and ranks."""
    return float(comm.total(kernels(a).sums.dot(a, b)))


def relative_change(new: Array, old: Array, comm: Comm = SERIAL) -> float:
    """||new - old|| / ||new||."""
    return relative(kernels(new).sums.squared_change(new, old), comm)


def relative(columns: Columns, comm: Comm = SERIAL) -> float:
    """The square root of one sum over another, both as columns (2, x)."""
    change, square = comm.total(columns)
    return float(np.sqrt(change / max(square, 1e-30)))


def totals(array: Array, comm: Comm = SERIAL) -> np.ndarray:
    """The sum of every channel (channel, ..., x), in float64."""
    return comm.total(kernels(array).sums.totals(array))


def means(array: Array, comm: Comm = SERIAL) -> np.ndarray:
    """The mean of every channel (channel, ..., x), in float64."""
    columns = comm.total(np.ones(array.shape[-1]))
    mean: np.ndarray = totals(array, comm) / (columns * int(np.prod(array.shape[1:-1])))
    return mean


def sample(array: Array, comm: Comm = SERIAL, *, size: int = 1 << 20) -> np.ndarray:
    """At most about `size` entries of an array (..., row, x) over all of its columns, on every rank's host.

    Whole rows of x, evenly spaced: the same ones however x is cut, for statistics that cannot be summed (quantiles).
    """
    columns = int(comm.total(np.ones(array.shape[-1])))
    rows = array.reshape(-1, array.shape[-1])
    spacing = max(1, -(-len(rows) * columns // size))
    return comm.gather(np.ascontiguousarray(to_host(rows[::spacing])))
