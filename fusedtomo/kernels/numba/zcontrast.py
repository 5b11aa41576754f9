"""CPU kernels of the HAADF contrast model: sum_i (zeta_i x_i)^gamma and its derivative."""

import numpy as np

from fusedtomo.kernels.numba.jit import Floats, njit, prange
from fusedtomo.kernels.numba.simd import LANES, load, maximum, power, splat, store


@njit
def _raise_row(row: Floats, scale: np.float32, exponent: np.float32, floor: np.float32, out: Floats) -> None:
    """out = (scale max(row, floor))^exponent; exponents 0, 1 and 2 are exact."""
    whole = row.size - row.size % LANES
    if exponent == 0.0:
        out[:] = np.float32(1.0)
    elif exponent == 1.0 or exponent == 2.0:
        for x in range(row.size):
            a = scale * max(row[x], floor)
            out[x] = a if exponent == 1.0 else a * a
    else:
        s, g, least = splat(scale), splat(exponent), splat(floor)
        for x in range(0, whole, LANES):
            store(out, x, power(s * maximum(load(row, x), least), g))
        for x in range(whole, row.size):
            out[x] = power(scale * max(row[x], floor), exponent)


@njit(parallel=True, cache=True, nogil=True)
def _density(volume: Floats, zeta: Floats, gamma: np.float32, out: Floats) -> None:
    n_elements, nz, ny, nx = volume.shape
    for z in prange(nz):
        term = np.empty(nx, np.float32)
        for y in range(ny):
            target = out[z, y]
            _raise_row(volume[0, z, y], zeta[0], gamma, np.float32(0.0), target)
            for element in range(1, n_elements):
                _raise_row(volume[element, z, y], zeta[element], gamma, np.float32(0.0), term)
                for x in range(nx):
                    target[x] += term[x]


def density(volume: Floats, zeta: Floats, gamma: float, out: Floats) -> None:
    """out (z, y, x) = sum_i (zeta_i x_i)^gamma; volume (element, z, y, x) >= 0, zeta (element,) float32."""
    _density(volume, zeta, np.float32(gamma), out)


@njit(parallel=True, cache=True, nogil=True)
def _add_pullback(
    volume: Floats,
    scale: Floats,
    exponent: np.float32,
    cotangent: Floats,
    floor: np.float32,
    out: Floats,
    add: bool,
) -> None:
    n_elements, nz, ny, nx = volume.shape
    for z in prange(nz):
        derivative = np.empty(nx, np.float32)
        for y in range(ny):
            factor = cotangent[z, y]
            for element in range(n_elements):
                target = out[element, z, y]
                _raise_row(volume[element, z, y], np.float32(1.0), exponent, floor, derivative)
                if not add:
                    target[:] = np.float32(0.0)
                for x in range(nx):
                    target[x] += scale[element] * derivative[x] * factor[x]


def add_pullback(
    volume: Floats, zeta: Floats, gamma: float, cotangent: Floats, floor: float, out: Floats, add: bool
) -> None:
    """out_i (+)= gamma zeta_i^gamma max(x_i, floor)^(gamma - 1) * cotangent (z, y, x): the transposed derivative.

    Without `add`, what was in out is overwritten.
    """
    scale = (gamma * zeta.astype(np.float64) ** gamma).astype(np.float32)
    _add_pullback(volume, scale, np.float32(gamma - 1.0), cotangent, np.float32(floor), out, add)
