"""CPU kernels of the projector: Joseph interpolation forward, its exact adjoint by gathering.

A ray at detector position t crosses the slice along the axis it is steeper to. With h = max(|cos|, |sin|) the
weight of a voxel whose centre projects to t_v is ``max(0, 1 - |t_v - t| / h) / h`` (Joseph 1982); forward and
adjoint evaluate the same weight, one per ray and one per voxel, and so are transposes of each other.

x, the tilt axis, is contiguous, so each weight drives one SIMD pass over a row of up to X_BLOCK floats. Both
kernels copy what many tilts or voxels share into a small padded buffer that stays in the cache. Every
output belongs to one job and is summed in a fixed order, so that results do not depend on the number of threads.
Rows are indexed with `x` straight from `range`, offsets taken by slicing beforehand: `row[x0 + x]` costs a
negative-index test in the innermost loop, and with it the SIMD code.
"""

from math import ceil, floor

import numpy as np
from numba import njit, prange

X_BLOCK = 128  # floats per row; longer rows spread the cost of setting up a pass
_SLAB_ROWS = 1536  # rows of X_BLOCK floats in 768 KiB: the forward kernel's buffer
_TILE = 32  # voxels on a side; 47 tilts' detector rows under such a tile take 1.2 MiB: the adjoint kernel's buffer
_MIN_JOBS = 8  # forward jobs that a small volume is cut into; each copies its slabs again
_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}  # NaN and infinity keep their meaning


@njit(inline="always")
def _add_two_rows(out, w0, row0, w1, row1, width):
    for x in range(width):
        out[x] += w0 * row0[x] + w1 * row1[x]


@njit(inline="always")
def _copy_row(source, target, width):
    for x in range(width):
        target[x] = source[x]


@njit(fastmath=_FASTMATH)
def _cross(slab, first, n_planes, c, s, plane_centre, centre, lines):
    """Add a slab to the rays that are steeper to its first axis: slab (plane, m + 2, x) -> lines (t, x).

    A ray crosses plane k where ``t = (m - centre) c + (k - plane_centre) s``.
    """
    n, nt, width = slab.shape[1] - 2, lines.shape[0], lines.shape[1]
    h, tc = abs(c), 0.5 * (nt - 1)
    for d in range(nt):
        for k in range(n_planes):
            m = ((d - tc) - (first + k - plane_centre) * s) / c + centre
            below = floor(m)
            if below >= -1 and below < n:
                w1 = np.float32((m - below) / h)
                w0 = np.float32((1.0 - (m - below)) / h)
                _add_two_rows(lines[d], w0, slab[k, below + 1], w1, slab[k, below + 2], width)


@njit(fastmath=_FASTMATH)
def _cross_planes(volume, x0, along_z, cos, sin, lines):
    """All of one channel's planes across z (or y), slab by slab: volume (z, y, x) -> lines (tilt, t, x)."""
    nz, ny = volume.shape[:2]
    width = lines.shape[2]
    n, m = (nz, ny) if along_z else (ny, nz)
    thick = max(1, _SLAB_ROWS // (m + 2))
    # one row of zeros on either side, so that rays that enter or leave between two rows need no test
    slab = np.zeros((thick, m + 2, width), np.float32)
    for first in range(0, n, thick):
        n_planes = min(thick, n - first)
        for k in range(n_planes):
            for i in range(m):
                source = volume[first + k, i] if along_z else volume[i, first + k]
                _copy_row(source[x0:], slab[k, i + 1], width)
        for tilt in range(cos.size):
            c, s = (cos[tilt], sin[tilt]) if along_z else (sin[tilt], cos[tilt])
            if abs(c) > abs(s) or (along_z and abs(c) == abs(s)):
                _cross(slab, first, n_planes, c, s, 0.5 * (n - 1), 0.5 * (m - 1), lines[tilt])


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def forward(volume, cos, sin, out):
    """Line integrals, in voxels: volume (channel, z, y, x) -> out (channel, tilt, t, x), all float32."""
    n_channels, nx = volume.shape[0], volume.shape[3]
    n_tilts, nt = out.shape[1:3]
    n_blocks = (nx + X_BLOCK - 1) // X_BLOCK
    n_groups = max(1, min(n_tilts, _MIN_JOBS // (n_channels * n_blocks)))
    for job in prange(n_channels * n_blocks * n_groups):
        channel, block, group = job // (n_blocks * n_groups), job // n_groups % n_blocks, job % n_groups
        x0 = block * X_BLOCK
        first, last = group * n_tilts // n_groups, (group + 1) * n_tilts // n_groups
        lines = np.zeros((last - first, nt, min(X_BLOCK, nx - x0)), np.float32)
        for along_z in (True, False):
            _cross_planes(volume[channel], x0, along_z, cos[first:last], sin[first:last], lines)
        for tilt in range(last - first):
            for d in range(nt):
                _copy_row(lines[tilt, d], out[channel, first + tilt, d, x0:], lines.shape[2])


@njit(fastmath=_FASTMATH)
def _gather_tile(stack, x0, cos, sin, z0, y0, centres, buffer, out):
    """Back-project into one tile: stack (tilt, t, x) -> out (z, y, x), whose first voxel is (z0, y0)."""
    n_tilts, nt = stack.shape[:2]
    height, length, width = out.shape
    zc, yc, tc = centres
    span = buffer.shape[1]
    start = np.empty(n_tilts, np.int64)
    for tilt in range(n_tilts):
        c, s = cos[tilt], sin[tilt]
        lowest = min(0.0, (length - 1) * c) + min(0.0, (height - 1) * s)
        # one row to spare: a voxel's t may round to either side of what the tile's corner gave
        start[tilt] = floor((y0 - yc) * c + (z0 - zc) * s + tc + lowest) - 1
        for i in range(span):
            d = start[tilt] + i
            if d >= 0 and d < nt:
                _copy_row(stack[tilt, d, x0:], buffer[tilt, i], width)
            else:
                buffer[tilt, i] = 0.0
    for z in range(height):
        for y in range(length):
            out[z, y] = 0.0
            for tilt in range(n_tilts):
                c, s = cos[tilt], sin[tilt]
                h = max(abs(c), abs(s))
                t = (y0 + y - yc) * c + (z0 + z - zc) * s + tc
                below = floor(t)
                i = below - start[tilt]
                w0 = np.float32(max(0.0, 1.0 - (t - below) / h) / h)
                w1 = np.float32(max(0.0, 1.0 - (below + 1 - t) / h) / h)
                _add_two_rows(out[z, y], w0, buffer[tilt, i], w1, buffer[tilt, i + 1], width)


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def adjoint(stack, cos, sin, out):
    """Back-projection, the transpose of `forward`: stack (channel, tilt, t, x) -> out (channel, z, y, x), float32."""
    n_channels, n_tilts, nt, nx = stack.shape
    nz, ny = out.shape[1:3]
    n_blocks, z_tiles, y_tiles = (nx + X_BLOCK - 1) // X_BLOCK, (nz + _TILE - 1) // _TILE, (ny + _TILE - 1) // _TILE
    centres = (0.5 * (nz - 1), 0.5 * (ny - 1), 0.5 * (nt - 1))
    span = ceil(_TILE * np.sqrt(2.0)) + 4  # detector rows that a tile's diagonal covers, and a margin
    for job in prange(n_channels * n_blocks * z_tiles * y_tiles):
        channel, x0 = job // (n_blocks * z_tiles * y_tiles), job // (z_tiles * y_tiles) % n_blocks * X_BLOCK
        z0, y0 = job // y_tiles % z_tiles * _TILE, job % y_tiles * _TILE
        width, height, length = min(X_BLOCK, nx - x0), min(_TILE, nz - z0), min(_TILE, ny - y0)
        buffer = np.empty((n_tilts, span, width), np.float32)
        tile = np.empty((height, length, width), np.float32)
        _gather_tile(stack[channel], x0, cos, sin, z0, y0, centres, buffer, tile)
        for z in range(height):
            for y in range(length):
                _copy_row(tile[z, y], out[channel, z0 + z, y0 + y, x0:], width)
