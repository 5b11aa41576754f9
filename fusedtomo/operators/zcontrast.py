"""The HAADF contrast model: how bright a voxel is, given its chemistry (paper Eq. 1, first term)."""

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.operators import _zcontrast_numba


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
        self.gamma = np.float32(gamma)
        self.zeta = (np.array(atomic_numbers) / max(atomic_numbers)).astype(np.float32)

    def density(self, volume: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Brightness per voxel: volume (element, z, y, x) >= 0 -> (z, y, x) float32."""
        out = np.empty(volume.shape[1:], np.float32) if out is None else out
        _zcontrast_numba.density(volume, self.zeta, self.gamma, out)
        return out

    def add_pullback(self, volume: np.ndarray, cotangent: np.ndarray, out: np.ndarray, *, floor: float = 0.0) -> None:
        """Add the transposed derivative at `volume` applied to `cotangent` (z, y, x) to out (element, z, y, x).

        Concentrations below `floor` count as `floor`: for gamma > 1 the derivative vanishes at 0, which a
        curvature bound must not.
        """
        _zcontrast_numba.add_pullback(volume, self.zeta, self.gamma, cotangent, np.float32(floor), out)
