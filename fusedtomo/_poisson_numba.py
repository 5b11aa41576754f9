"""CPU kernels of the Poisson term: its value and the derivative with respect to the projection."""

import numpy as np
from numba import njit, prange

_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def value_and_residual(projected, counts, gain, eps, value, residual):
    """Kullback-Leibler divergence of counts from gain * projected + eps, and its derivative by the projection.

    projected, counts, residual (element, tilt, t, x); gain, eps (element,); value (element, tilt) float64 sums.
    """
    n_elements, n_tilts, nt, nx = projected.shape
    for job in prange(n_elements * n_tilts):
        element, tilt = job // n_tilts, job % n_tilts
        g, e = gain[element], eps[element]
        total = 0.0
        for t in range(nt):
            p, b, r = projected[element, tilt, t], counts[element, tilt, t], residual[element, tilt, t]
            for x in range(nx):
                model = g * p[x] + e
                ratio = b[x] / model
                r[x] = g * (np.float32(1.0) - ratio)
                total += model - b[x]
                if ratio > 0.0:
                    total += b[x] * np.log(ratio)
        value[element, tilt] = total
