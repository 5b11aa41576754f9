"""CPU kernels of the Poisson term: its value, and its derivative with respect to the projection."""

import numpy as np

from fusedtomo.kernels.numba.jit import Doubles, Floats, Number, njit, prange
from fusedtomo.kernels.numba.simd import LANES, load, logarithm, maximum, splat, store
from fusedtomo.kernels.numba.sums import fold


@njit(inline="always")
def _divergence(p: Number, b: Number, gain: Number, eps: Number, least: Number) -> Number:
    """model - b + b log(b / model); where b = 0 the logarithm's argument is a harmless least."""
    model = gain * p + eps
    return model - b + b * logarithm(maximum(b / model, least))


@njit(parallel=True, cache=True, nogil=True)
def _sums(projected: Floats, counts: Floats, gain: Floats, eps: Floats, out: Doubles) -> None:
    n_elements, n_tilts, nt, nx = projected.shape
    whole, tiny = nx - nx % LANES, np.float32(1e-30)
    for job in prange(n_elements * n_tilts):
        element, tilt = job // n_tilts, job % n_tilts
        g, e, least = splat(gain[element]), splat(eps[element]), splat(tiny)
        row, total = np.empty(nx, np.float32), out[element, tilt]
        for t in range(nt):
            p, b = projected[element, tilt, t], counts[element, tilt, t]
            for x in range(0, whole, LANES):
                store(row, x, _divergence(load(p, x), load(b, x), g, e, least))
            for x in range(whole, nx):
                row[x] = _divergence(p[x], b[x], gain[element], eps[element], tiny)
            for x in range(nx):
                total[x] += np.float64(row[x])


def divergence(projected: Floats, counts: Floats, gain: Floats, eps: Floats) -> Doubles:
    """Kullback-Leibler divergence of counts from gain * projected + eps, as column sums (element, x) float64.

    projected, counts (element, tilt, t, x); gain, eps (element,), all float32.
    """
    out = np.zeros((*projected.shape[:2], projected.shape[3]), np.float64)
    _sums(projected, counts, gain, eps, out)
    return fold(out)


@njit(parallel=True, cache=True, nogil=True)
def residual(projected: Floats, counts: Floats, gain: Floats, eps: Floats, weight: Floats, out: Floats) -> None:
    """out (element, tilt, t, x) = weight gain (1 - counts / (gain projected + eps)); weight (element,)."""
    n_elements, n_tilts, nt, nx = projected.shape
    for job in prange(n_elements * n_tilts):
        element, tilt = job // n_tilts, job % n_tilts
        g, e, scale = gain[element], eps[element], weight[element] * gain[element]
        for t in range(nt):
            p, b, r = projected[element, tilt, t], counts[element, tilt, t], out[element, tilt, t]
            for x in range(nx):
                r[x] = scale * (np.float32(1.0) - b[x] / (g * p[x] + e))
