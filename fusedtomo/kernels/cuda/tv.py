"""GPU kernels of total variation; arguments as in `fusedtomo.kernels.numba.tv`, the sources in tv.cu.

Volumes are float32 (channel, z, y, x), dual fields float32 or float16 (channel, 3, z, y, x), weights float32 host
arrays (channel,); `anisotropic` sums the absolute values of a gradient's components instead of its norm.
"""

from typing import Any

import numpy as np

from fusedtomo.kernels.cuda import launch, sums

_PLANES = 32  # voxels that a thread walks along z
_TILE = 64, 8  # voxels along x and y of a block; wide ones read fewer neighbours of other blocks
_NARROW_TILE = 32, 8


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
    """The volume that a dual stands for, into out, and by column its total variation, its pairing with the dual, and
    its ``(out - noisy)^2 / inverse``.

    All are float64 (channel, x); ``weight (variation - pairing)`` summed over x is the duality gap, at least 0.
    """
    partial = _partial(noisy.shape, 3)
    args = (noisy, inverse, launch.upload_floats(weight), dual, out, partial, *_sizes(noisy.shape, anisotropic))
    _launch("finish", noisy.shape, args, dual)
    variation, pairing, moved = sums.fold(partial).reshape(3, noisy.shape[0], noisy.shape[3])
    return variation, pairing, moved


def _launch(name: str, shape: tuple[int, ...], args: tuple[Any, ...], dual: Any = None) -> None:
    grid, block = _threads(shape)
    half = ("FUSEDTOMO_HALF_DUALS",) if dual is not None and dual.dtype == np.float16 else ()
    launch.launch("tv", name, grid, block, args, (f"TILE_X={block[0]}", f"TILE_Y={block[1]}", *half))


def _sizes(shape: tuple[int, ...], anisotropic: bool) -> tuple[np.int32, ...]:
    return tuple(map(np.int32, (*shape[1:], _PLANES, anisotropic)))


def _partial(shape: tuple[int, ...], n_sums: int) -> Any:
    """Room for one float64 sum per column and chunk of planes, (n_sums * channel, chunk and y, x)."""
    n_channels, nz, ny, nx = shape
    return launch.empty((n_sums * n_channels, launch.blocks(nz, _PLANES) * ny, nx), np.float64)


def _threads(shape: tuple[int, ...]) -> tuple[tuple[int, int, int], tuple[int, int]]:
    """Grid and block."""
    n_channels, nz, ny, nx = shape
    block = _TILE if nx > _NARROW_TILE[0] else _NARROW_TILE
    grid = (launch.blocks(nx, block[0]), launch.blocks(ny, block[1]), launch.blocks(nz, _PLANES) * n_channels)
    return grid, block
