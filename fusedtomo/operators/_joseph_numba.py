"""CPU kernels of the projector: Joseph interpolation forward, its exact adjoint by gathering.

Both kernels work on one channel and one block of the tilt axis x at a time. x is contiguous, so each interpolation
weight drives one SIMD pass over a row, and a block small enough for the cache serves every tilt before the
next one is read. Rows are indexed as 2D arrays with `x` straight from `range`: anything else costs a
negative-index test in the innermost loop.

A ray at detector position t crosses the slice along the axis it is steeper to. With h = max(|cos|, |sin|) the
weight of a voxel whose centre projects to t_v is ``max(0, 1 - |t_v - t| / h) / h`` (Joseph 1982); forward and
adjoint evaluate the same weight, one per ray and one per voxel, and so are transposes of each other.
"""

from math import floor

import numpy as np
from numba import njit, prange

X_BLOCK = 64  # floats per row; a (z, y, 64) block of a 128^3 volume stays in the last-level cache
_SLAB_ROWS = 2048  # rows of X_BLOCK floats in 512 KiB
_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}  # NaN and infinity keep their meaning


@njit(inline="always")
def _add_two_rows(out, w0, row0, w1, row1, width):
    for x in range(width):
        out[x] += w0 * row0[x] + w1 * row1[x]


@njit(fastmath=_FASTMATH)
def _cross_rows(block, c, s, first, last, lines):
    """Add what the rows first <= z < last give to rays that are steeper to z: block (z+2, y+2, x) -> lines (t, x)."""
    ny, nt, width = block.shape[1] - 2, lines.shape[0], lines.shape[1]
    zc, yc, tc = 0.5 * (block.shape[0] - 3), 0.5 * (ny - 1), 0.5 * (nt - 1)
    h = abs(c)
    for d in range(nt):
        for z in range(first, last):
            y = ((d - tc) - (z - zc) * s) / c + yc
            y0 = floor(y)
            if y0 >= -1 and y0 < ny:
                w1 = np.float32((y - y0) / h)
                w0 = np.float32((1.0 - (y - y0)) / h)
                _add_two_rows(lines[d], w0, block[z + 1, y0 + 1], w1, block[z + 1, y0 + 2], width)


@njit(fastmath=_FASTMATH)
def _cross_columns(block, c, s, first, last, lines):
    """The same for rays that are steeper to y, crossing the columns first <= y < last."""
    nz, nt, width = block.shape[0] - 2, lines.shape[0], lines.shape[1]
    zc, yc, tc = 0.5 * (nz - 1), 0.5 * (block.shape[1] - 3), 0.5 * (nt - 1)
    h = abs(s)
    for d in range(nt):
        for y in range(first, last):
            z = ((d - tc) - (y - yc) * c) / s + zc
            z0 = floor(z)
            if z0 >= -1 and z0 < nz:
                w1 = np.float32((z - z0) / h)
                w0 = np.float32((1.0 - (z - z0)) / h)
                _add_two_rows(lines[d], w0, block[z0 + 1, y + 1], w1, block[z0 + 2, y + 1], width)


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def forward(volume, cos, sin, out):
    """Line integrals, in voxels: volume (channel, z, y, x) -> out (channel, tilt, t, x), all float32."""
    n_channels, nz, ny, nx = volume.shape
    n_tilts, nt = out.shape[1], out.shape[2]
    n_blocks = (nx + X_BLOCK - 1) // X_BLOCK
    # a slab of the block that stays in the second-level cache while every tilt passes over it
    z_rows, y_rows = max(1, _SLAB_ROWS // (ny + 2)), max(1, _SLAB_ROWS // (nz + 2))
    for job in prange(n_channels * n_blocks):
        channel, x0 = job // n_blocks, (job % n_blocks) * X_BLOCK
        width = min(X_BLOCK, nx - x0)
        # one row of zeros on every side, so that rays leaving the slice need no test
        block = np.zeros((nz + 2, ny + 2, width), np.float32)
        for z in range(nz):
            for y in range(ny):
                for x in range(width):
                    block[z + 1, y + 1, x] = volume[channel, z, y, x0 + x]
        lines = np.zeros((n_tilts, nt, width), np.float32)
        for slab in range(0, nz, z_rows):
            for tilt in range(n_tilts):
                if abs(cos[tilt]) >= abs(sin[tilt]):
                    _cross_rows(block, cos[tilt], sin[tilt], slab, min(slab + z_rows, nz), lines[tilt])
        for slab in range(0, ny, y_rows):
            for tilt in range(n_tilts):
                if abs(cos[tilt]) < abs(sin[tilt]):
                    _cross_columns(block, cos[tilt], sin[tilt], slab, min(slab + y_rows, ny), lines[tilt])
        for tilt in range(n_tilts):
            for d in range(nt):
                for x in range(width):
                    out[channel, tilt, d, x0 + x] = lines[tilt, d, x]


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def adjoint(stack, cos, sin, out):
    """Back-projection, the transpose of `forward`: stack (channel, tilt, t, x) -> out (channel, z, y, x), float32."""
    n_channels, n_tilts, nt, nx = stack.shape
    nz, ny = out.shape[1], out.shape[2]
    n_blocks = (nx + X_BLOCK - 1) // X_BLOCK
    zc, yc, tc = 0.5 * (nz - 1), 0.5 * (ny - 1), 0.5 * (nt - 1)
    for job in prange(n_channels * n_blocks):
        channel, x0 = job // n_blocks, (job % n_blocks) * X_BLOCK
        width = min(X_BLOCK, nx - x0)
        block = np.zeros((n_tilts, nt + 2, width), np.float32)
        for tilt in range(n_tilts):
            for d in range(nt):
                for x in range(width):
                    block[tilt, d + 1, x] = stack[channel, tilt, d, x0 + x]
        line = np.empty(width, np.float32)
        for z in range(nz):
            for y in range(ny):
                line[:] = 0.0
                for tilt in range(n_tilts):
                    c, s = cos[tilt], sin[tilt]
                    h = max(abs(c), abs(s))
                    t = (y - yc) * c + (z - zc) * s + tc
                    d0 = floor(t)
                    if d0 >= -1 and d0 < nt:
                        w0 = np.float32(max(0.0, 1.0 - (t - d0) / h) / h)
                        w1 = np.float32(max(0.0, 1.0 - (d0 + 1 - t) / h) / h)
                        _add_two_rows(line, w0, block[tilt, d0 + 1], w1, block[tilt, d0 + 2], width)
                for x in range(width):
                    out[channel, z, y, x0 + x] = line[x]
