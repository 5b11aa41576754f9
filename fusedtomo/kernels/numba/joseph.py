"""CPU kernels of the projector: Joseph interpolation forward, its exact adjoint by gathering.

A ray at detector position t crosses the slice along the axis it is steeper to. With h = max(|cos|, |sin|) the
weight of a voxel whose centre projects to t_v is ``max(0, 1 - |t_v - t| / h) / h`` (Joseph 1982); forward and
adjoint evaluate the same weight, one per ray and one per voxel, and so are transposes of each other.

Either way an output row is a weighted sum of pairs of neighbouring rows of a small padded buffer that stays in
the cache: of the planes that a ray crosses, or of the detector rows that a voxel meets. The weights of all pairs
come first, in a loop with SIMD code; `add_pairs` then drives each of them over a row of x, the tilt axis.
Every output belongs to one job and is summed in a fixed order: results do not depend on the number of threads.
"""

from math import ceil, floor

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from fusedtomo.kernels.numba import zcontrast
from fusedtomo.kernels.numba.jit import Doubles, Floats, njit, prange
from fusedtomo.kernels.numba.simd import PAIR_LANES, add_pairs

_SLAB_BYTES = 768 * 1024  # the forward kernel's buffer; half of a second-level cache
_TILE = 32  # voxels on a side; the detector rows of _GROUP tilts under such a tile take 600 KiB
_GROUP = 24  # tilts back-projected together: one voxel's rows of 64 floats stay in the first-level cache

Offsets = NDArray[np.int32]
Pairs = tuple[Offsets, Floats, Floats]  # where the first row of a pair starts in a buffer, and the weights of both


@njit(inline="always")
def _row_block(nx: int) -> int:
    """Floats of a buffer row: one weight serves two calls of add_pairs where the volume is long enough."""
    return PAIR_LANES if nx <= PAIR_LANES else 2 * PAIR_LANES


@njit(inline="always")
def _aligned(n: int) -> Floats:
    """n floats from a cache line's start on: a vector that straddles two lines costs two loads."""
    room = np.empty(n + 16, np.float32)
    start = (-(room.ctypes.data // 4)) % 16
    return room[start : start + n]


@njit(inline="always")
def _copy(source: Floats, target: Floats, width: int) -> None:
    for x in range(width):
        target[x] = source[x]


@njit
def _ray_pairs(
    at_zero: float,
    first: int,
    slope: float,
    per_ray: float,
    end: float,
    peak: float,
    row_floats: int,
    plane_floats: int,
    offsets: Offsets,
    w0: Floats,
    w1: Floats,
) -> None:
    """The pairs of rows where rays cross planes, (plane, ray); rays that miss are sent to rows of zeros.

    Ray d meets plane first + k at padded row ``at_zero + slope (first + k) + per_ray d``.
    Where a ray meets a plane must not be rounded differently in slabs of another thickness, which depends on x.
    """
    for k in range(offsets.shape[0]):
        at, plane = at_zero + slope * (first + k), np.int32(k * plane_floats)
        o, u0, u1 = offsets[k], w0[k], w1[k]
        for d in range(o.size):
            place = min(max(at + per_ray * d, 0.0), end)
            below = np.int32(place)
            o[d] = plane + below * np.int32(row_floats)
            u1[d] = np.float32((place - below) * peak)
            u0[d] = np.float32((1.0 - (place - below)) * peak)


@njit
def _inside(at_first: float, slope: float, end: float, n_planes: int) -> tuple[int, int]:
    """The first plane and one past the last at which a ray is inside, with one to spare."""
    if slope == 0.0:
        return 0, n_planes if at_first >= 0.0 and at_first <= end else 0
    one, other = -at_first / slope, (end - at_first) / slope
    low = min(max(floor(min(one, other)), 0.0), float(n_planes))
    high = min(max(ceil(max(one, other)) + 1.0, 0.0), float(n_planes))
    return int(low), int(high)


@njit
def _cross(
    slab: Floats,
    first: int,
    n_planes: int,
    m: int,
    row_floats: int,
    c: float,
    s: float,
    plane_centre: float,
    pairs: Pairs,
    lines: Floats,
) -> None:
    """Add a slab, (plane, m + 3, x) flat, to the rays that are steeper to its first axis: lines (t, x).

    A ray crosses plane k where ``t = (row - centre) c + (k - plane_centre) s``; slab rows carry one zero row before
    them and two behind, where rays that miss are sent.
    """
    nt = lines.shape[0]
    offsets, w0, w1 = pairs[0][:n_planes], pairs[1][:n_planes], pairs[2][:n_planes]
    slope, end = -s / c, m + 1.0
    at_zero = (-0.5 * (nt - 1) + plane_centre * s) / c + 0.5 * (m - 1) + 1.0
    at_first, peak, plane_floats = at_zero + slope * first, 1.0 / abs(c), (m + 3) * row_floats
    _ray_pairs(at_zero, first, slope, 1.0 / c, end, peak, row_floats, plane_floats, offsets, w0, w1)
    flat = offsets.reshape(-1), w0.reshape(-1), w1.reshape(-1)
    for d in range(nt):
        low, high = _inside(at_first + d / c, slope, end, n_planes)
        for start in range(0, row_floats, PAIR_LANES):
            add_pairs(slab[start:], row_floats, flat[0][d:], flat[1][d:], flat[2][d:], low, high, nt, lines[d], start)


@njit(inline="always")
def _is_steeper(c: float, s: float, along_z: bool) -> bool:
    return abs(c) >= abs(s) if along_z else abs(c) < abs(s)


@njit
def _cross_planes(
    volume: Floats, x0: int, width: int, along_z: bool, cos: Doubles, sin: Doubles, slab: Floats, lines: Floats
) -> None:
    """All of one channel's planes across z (or y), slab by slab: volume (z, y, x) -> lines (tilt, t, x)."""
    nz, ny = volume.shape[:2]
    row_floats = lines.shape[2]
    n, m = (nz, ny) if along_z else (ny, nz)
    thick = min(n, slab.size // ((m + 3) * row_floats))
    nt, here = lines.shape[1], 0
    pairs = np.empty((thick, nt), np.int32), np.empty((thick, nt), np.float32), np.empty((thick, nt), np.float32)
    for tilt in range(cos.size):
        here += _is_steeper(cos[tilt], sin[tilt], along_z)
    for first in range(0, n if here > 0 else 0, thick):
        n_planes = min(thick, n - first)
        for k in range(n_planes):
            for i in range(m):
                source = volume[first + k, i] if along_z else volume[i, first + k]
                _copy(source[x0:], slab[(k * (m + 3) + i + 1) * row_floats :], width)
        for tilt in range(cos.size):
            if _is_steeper(cos[tilt], sin[tilt], along_z):
                c, s = (cos[tilt], sin[tilt]) if along_z else (sin[tilt], cos[tilt])
                _cross(slab, first, n_planes, m, row_floats, c, s, 0.5 * (n - 1), pairs, lines[tilt])


@njit
def _tilt_groups(n_jobs: int, n_tilts: int, n_threads: int) -> int:
    """How many groups of tilts make jobs for all threads; as few as can be, for each group copies the slabs again."""
    groups = 1
    while n_jobs * groups % n_threads and n_jobs * groups < 4 * n_threads and groups < n_tilts:
        groups += 1
    return groups


@njit(inline="always")
def _slab_floats(nz: int, ny: int, row_floats: int) -> int:
    plane = (max(nz, ny) + 3) * row_floats
    return max(plane, min(_SLAB_BYTES // 4 // plane, max(nz, ny)) * plane)


def forward(volume: Floats, cos: Doubles, sin: Doubles, out: Floats) -> None:
    """Line integrals, in voxels: volume (channel, z, y, x) -> out (channel, tilt, t, x), all float32."""
    _forward(volume, cos, sin, get_num_threads(), out)


@njit(parallel=True, cache=True, nogil=True)
def _forward(volume: Floats, cos: Doubles, sin: Doubles, n_threads: int, out: Floats) -> None:
    n_channels, nz, ny, nx = volume.shape
    n_tilts, nt = out.shape[1:3]
    row_floats = _row_block(nx)
    n_blocks = (nx + row_floats - 1) // row_floats
    n_groups = _tilt_groups(n_channels * n_blocks, n_tilts, n_threads)
    for job in prange(n_channels * n_blocks * n_groups):
        channel, block, group = job // (n_blocks * n_groups), job // n_groups % n_blocks, job % n_groups
        x0 = block * row_floats
        width = min(row_floats, nx - x0)
        first, last = group * n_tilts // n_groups, (group + 1) * n_tilts // n_groups
        lines = _aligned((last - first) * nt * row_floats).reshape(last - first, nt, row_floats)
        lines[:] = np.float32(0.0)
        slab = _aligned(_slab_floats(nz, ny, row_floats))
        for along_z in (True, False):
            slab[:] = np.float32(0.0)
            _cross_planes(volume[channel], x0, width, along_z, cos[first:last], sin[first:last], slab, lines)
        for tilt in range(last - first):
            for d in range(nt):
                _copy(lines[tilt, d], out[channel, first + tilt, d, x0:], width)


@njit(inline="always")
def _tile(nz: int, ny: int) -> int:
    """Of small slices a smaller one, so that there are jobs for several threads; never a matter of x or threads."""
    return _TILE if min(nz, ny) > _TILE else _TILE // 2


@njit
def _voxel_pairs(
    y: float,
    z: float,
    cos: Doubles,
    sin: Doubles,
    corner: Doubles,
    steepness: Doubles,
    row_floats: int,
    span: int,
    offsets: Offsets,
    w0: Floats,
    w1: Floats,
) -> None:
    """The pairs of detector rows that a voxel meets, one pair a tilt; (y, z) from the tile's corner."""
    for tilt in range(cos.size):
        place = corner[tilt] + y * cos[tilt] + z * sin[tilt]
        below = np.int32(place)
        peak, near = steepness[tilt], place - below
        offsets[tilt] = (np.int32(tilt * span) + below) * np.int32(row_floats)
        w0[tilt] = np.float32(max(0.0, peak - near * peak * peak))
        w1[tilt] = np.float32(max(0.0, peak - (1.0 - near) * peak * peak))


@njit
def _load_rows(
    stack: Floats,
    x0: int,
    width: int,
    cos: Doubles,
    sin: Doubles,
    z0: int,
    y0: int,
    centres: tuple[float, float, float],
    shape: tuple[int, int],
    span: int,
    buffer: Floats,
    corner: Doubles,
) -> None:
    """Copy the detector rows under a tile, (tilt, span, x) flat, and note where its corner meets them."""
    n_tilts, nt = stack.shape[:2]
    row_floats = buffer.size // (n_tilts * span)
    zc, yc, tc = centres
    height, length = shape
    for tilt in range(n_tilts):
        c, s = cos[tilt], sin[tilt]
        at_corner = (y0 - yc) * c + (z0 - zc) * s + tc
        # one row to spare: a voxel's t may round to either side of what the tile's corner gave
        start = floor(at_corner + min(0.0, (length - 1) * c) + min(0.0, (height - 1) * s)) - 1
        corner[tilt] = at_corner - start
        for i in range(span):
            row = buffer[(tilt * span + i) * row_floats :][:row_floats]
            if start + i >= 0 and start + i < nt:
                _copy(stack[tilt, start + i, x0:], row, width)
            else:
                row[:] = np.float32(0.0)


@njit
def _gather_tile(
    cos: Doubles, sin: Doubles, buffer: Floats, corner: Doubles, span: int, line: Floats, add: bool, out: Floats
) -> None:
    """Back-project into one tile, out (z, y, x), from the detector rows under it."""
    n_tilts = cos.size
    height, length, width = out.shape
    row_floats = line.size
    offsets, steepness = np.empty(n_tilts, np.int32), 1.0 / np.maximum(np.abs(cos), np.abs(sin))
    w0, w1 = np.empty(n_tilts, np.float32), np.empty(n_tilts, np.float32)
    for z in range(height):
        for y in range(length):
            _voxel_pairs(float(y), float(z), cos, sin, corner, steepness, row_floats, span, offsets, w0, w1)
            line[:] = np.float32(0.0)
            for start in range(0, row_floats, PAIR_LANES):
                add_pairs(buffer[start:], row_floats, offsets, w0, w1, 0, n_tilts, 1, line, start)
            target = out[z, y]
            if add:
                for x in range(width):
                    target[x] += line[x]
            else:
                _copy(line, target, width)


@njit(parallel=True, cache=True, nogil=True)
def adjoint(stack: Floats, cos: Doubles, sin: Doubles, out: Floats, add: bool) -> None:
    """Back-projection, the transpose of `forward`: stack (channel, tilt, t, x) -> out (channel, z, y, x), float32.

    With `add`, out += instead of out =.
    """
    n_channels, n_tilts, nt, nx = stack.shape
    nz, ny = out.shape[1:3]
    row_floats = _row_block(nx)
    tile = _tile(nz, ny)
    n_blocks, z_tiles, y_tiles = (nx + row_floats - 1) // row_floats, -(-nz // tile), -(-ny // tile)
    centres = (0.5 * (nz - 1), 0.5 * (ny - 1), 0.5 * (nt - 1))
    span = ceil(tile * np.sqrt(2.0)) + 4  # detector rows that a tile's diagonal covers, and a margin
    for job in prange(n_channels * n_blocks * z_tiles * y_tiles):
        channel, x0 = job // (n_blocks * z_tiles * y_tiles), job // (z_tiles * y_tiles) % n_blocks * row_floats
        z0, y0 = job // y_tiles % z_tiles * tile, job % y_tiles * tile
        width, height, length = min(row_floats, nx - x0), min(tile, nz - z0), min(tile, ny - y0)
        target = out[channel, z0 : z0 + height, y0 : y0 + length, x0 : x0 + width]
        line, corner = _aligned(row_floats), np.empty(_GROUP, np.float64)
        room = _aligned(min(_GROUP, n_tilts) * span * row_floats)
        for first in range(0, n_tilts, _GROUP):
            c, s = cos[first : first + _GROUP], sin[first : first + _GROUP]
            buffer = room[: c.size * span * row_floats]
            part = stack[channel, first : first + _GROUP]
            _load_rows(part, x0, width, c, s, z0, y0, centres, (height, length), span, buffer, corner)
            _gather_tile(c, s, buffer, corner, span, line, add or first > 0, target)


def adjoint_pullback(
    stack: Floats,
    cos: Doubles,
    sin: Doubles,
    volume: Floats,
    zeta: Floats,
    gamma: float,
    floor: float,
    scratch: Floats,
    out: Floats,
    add: bool,
) -> None:
    """`adjoint` of a stack (tilt, t, x) into scratch (z, y, x), and `zcontrast.add_pullback` of that into out."""
    adjoint(stack[None], cos, sin, scratch[None], False)
    zcontrast.add_pullback(volume, zeta, gamma, scratch, floor, out, add)
