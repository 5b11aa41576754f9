"""The CPU's kernels, compiled by numba for NumPy arrays."""

from fusedtomo.kernels.numba import joseph, poisson, sums, tv, zcontrast

__all__ = ["joseph", "poisson", "sums", "tv", "zcontrast"]
