"""GPU kernels of the HAADF contrast model; as in `fusedtomo.kernels.numba.zcontrast`, the sources in zcontrast.cu."""

from typing import Any

import numpy as np

from fusedtomo.kernels.cuda import launch

_BLOCK = 256


def density(volume: Any, zeta: np.ndarray, gamma: float, out: Any) -> None:
    """out (z, y, x) = sum_i (zeta_i x_i)^gamma; volume (element, z, y, x) >= 0, zeta float32 host array (element,)."""
    args = (volume, launch.upload_floats(zeta), np.float32(gamma), out, np.int32(volume.shape[0]), np.int64(out.size))
    launch.launch("zcontrast", "density", _grid(out), (_BLOCK, 1), args)


def add_pullback(
    volume: Any, zeta: np.ndarray, gamma: float, cotangent: Any, floor: float, out: Any, add: bool
) -> None:
    """out_i = gamma zeta_i^gamma max(x_i, floor)^(gamma - 1) * cotangent, or added to it; cotangent (z, y, x)."""
    scale = (gamma * zeta.astype(np.float64) ** gamma).astype(np.float32)
    sizes = (np.int32(volume.shape[0]), np.int64(cotangent.size), np.int32(add))
    args = (volume, launch.upload_floats(scale), np.float32(gamma), cotangent, np.float32(floor), out, *sizes)
    launch.launch("zcontrast", "pullback", _grid(cotangent), (_BLOCK, 1), args)


def _grid(image: Any) -> tuple[int, int, int]:
    return launch.blocks(image.size, _BLOCK), 1, 1
