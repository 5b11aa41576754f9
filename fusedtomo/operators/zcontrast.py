"""The HAADF contrast model: how bright a voxel is, given its chemistry (paper Eq. 1, first term)."""

import numpy as np

from fusedtomo.arrays import Array, array_module, kernels
from fusedtomo.errors import InputError


class ZContrast:
    """Incoherent Z-contrast ``sum_i (zeta_i x_i)^gamma`` with ``zeta_i = Z_i / max Z``.

    Dividing Z by the heaviest element's is a common factor that the fitted HAADF gain takes back
    (docs/solver.md); it keeps float32 sums near 1.

    Args:
        atomic_numbers: Z of every element.
        gamma: exponent between 1 and 2; 1.4 to 2 in practice, 1.7 typical (paper, after Eq. 1).
    """

    def __init__(self, atomic_numbers: tuple[int, ...], gamma: float):
        if not 1.0 <= gamma <= 2.0:
            raise InputError(f"gamma is {gamma:g}; HAADF contrast exponents lie between 1 and 2")
        self.gamma = float(gamma)
        self.zeta = (np.array(atomic_numbers) / max(atomic_numbers)).astype(np.float32)

    def density(self, volume: Array, out: Array | None = None) -> Array:
        """Brightness per voxel: volume (element, z, y, x) >= 0 -> (z, y, x) float32."""
        out = array_module(volume).empty(volume.shape[1:], np.float32) if out is None else out
        kernels(volume).zcontrast.density(volume, self.zeta, self.gamma, out)
        return out

    def pullback(self, volume: Array, cotangent: Array, out: Array, *, floor: float = 0.0, add: bool = False) -> None:
        """The transposed derivative at `volume` applied to `cotangent` (z, y, x), into out (element, z, y, x).

        Concentrations below `floor` count as `floor`: for gamma > 1 the derivative vanishes at 0, which a
        curvature bound must not. With `add` the result is added to what `out` holds.
        """
        kernels(volume).zcontrast.add_pullback(volume, self.zeta, self.gamma, cotangent, floor, out, add)

    def total_slope(self, volume: Array, out: Array, *, floor: float = 0.0) -> None:
        """The derivatives with respect to all elements, summed, into out (z, y, x); `floor` as in `pullback`."""
        ones, add_pullback = array_module(volume).ones_like(out), kernels(volume).zcontrast.add_pullback
        for i in range(len(self.zeta)):
            one = slice(i, i + 1)
            add_pullback(volume[one], self.zeta[one], self.gamma, ones, floor, out[None], i > 0)
