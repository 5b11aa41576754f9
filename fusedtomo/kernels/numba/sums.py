"""CPU kernels over float32 arrays: column sums, and the elementwise steps of the solver, each in one pass.

A column sum adds, in float64 and in a fixed order, everything at one x. So it does not depend on how many threads
there are, nor on how many columns an array holds: a slab of a volume gives the same sums as the whole.
"""

import numpy as np

from fusedtomo.kernels.numba.jit import Doubles, Floats, njit, prange

_CHUNKS = 64  # jobs that the rows are divided into, whatever the number of threads


@njit(inline="always")
def _rows(chunk: int, n_rows: int) -> tuple[int, int]:
    return chunk * n_rows // _CHUNKS, (chunk + 1) * n_rows // _CHUNKS


@njit(cache=True, nogil=True)
def fold(parts: Doubles) -> Doubles:
    """Add float64 parts (channel, part, x) over their middle axis, one after the other: (channel, x).

    NumPy's own sum takes another order where x has one column only.
    """
    total = np.zeros((parts.shape[0], parts.shape[2]), np.float64)
    for channel in range(parts.shape[0]):
        for part in range(parts.shape[1]):
            for x in range(parts.shape[2]):
                total[channel, x] += parts[channel, part, x]
    return total


@njit(parallel=True, cache=True, nogil=True)
def _dot(a: Floats, b: Floats, sums: Doubles) -> None:
    for chunk in prange(_CHUNKS):
        first, last = _rows(chunk, a.shape[0])
        total = sums[chunk]
        for row in range(first, last):
            u, v = a[row], b[row]
            for x in range(u.size):
                total[x] += np.float64(u[x]) * np.float64(v[x])


def dot(a: Floats, b: Floats) -> Doubles:
    """Column sums of a b: two arrays (..., x) -> (x,) float64."""
    sums = np.zeros((1, _CHUNKS, a.shape[-1]), np.float64)
    _dot(a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]), sums[0])
    return fold(sums)[0]


@njit(parallel=True, cache=True, nogil=True)
def _products(a: Floats, b: Floats, squares: Doubles, products: Doubles) -> None:
    for chunk in prange(_CHUNKS):
        first, last = _rows(chunk, a.shape[0])
        square, product = squares[chunk], products[chunk]
        for row in range(first, last):
            u, v = a[row], b[row]
            for x in range(u.size):
                square[x] += np.float64(u[x]) * np.float64(u[x])
                product[x] += np.float64(u[x]) * np.float64(v[x])


def products(a: Floats, b: Floats) -> Doubles:
    """Column sums of a^2 and of a b: two arrays (..., x) -> (2, x) float64."""
    sums = np.zeros((2, _CHUNKS, a.shape[-1]), np.float64)
    _products(a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]), sums[0], sums[1])
    return fold(sums)


@njit(parallel=True, cache=True, nogil=True)
def _totals(a: Floats, sums: Doubles) -> None:
    n_channels, n_rows = a.shape[:2]
    for job in prange(n_channels * _CHUNKS):
        channel, chunk = job // _CHUNKS, job % _CHUNKS
        first, last = _rows(chunk, n_rows)
        total = sums[channel, chunk]
        for row in range(first, last):
            u = a[channel, row]
            for x in range(u.size):
                total[x] += np.float64(u[x])


def totals(a: Floats) -> Doubles:
    """Column sums of every channel: (channel, ..., x) -> (channel, x) float64."""
    sums = np.zeros((len(a), _CHUNKS, a.shape[-1]), np.float64)
    _totals(a.reshape(len(a), -1, a.shape[-1]), sums)
    return fold(sums)


@njit(parallel=True, cache=True, nogil=True)
def _squared_change(new: Floats, old: Floats, changes: Doubles, squares: Doubles) -> None:
    for chunk in prange(_CHUNKS):
        first, last = _rows(chunk, new.shape[0])
        change, square = changes[chunk], squares[chunk]
        for row in range(first, last):
            u, v = new[row], old[row]
            for x in range(u.size):
                move = np.float64(u[x] - v[x])
                change[x] += move * move
                square[x] += np.float64(u[x]) * np.float64(u[x])


def squared_change(new: Floats, old: Floats) -> Doubles:
    """Column sums of (new - old)^2 and of new^2: two arrays (..., x) -> (2, x) float64."""
    sums = np.zeros((2, _CHUNKS, new.shape[-1]), np.float64)
    _squared_change(new.reshape(-1, new.shape[-1]), old.reshape(-1, old.shape[-1]), sums[0], sums[1])
    return fold(sums)


@njit(parallel=True, cache=True, nogil=True)
def _distance(a: Floats, b: Floats, inverse: Floats, sums: Doubles) -> None:
    for chunk in prange(_CHUNKS):
        first, last = _rows(chunk, a.shape[0])
        total = sums[chunk]
        for row in range(first, last):
            u, v, i = a[row], b[row], inverse[row]
            for x in range(u.size):
                move = u[x] - v[x]
                total[x] += np.float64(move * move / i[x])


def distance(a: Floats, b: Floats, inverse: Floats) -> Doubles:
    """Column sums of (a - b)^2 / inverse: arrays (..., x) -> (x,) float64."""
    sums = np.zeros((1, _CHUNKS, a.shape[-1]), np.float64)
    u, v, i = (each.reshape(-1, each.shape[-1]) for each in (a, b, inverse))
    _distance(u, v, i, sums[0])
    return fold(sums)[0]


@njit(parallel=True, cache=True, nogil=True)
def _descend(volume: Floats, gradient: Floats, inverse: Floats, step: np.float32, out: Floats, sums: Doubles) -> None:
    for chunk in prange(_CHUNKS):
        first, last = _rows(chunk, volume.shape[0])
        total = sums[chunk]
        for row in range(first, last):
            v, g, i, o = volume[row], gradient[row], inverse[row], out[row]
            for x in range(v.size):
                move = i[x] * g[x]
                total[x] += np.float64(move * g[x])
                o[x] = v[x] - step * move


def descend(volume: Floats, gradient: Floats, inverse: Floats, step: float, out: Floats) -> Doubles:
    """out = volume - step inverse gradient; all (..., x) of one shape. Returns column sums of inverse gradient^2."""
    sums = np.zeros((1, _CHUNKS, out.shape[-1]), np.float64)
    v, g, i, o = (a.reshape(-1, a.shape[-1]) for a in (volume, gradient, inverse, out))
    _descend(v, g, i, np.float32(step), o, sums[0])
    return fold(sums)[0]


@njit(parallel=True, cache=True, nogil=True)
def _extrapolate(new: Floats, old: Floats, step: np.float32, out: Floats, changes: Doubles, squares: Doubles) -> None:
    for chunk in prange(_CHUNKS):
        first, last = _rows(chunk, new.shape[0])
        change, square = changes[chunk], squares[chunk]
        for row in range(first, last):
            u, v, o = new[row], old[row], out[row]
            for x in range(u.size):
                value, move = u[x], u[x] - v[x]
                change[x] += np.float64(move) * np.float64(move)
                square[x] += np.float64(value) * np.float64(value)
                o[x] = max(value + step * move, np.float32(0.0))


def extrapolate(new: Floats, old: Floats, step: float, out: Floats) -> Doubles:
    """out = max(new + step (new - old), 0); all (..., x) of one shape. Returns what `squared_change` does."""
    sums = np.zeros((2, _CHUNKS, out.shape[-1]), np.float64)
    u, v, o = (a.reshape(-1, a.shape[-1]) for a in (new, old, out))
    _extrapolate(u, v, np.float32(step), o, sums[0], sums[1])
    return fold(sums)
