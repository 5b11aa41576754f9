"""The CPU's kernels, compiled by numba for NumPy arrays."""

from typing import TYPE_CHECKING

from fusedtomo.kernels.numba import joseph, poisson, sums, tv, zcontrast

__all__ = ["joseph", "poisson", "sums", "tv", "zcontrast"]

if TYPE_CHECKING:
    from fusedtomo.kernels.interface import Modules

    _as_promised: Modules = (joseph, poisson, sums, tv, zcontrast)
