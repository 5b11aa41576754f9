"""GPU kernels of total variation; arguments as in `fusedtomo.kernels.numba.tv`, the sources in tv.cu and tv_prox.cu.

Volumes are float32 (channel, z, y, x), dual fields float32 or float16 (channel, 3, z, y, x), weights float32 host
arrays (channel,), local weights (channel, z, y, x) of the dual field's type or None; `anisotropic` sums the absolute
values of a gradient's components instead of its norm.
"""

from math import prod
from typing import Any

import numpy as np

from fusedtomo.kernels.cuda import launch, sums
from fusedtomo.kernels.cuda.launch import Pending
from fusedtomo.kernels.interface import RELAXATION

_PLANES = 32  # voxels that a thread walks along z
_TILE = (
    32,
    4,
)  # threads along x and y of a block: small ones, as many as a multiprocessor holds, wait for each other least
_WIDEST = 2  # voxels along x of a thread
_BLOCKS = {1: 8, 2: 5}  # on a multiprocessor, by the voxels of a thread
_PROX_TILE, _MARGIN = (16, 32), 5  # threads of a block of tv_prox.cu, and voxels of its tile that are not its own
_FEWEST = 100  # of those blocks, one a multiprocessor: with fewer, small blocks that read more are faster
_MOST = 2**31  # voxels of a channel: it addresses them with 32 bits


def total_variation(volume: Any, anisotropic: bool, local: Any = None) -> Pending:
    """Total variation by column, float64 (channel, x); zero differences at the last plane of each axis."""
    partial, given = _partial(volume.shape, 1), volume if local is None else local
    args = (volume, given, partial, *_sizes(volume.shape, anisotropic))
    _launch("total_variation", volume.shape, args, 1, _kinds(given, local))
    return sums.fold(partial, volume.shape[:1])


def spare(dual: Any) -> Any:
    """Room for the next dual field: like dual, uninitialised."""
    return launch.empty(dual.shape, dual.dtype)


def ascend(
    noisy: Any,
    inverse: Any,
    weight: np.ndarray,
    dual: Any,
    spare: Any,
    anisotropic: bool,
    local: Any = None,
    relaxation: float = RELAXATION,
) -> tuple[Any, Any]:
    """One iteration of dual projected gradient, over-relaxed, from dual into spare; returns (spare, dual).

    The dual p stands for the volume ``max(0, noisy - weight * inverse * L(p))``; see `fusedtomo.kernels.numba.tv`.
    """
    sizes = _sizes(noisy.shape, anisotropic)
    args = (*_read(noisy, inverse, weight, local, dual), spare, *sizes, np.float32(relaxation))
    _launch("ascend", noisy.shape, args, _width(noisy.shape), _kinds(dual, local))
    return spare, dual


def finish(
    noisy: Any, inverse: Any, weight: np.ndarray, dual: Any, out: Any, anisotropic: bool, local: Any = None
) -> Pending:
    """Write the volume that a dual stands for into out; return its variation, pairing and distance by column.

    They are its total variation, its pairing with the dual, and its ``(out - noisy)^2 / inverse``, float64
    (3, channel, x); ``weight (variation - pairing)`` summed over x is the duality gap, at least 0.
    """
    partial = _partial(noisy.shape, 3)
    args = (*_read(noisy, inverse, weight, local, dual), out, partial, *_sizes(noisy.shape, anisotropic))
    _launch("finish", noisy.shape, args, _width(noisy.shape), _kinds(dual, local))
    return sums.fold(partial, (3, noisy.shape[0]))


def prox(
    noisy: Any,
    inverse: Any,
    weight: np.ndarray,
    dual: Any,
    spare: Any,
    out: Any,
    iterations: int,
    anisotropic: bool,
    local: Any = None,
) -> tuple[Any, Any, Pending]:
    """`ascend`, so many times, then `finish`; returns the dual, the spare, and what `finish` returns, with their bits.

    Where blocks fill a device, two ascents are one pass, and the last two with `finish`.
    """
    worth = prod(_tiles(noisy.shape)) >= _FEWEST and prod(noisy.shape[1:]) < _MOST
    pairs = iterations // 2 if worth else 0
    for _ in range(iterations - 2 * pairs):
        dual, spare = ascend(noisy, inverse, weight, dual, spare, anisotropic, local)
    for _ in range(pairs - 1):
        _launch_pair("ascend_twice", noisy, inverse, weight, local, dual, (spare,), anisotropic)
        dual, spare = spare, dual
    if not pairs:
        return dual, spare, finish(noisy, inverse, weight, dual, out, anisotropic, local)
    partial = _partial(noisy.shape, 3)
    _launch_pair("prox", noisy, inverse, weight, local, dual, (spare, out, partial), anisotropic)
    return spare, dual, sums.fold(partial, (3, noisy.shape[0]))


def _read(noisy: Any, inverse: Any, weight: np.ndarray, local: Any, dual: Any) -> tuple[Any, ...]:
    """What a kernel of the prox reads, in the order of its arguments; without local weights another array stands in."""
    return noisy, inverse, launch.upload_floats(weight), dual if local is None else local, dual


def _launch_pair(
    name: str,
    noisy: Any,
    inverse: Any,
    weight: np.ndarray,
    local: Any,
    dual: Any,
    written: tuple[Any, ...],
    anisotropic: bool,
) -> None:
    """Launch a kernel of tv_prox.cu."""
    sizes = map(np.int32, (*noisy.shape[1:], _march(noisy.shape[1]), anisotropic))
    args = (*_read(noisy, inverse, weight, local, dual), *written, *sizes)
    defines = (f"WIDTH={_width(noisy.shape)}", f"PLANES={_PLANES}", *_tile(_PROX_TILE))
    launch.launch("tv_prox", name, _tiles(noisy.shape), _PROX_TILE, args, defines + _kinds(dual, local))


def _tiles(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The blocks of tv_prox.cu: by what is a tile's own along x and y, and by marches along z."""
    n_channels, nz, ny, nx = shape
    width = _width(shape)
    own = (_PROX_TILE[0] * width - _MARGIN) // width * width, _PROX_TILE[1] - _MARGIN
    return launch.blocks(nx, own[0]), launch.blocks(ny, own[1]), launch.blocks(nz, _march(nz)) * n_channels


def _march(nz: int) -> int:
    """Planes that a block of tv_prox.cu is for; it makes five more."""
    return 2 * _PLANES if nz > 2 * _PLANES else _PLANES


def _launch(name: str, shape: tuple[int, ...], args: tuple[Any, ...], width: int, kinds: tuple[str, ...]) -> None:
    """Launch a kernel of tv.cu; width: the voxels of a thread along x."""
    n_channels, nz, ny, nx = shape
    across = launch.blocks(nx, _TILE[0] * width), launch.blocks(ny, _TILE[1])
    defines = (f"WIDTH={width}", *_tile(_TILE), f"BLOCKS={_BLOCKS[width]}")
    grid = (*across, launch.blocks(nz, _PLANES) * n_channels)
    launch.launch("tv", name, grid, _TILE, args, defines + kinds)


def _tile(tile: tuple[int, int]) -> tuple[str, str]:
    return f"TILE_X={tile[0]}", f"TILE_Y={tile[1]}"


def _width(shape: tuple[int, ...]) -> int:
    return min(launch.width(shape[3]), _WIDEST)


def _kinds(kept: Any, local: Any) -> tuple[str, ...]:
    """The macros of what kernels are given: what is kept in half precision, and whether there are local weights."""
    halves = ("FUSEDTOMO_HALF_DUALS",) if kept.dtype == np.float16 else ()
    return halves if local is None else (*halves, "FUSEDTOMO_LOCAL_WEIGHTS")


def _sizes(shape: tuple[int, ...], anisotropic: bool) -> tuple[np.int32, ...]:
    return tuple(map(np.int32, (*shape[1:], _PLANES, anisotropic)))


def _partial(shape: tuple[int, ...], n_sums: int) -> Any:
    """Room for one float64 sum per column and chunk of planes, (n_sums * channel, chunk and y, x)."""
    n_channels, nz, ny, nx = shape
    return launch.empty((n_sums * n_channels, launch.blocks(nz, _PLANES) * ny, nx), np.float64)
