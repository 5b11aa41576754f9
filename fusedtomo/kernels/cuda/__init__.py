"""GPU kernels: the CuPy twins of `fusedtomo.kernels.numba`, with the same functions and arguments.

Importing this package needs neither CuPy nor a GPU; the first call of a function does.
"""

from fusedtomo.kernels.cuda import joseph, poisson, sums, tv, zcontrast

__all__ = ["joseph", "poisson", "sums", "tv", "zcontrast"]
