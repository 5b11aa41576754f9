"""GPU kernels: the CuPy twins of `fusedtomo.kernels.numba`, with the same functions and arguments.

Importing this package needs neither CuPy nor a GPU; the first call of a function does.
"""

from typing import TYPE_CHECKING

from fusedtomo.kernels.cuda import joseph, poisson, sums, tv, zcontrast

__all__ = ["joseph", "poisson", "sums", "tv", "zcontrast"]

if TYPE_CHECKING:
    from fusedtomo.kernels.interface import Modules

    _as_promised: Modules = (joseph, poisson, sums, tv, zcontrast)
