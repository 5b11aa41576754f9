"""GPU kernels of the Poisson term; arguments as in `fusedtomo.kernels.numba.poisson`, the sources in poisson.cu."""

from typing import Any

import numpy as np

from fusedtomo.kernels.cuda import launch, sums
from fusedtomo.kernels.cuda.launch import Pending

_BLOCK, _PER_THREAD = 256, 4


def divergence(projected: Any, counts: Any, gain: np.ndarray, eps: np.ndarray) -> Pending:
    """Kullback-Leibler divergence of counts from gain * projected + eps, summed over tilt and t.

    projected, counts: float32 (element, tilt, t, x); gain, eps: float32 host arrays (element,).
    Returns float64 (element, x).
    """
    args = (projected, counts, launch.upload_floats(gain), launch.upload_floats(eps))
    n_elements = projected.shape[0]
    return sums.column_sums("poisson", "divergence", args, projected.shape, (n_elements,), groups=n_elements)


def residual(projected: Any, counts: Any, gain: np.ndarray, eps: np.ndarray, weight: np.ndarray, out: Any) -> None:
    """out = weight gain (1 - counts / (gain * projected + eps)); out may be projected itself."""
    n_elements, size = projected.shape[0], projected[0].size
    grid = (launch.blocks(size, _BLOCK * _PER_THREAD), n_elements, 1)
    args = (
        projected,
        counts,
        launch.upload_floats(gain),
        launch.upload_floats(eps),
        launch.upload_floats(weight),
        out,
        np.int64(size),
    )
    launch.launch("poisson", "residual", grid, (_BLOCK, 1), args)
