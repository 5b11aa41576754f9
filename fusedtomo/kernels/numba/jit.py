"""numba's decorators with the types of what they decorate, which numba itself leaves out, and names for its arrays."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Number = Any  # a float32, or a vector of sixteen of them (fusedtomo.kernels.numba.simd): numba compiles for either

if TYPE_CHECKING:
    Kernel = TypeVar("Kernel", bound=Callable[..., Any])

    @overload
    def njit(kernel: Kernel, /) -> Kernel: ...
    @overload
    def njit(
        *, inline: str = ..., parallel: bool = ..., cache: bool = ..., nogil: bool = ...
    ) -> Callable[[Kernel], Kernel]: ...
    def njit(*args: Any, **options: Any) -> Any:
        """Compile a function; numba's own."""

    prange = range
else:
    from numba import njit, prange

__all__ = ["Doubles", "Floats", "Number", "njit", "prange"]
