"""GPU kernels of the HAADF contrast model; as in `fusedtomo.kernels.numba.zcontrast`, the sources in zcontrast.cu."""

from typing import Any

import numpy as np

from fusedtomo.kernels.cuda import launch

_BLOCK = 256


def density(volume: Any, zeta: np.ndarray, gamma: float, out: Any) -> None:
    """out (z, y, x) = sum_i (zeta_i x_i)^gamma; volume (element, z, y, x) >= 0, zeta float32 host array (element,)."""
    args = (volume, launch.upload_floats(zeta), np.float32(gamma), out, np.int32(volume.shape[0]), np.int64(out.size))
    _launch("density", out, args)


def add_pullback(
    volume: Any, zeta: np.ndarray, gamma: float, cotangent: Any, floor: float, out: Any, add: bool
) -> None:
    """out_i = gamma zeta_i^gamma max(x_i, floor)^(gamma - 1) * cotangent, or added to it; cotangent (z, y, x)."""
    sizes = (np.int32(volume.shape[0]), np.int64(cotangent.size), np.int32(add))
    scale = launch.upload_floats(slope_scale(zeta, gamma))
    args = (volume, scale, np.float32(gamma), cotangent, np.float32(floor), out, *sizes)
    _launch("pullback", cotangent, args)


def slope_scale(zeta: np.ndarray, gamma: float) -> np.ndarray:
    """gamma zeta^gamma, by which x^(gamma - 1) is multiplied in the derivative."""
    return (gamma * zeta.astype(np.float64) ** gamma).astype(np.float32)


def _launch(name: str, image: Any, args: tuple[Any, ...]) -> None:
    width = 4 if image.size % 4 == 0 else 1
    grid = launch.blocks(image.size, _BLOCK * width), 1, 1
    launch.launch("zcontrast", name, grid, (_BLOCK, 1), args, (f"WIDTH={width}",))
