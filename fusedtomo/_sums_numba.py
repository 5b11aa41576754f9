"""CPU kernels over flat float32 arrays: inner products and the steps of the solver, each in one pass.

Sums are float64, one for each fixed chunk, and the caller adds them: numba would turn `sums.sum()` in here into a sum
per thread, and the last bits would depend on their number. Chunks are slices indexed from 0:
`a[offset + k]` in the innermost loop costs a negative-index test and the SIMD code.
"""

import numpy as np
from numba import njit, prange

_CHUNK = 1 << 14
_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}  # NaN and infinity keep their meaning


@njit(inline="always")
def _n_chunks(a):
    return (a.size + _CHUNK - 1) // _CHUNK


@njit(inline="always")
def _part(a, chunk):
    return a[chunk * _CHUNK : min((chunk + 1) * _CHUNK, a.size)]


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def dot(a, b):
    """sum_k a_k b_k, by chunk."""
    sums = np.empty(_n_chunks(a), np.float64)
    for chunk in prange(_n_chunks(a)):
        u, v, total = _part(a, chunk), _part(b, chunk), 0.0
        for k in range(u.size):
            total += np.float64(u[k]) * np.float64(v[k])
        sums[chunk] = total
    return sums


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def squared_change(new, old):
    """sum_k (new_k - old_k)^2 and sum_k new_k^2, by chunk."""
    changes, squares = np.empty(_n_chunks(new), np.float64), np.empty(_n_chunks(new), np.float64)
    for chunk in prange(_n_chunks(new)):
        u, v, change, square = _part(new, chunk), _part(old, chunk), 0.0, 0.0
        for k in range(u.size):
            move = np.float64(u[k] - v[k])
            change += move * move
            square += np.float64(u[k]) * np.float64(u[k])
        changes[chunk], squares[chunk] = change, square
    return changes, squares


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def model_change(gradient, metric, scale, new, old):
    """sum_k g_k d_k + scale / 2 D_k d_k^2, d = new - old, by chunk."""
    sums = np.empty(_n_chunks(new), np.float64)
    for chunk in prange(_n_chunks(new)):
        g, m = _part(gradient, chunk), _part(metric, chunk)
        u, v, total = _part(new, chunk), _part(old, chunk), 0.0
        for k in range(u.size):
            move = u[k] - v[k]
            total += np.float64(move) * (np.float64(g[k]) + 0.5 * scale * np.float64(m[k] * move))
        sums[chunk] = total
    return sums


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def descend(volume, gradient, metric, scale, inverse, out):
    """inverse = 1 / (scale D) and out = volume - inverse g."""
    for chunk in prange(_n_chunks(volume)):
        x, g, m = _part(volume, chunk), _part(gradient, chunk), _part(metric, chunk)
        i, o = _part(inverse, chunk), _part(out, chunk)
        for k in range(x.size):
            step = np.float32(1.0) / (scale * m[k])
            i[k] = step
            o[k] = x[k] - step * g[k]


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def extrapolate(new, old, step, out):
    """out = max(new + step (new - old), 0)."""
    for chunk in prange(_n_chunks(new)):
        u, v, o = _part(new, chunk), _part(old, chunk), _part(out, chunk)
        for k in range(u.size):
            o[k] = max(u[k] + step * (u[k] - v[k]), np.float32(0.0))
