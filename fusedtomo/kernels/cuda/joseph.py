"""GPU kernels of the projector; arguments as in `fusedtomo.kernels.numba.joseph`, the sources in joseph.cu."""

from functools import lru_cache
from typing import Any

import numpy as np

from fusedtomo.kernels.cuda import launch
from fusedtomo.kernels.cuda.zcontrast import slope_scale

_BLOCK, _ADJOINT_BLOCK = (32, 8), (32, 4)
_RAYS, _TILTS, _VOXELS = 4, 4, 8  # work of a thread or block, see joseph.cu
_ONE = 2.0**32  # the unit of fixed-point positions


def forward(volume: Any, cos: np.ndarray, sin: np.ndarray, out: Any) -> None:
    """Line integrals, in voxels: volume (channel, z, y, x) float32 or float16 -> out (channel, tilt, t, x) float32.

    cos, sin: float64 host arrays (tilt,).
    """
    n_channels, nz, ny, nx = volume.shape
    n_tilts, nt = out.shape[1:3]
    lines, inverse_h = _crossings(np.float64(cos).tobytes(), np.float64(sin).tobytes(), nz, ny, nt)
    width = launch.width(nx)
    defines: tuple[str, ...] = (f"WIDTH={width}", f"RAYS={_RAYS}", f"TILTS={_TILTS}")
    if volume.dtype == np.float16:
        defines += ("FUSEDTOMO_HALF_VOLUME",)
    t_blocks = launch.blocks(nt, _BLOCK[1] // _TILTS * _RAYS)
    grid = (launch.blocks(n_tilts, _TILTS) * t_blocks, launch.blocks(nx, 32 * width), n_channels)
    sizes = map(np.int32, (n_tilts, nt, nz, ny, nx))
    args = (volume, launch.upload(lines), launch.upload(inverse_h), out, *sizes)
    launch.launch("joseph", "forward", grid, _BLOCK, args, defines)


def adjoint(stack: Any, cos: np.ndarray, sin: np.ndarray, out: Any, add: bool) -> None:
    """Back-projection, the transpose of `forward`: stack (channel, tilt, t, x) -> out (channel, z, y, x); add: +=."""
    _gather("adjoint", stack, cos, sin, out.shape[-3:-1], (out,), (), add)


def adjoint_pullback(
    stack: Any,
    cos: np.ndarray,
    sin: np.ndarray,
    volume: Any,
    zeta: np.ndarray,
    gamma: float,
    floor: float,
    scratch: Any,
    out: Any,
    add: bool,
) -> None:
    """`adjoint` of a stack (tilt, t, x), and `zcontrast.add_pullback` of that into out (element, z, y, x).

    In one pass; scratch (z, y, x) is left alone.
    """
    scale = launch.upload_floats(slope_scale(zeta, gamma))
    args = (volume, scale, np.float32(gamma), np.float32(floor), out)
    _gather("adjoint_pullback", stack[None], cos, sin, out.shape[-3:-1], args, (out.shape[0],), add)


def _gather(
    name: str,
    stack: Any,
    cos: np.ndarray,
    sin: np.ndarray,
    depth_and_width: tuple[int, int],
    args: tuple[Any, ...],
    counts: tuple[int, ...],
    add: bool,
) -> None:
    """Launch a kernel that back-projects a stack (channel, tilt, t, x); args, counts: what it alone takes."""
    n_channels, n_tilts, nt, nx = stack.shape
    nz, ny = depth_and_width
    steps, weights = _shadows(np.float64(cos).tobytes(), np.float64(sin).tobytes(), nz, ny, nt)
    width = launch.width(nx)
    across = launch.blocks(nx, 32 * width)
    grid = launch.blocks(ny, _ADJOINT_BLOCK[1]), launch.blocks(nz, _VOXELS), across * n_channels
    sizes = map(np.int32, (*counts, n_tilts, nt, nz, ny, nx, add))
    args = (stack, launch.upload(steps), launch.upload(weights), *args, *sizes)
    launch.launch("joseph", name, grid, _ADJOINT_BLOCK, args, (f"WIDTH={width}", f"VOXELS={_VOXELS}"))


@lru_cache(maxsize=64)
def _crossings(cos: bytes, sin: bytes, nz: int, ny: int, nt: int) -> tuple[np.ndarray, np.ndarray]:
    """Every tilt's fixed-point steps of a ray over the planes it crosses, int64 (tilt, 4), and 1/h, float32 (tilt,).

    A ray crosses plane k where ``t - t_centre = (m - m_centre) c + (k - k_centre) s``, at row m.
    """
    c, s = np.frombuffer(cos), np.frombuffer(sin)
    along_z = np.abs(c) >= np.abs(s)
    k_centre, m_centre = np.where(along_z, (nz - 1) / 2, (ny - 1) / 2), np.where(along_z, (ny - 1) / 2, (nz - 1) / 2)
    c, s = np.where(along_z, c, s), np.where(along_z, s, c)
    start = (k_centre * s - (nt - 1) / 2) / c + m_centre
    lines = np.stack([_fixed(1 / c), _fixed(-s / c), _fixed(start), along_z.astype(np.int64)], axis=1)
    return lines, (1 / np.abs(c)).astype(np.float32)


@lru_cache(maxsize=64)
def _shadows(cos: bytes, sin: bytes, nz: int, ny: int, nt: int) -> tuple[np.ndarray, np.ndarray]:
    """Every tilt's fixed-point steps of a voxel's t, int64 (tilt, 3), and 1/h with 1/h^2, float32 (tilt, 2)."""
    c, s = np.frombuffer(cos), np.frombuffer(sin)
    start = (nt - 1) / 2 - c * (ny - 1) / 2 - s * (nz - 1) / 2
    h = np.maximum(np.abs(c), np.abs(s))
    return np.stack([_fixed(c), _fixed(s), _fixed(start)], axis=1), np.stack([1 / h, h**-2.0], axis=1).astype(
        np.float32
    )


def _fixed(position: np.ndarray) -> np.ndarray:
    return np.rint(position * _ONE).astype(np.int64)
