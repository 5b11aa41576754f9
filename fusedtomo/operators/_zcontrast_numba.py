"""CPU kernels of the HAADF contrast model: sum_i (zeta_i x_i)^gamma and its derivative."""

import numpy as np
from numba import njit, prange

_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}


@njit(inline="always")
def _power(base, exponent):
    """base^exponent for base >= 0; the exponents 0, 1 and 2 without a transcendental function."""
    if exponent == 2.0:
        return base * base
    if exponent == 1.0:
        return base
    if exponent == 0.0:
        return np.float32(1.0)
    return base**exponent if base != 0.0 else np.float32(0.0)  # NaN stays NaN


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def density(volume, zeta, gamma, out):
    """out (z, y, x) = sum_i (zeta_i x_i)^gamma; volume (element, z, y, x) >= 0, zeta (element,) float32."""
    n_elements, nz, ny, nx = volume.shape
    for row in prange(nz * ny):
        z, y = row // ny, row % ny
        target = out[z, y]
        target[:] = 0.0
        for element in range(n_elements):
            source, scale = volume[element, z, y], zeta[element]
            for x in range(nx):
                target[x] += _power(scale * source[x], gamma)


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def add_pullback(volume, zeta, gamma, cotangent, floor, out):
    """out_i += gamma zeta_i^gamma max(x_i, floor)^(gamma - 1) * cotangent (z, y, x): the transposed derivative."""
    n_elements, nz, ny, nx = volume.shape
    for row in prange(nz * ny):
        z, y = row // ny, row % ny
        factor = cotangent[z, y]
        for element in range(n_elements):
            source, target = volume[element, z, y], out[element, z, y]
            scale = gamma * _power(zeta[element], gamma)
            for x in range(nx):
                target[x] += scale * _power(max(source[x], floor), gamma - np.float32(1.0)) * factor[x]
