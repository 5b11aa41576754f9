"""CPU kernels of the Poisson term: its value, and its derivative with respect to the projection."""

import numpy as np
from numba import njit, prange

_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}  # NaN and infinity keep their meaning


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def value(projected, counts, gain, eps, out):
    """Kullback-Leibler divergence of counts from gain * projected + eps.

    projected, counts (element, tilt, t, x); gain, eps (element,); out (element, tilt) float64 sums.
    """
    n_elements, n_tilts, nt, nx = projected.shape
    for job in prange(n_elements * n_tilts):
        element, tilt = job // n_tilts, job % n_tilts
        g, e = gain[element], eps[element]
        total = 0.0
        for t in range(nt):
            p, b = projected[element, tilt, t], counts[element, tilt, t]
            for x in range(nx):
                model = g * p[x] + e
                total += model - b[x]
                if b[x] > 0.0:
                    total += b[x] * np.log(b[x] / model)
        out[element, tilt] = total


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def residual(projected, counts, gain, eps, weight, out):
    """out (element, tilt, t, x) = weight gain (1 - counts / (gain * projected + eps)); arguments as for `value`."""
    n_elements, n_tilts, nt, nx = projected.shape
    for job in prange(n_elements * n_tilts):
        element, tilt = job // n_tilts, job % n_tilts
        g, e = gain[element], eps[element]
        for t in range(nt):
            p, b, r = projected[element, tilt, t], counts[element, tilt, t], out[element, tilt, t]
            for x in range(nx):
                r[x] = weight * g * (np.float32(1.0) - b[x] / (g * p[x] + e))
