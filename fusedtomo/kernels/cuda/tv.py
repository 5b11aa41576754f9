"""GPU kernels of total variation; arguments as in `fusedtomo.kernels.numba.tv`, the sources in tv.cu.

Volumes are float32 (channel, z, y, x), dual fields float32 or float16 (channel, 3, z, y, x), weights float32 host
arrays (channel,); `anisotropic` sums the absolute values of a gradient's components instead of its norm.
"""

from typing import Any

import numpy as np

from fusedtomo.kernels.cuda import launch, sums

_PLANES = 32  # voxels that a thread walks along z
_TILE = (
    32,
    4,
)  # threads along x and y of a block: small ones, as many as a multiprocessor holds, wait for each other least
_WIDEST = 2  # voxels along x of a thread
_BLOCKS = {1: 8, 2: 5}  # on a multiprocessor, by the voxels of a thread


def total_variation(volume: Any, anisotropic: bool) -> np.ndarray:
    """Total variation by column, float64 (channel, x); zero differences at the last plane of each axis."""
    partial = _partial(volume.shape, 1)
    args = (volume, partial, *_sizes(volume.shape, anisotropic))
    _launch("total_variation", volume.shape, args)
    return sums.fold(partial)


def spare(dual: Any) -> Any:
    """Room for the next dual field: like dual, uninitialised."""
    return launch.empty(dual.shape, dual.dtype)


def ascend(noisy: Any, inverse: Any, weight: np.ndarray, dual: Any, spare: Any, anisotropic: bool) -> tuple[Any, Any]:
    """One iteration of dual projected gradient, over-relaxed by 1.75, from dual into spare; returns (spare, dual).

    The dual p stands for the volume ``max(0, noisy - weight * inverse * L(p))``; see `fusedtomo.kernels.numba.tv`.
    """
    args = (noisy, inverse, launch.upload_floats(weight), dual, spare, *_sizes(noisy.shape, anisotropic))
    _launch("ascend", noisy.shape, args, dual)
    return spare, dual


def finish(
    noisy: Any, inverse: Any, weight: np.ndarray, dual: Any, out: Any, anisotropic: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write the volume that a dual stands for into out; return its variation, pairing and distance by column.

    They are its total variation, its pairing with the dual, and its ``(out - noisy)^2 / inverse``, all float64
    (channel, x); ``weight (variation - pairing)`` summed over x is the duality gap, at least 0.
    """
    partial = _partial(noisy.shape, 3)
    args = (noisy, inverse, launch.upload_floats(weight), dual, out, partial, *_sizes(noisy.shape, anisotropic))
    _launch("finish", noisy.shape, args, dual)
    variation, pairing, moved = sums.fold(partial).reshape(3, noisy.shape[0], noisy.shape[3])
    return variation, pairing, moved


def _launch(name: str, shape: tuple[int, ...], args: tuple[Any, ...], dual: Any = None) -> None:
    n_channels, nz, ny, nx = shape
    width = 1 if dual is None else min(launch.width(nx), _WIDEST)
    across = launch.blocks(nx, _TILE[0] * width), launch.blocks(ny, _TILE[1])
    defines: tuple[str, ...] = (
        f"WIDTH={width}",
        f"TILE_X={_TILE[0]}",
        f"TILE_Y={_TILE[1]}",
        f"BLOCKS={_BLOCKS[width]}",
    )
    if dual is not None and dual.dtype == np.float16:
        defines += ("FUSEDTOMO_HALF_DUALS",)
    launch.launch("tv", name, (*across, launch.blocks(nz, _PLANES) * n_channels), _TILE, args, defines)


def _sizes(shape: tuple[int, ...], anisotropic: bool) -> tuple[np.int32, ...]:
    return tuple(map(np.int32, (*shape[1:], _PLANES, anisotropic)))


def _partial(shape: tuple[int, ...], n_sums: int) -> Any:
    """Room for one float64 sum per column and chunk of planes, (n_sums * channel, chunk and y, x)."""
    n_channels, nz, ny, nx = shape
    return launch.empty((n_sums * n_channels, launch.blocks(nz, _PLANES) * ny, nx), np.float64)
