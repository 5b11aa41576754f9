"""CPU kernels of total variation: its value, an inner iteration of its prox in one pass, and the prox's end.

Forward differences with a zero difference at the last plane of each axis (Neumann), as in Supplement 24. A dual
field is (channel, 3, z, y, x): its components along z, y and x, zero on the last plane of their axis. L is minus
the divergence, the transposed gradient: the prox of a dual p is ``x = max(0, noisy - weight inverse L p)``. A vector of
the dual is at most 1 long, or where there are local weights at most as long as the voxel's: they are the radius of a
projection and a factor in the sum of lengths, and nothing else reads them.

The primal volume lives for two planes only, in the cache, and the dual is updated where it lies. A job owns a band of
planes; what it needs of its neighbours' planes is copied before any job starts. Sums are float64, one for each
column of x and band, so that they do not depend on threads or on how a volume is cut along x.
"""

import numpy as np

from fusedtomo.kernels.interface import RELAXATION
from fusedtomo.kernels.numba.jit import Doubles, Floats, Number, njit, prange
from fusedtomo.kernels.numba.local import Local, lanes, part, weighed
from fusedtomo.kernels.numba.simd import LANES, following, load, magnitude, maximum, preceding, root, splat, store
from fusedtomo.kernels.numba.sums import fold

_BAND = 16  # planes of a job; of each, a plane and a third are copied for the neighbours


@njit(inline="always")
def _band(job: int, nz: int) -> tuple[int, int, int]:
    bands = -(-nz // _BAND)
    first = job % bands * _BAND
    return job // bands, first, min(first + _BAND, nz)


def spare(dual: Floats) -> Floats:
    """Room for the planes that bands show each other: (channel, band, 4, y, x)."""
    n_channels, _, nz, ny, nx = dual.shape
    return np.empty((n_channels, -(-nz // _BAND), 4, ny, nx), np.float32)


@njit(inline="always")
def _vectors(nx: int) -> int:
    """Vectors that cover a row; none a row shorter than one, of which scalars do all."""
    return -(-nx // LANES) if nx >= LANES else 0


@njit(inline="always")
def _place(k: int, nx: int) -> int:
    """Where vector k of a row starts: the last one ends with the row, and does some columns a second time.

    One by one, the columns behind the last whole vector would take longer than all before them.
    """
    return min(k * LANES, nx - LANES)


@njit(inline="always")
def _from_dual(
    v: Number,
    weight_inverse: Number,
    z_1: Number,
    z0: Number,
    y_1: Number,
    y0: Number,
    x_1: Number,
    x0: Number,
) -> Number:
    return maximum(v - v, v - weight_inverse * ((z0 - z_1) + (y0 - y_1) + (x0 - x_1)))


@njit
def _primal(
    noisy: Floats,
    inverse: Floats,
    weight: np.float32,
    pz_1: Floats,
    pz: Floats,
    py: Floats,
    px: Floats,
    out: Floats,
) -> None:
    """One plane of max(0, noisy - weight inverse L p); pz_1 is the plane before, all (y, x)."""
    ny, nx = noisy.shape
    vectors, w = _vectors(nx), splat(weight)
    edge = np.zeros(nx, np.float32)
    for y in range(ny):
        v, i, o, z_1, z0, y0, x0 = noisy[y], inverse[y], out[y], pz_1[y], pz[y], py[y], px[y]
        y_1 = py[y - 1] if y > 0 else edge
        for k in range(vectors):
            x = _place(k, nx)
            ours = load(x0, x)
            left = load(x0, x - 1) if x > 0 else preceding(ours)
            step = w * load(i, x)
            store(o, x, _from_dual(load(v, x), step, load(z_1, x), load(z0, x), load(y_1, x), load(y0, x), left, ours))
        for x in range(0 if vectors == 0 else nx, nx):
            left = x0[x - 1] if x > 0 else np.float32(0.0)
            o[x] = _from_dual(v[x], weight * i[x], z_1[x], z0[x], y_1[x], y0[x], left, x0[x])


@njit(inline="always")
def _on_unit_ball(room: Number, a: Number, b: Number, c: Number, anisotropic: bool) -> tuple[Number, Number, Number]:
    """p r / max(r, |p r|) is p projected on its dual ball; r = 1 / tau saves a division."""
    if anisotropic:
        return a / maximum(room, magnitude(a)), b / maximum(room, magnitude(b)), c / maximum(room, magnitude(c))
    length = maximum(room, root(a * a + b * b + c * c))
    return a / length, b / length, c / length


@njit(inline="always")
def _projected(
    radius: Number, room: Number, a: Number, b: Number, c: Number, anisotropic: bool
) -> tuple[Number, Number, Number]:
    """The same on a ball of radius w > 0: w (p r) / max(w r, |p r|)."""
    a, b, c = _on_unit_ball(weighed(radius, room), a, b, c, anisotropic)
    return weighed(radius, a), weighed(radius, b), weighed(radius, c)


@njit
def _ascend_plane(
    here: Floats,
    ahead: Floats,
    inverse: Floats,
    inverse_ahead: Floats,
    step: np.float32,
    anisotropic: bool,
    local: Local,
    pz: Floats,
    py: Floats,
    px: Floats,
) -> None:
    """One plane of p - tau grad x, projected on the dual ball, in place; here and ahead: planes z and z + 1 of x.

    tau = step / (inverse here + largest inverse ahead): the block form of Pock and Chambolle's diagonal
    preconditioner (ICCV 2011, lemma 2).
    """
    ny, nx = here.shape
    vectors, s = _vectors(nx), splat(step)
    for y in range(ny):
        y1 = min(y + 1, ny - 1)
        row, below, beside, i, ib, iy = here[y], ahead[y], here[y1], inverse[y], inverse_ahead[y], inverse[y1]
        z, v, u, w = pz[y], py[y], px[y], part(local, y)
        if vectors > 0:
            at = _place(vectors - 1, nx)
            last = load(z, at), load(v, at), load(u, at)  # before their first columns change, where vectors overlap
            for k in range(vectors):
                x = _place(k, nx)
                p, q, t = last if k == vectors - 1 else (load(z, x), load(v, x), load(u, x))
                r, j = load(row, x), load(i, x)
                r1, j1 = (load(row, x + 1), load(i, x + 1)) if x + LANES < nx else (following(r), following(j))
                room = j + maximum(maximum(load(ib, x), load(iy, x)), j1)
                a, b = p * room - s * (load(below, x) - r), q * room - s * (load(beside, x) - r)
                c = t * room - s * (r1 - r)
                a, b, c = _projected(lanes(w, x), room, a, b, c, anisotropic)
                store(z, x, a)
                store(v, x, b)
                store(u, x, c)
        for x in range(0 if vectors == 0 else nx, nx):
            e = min(x + 1, nx - 1)
            room = i[x] + maximum(maximum(ib[x], iy[x]), i[e])
            a, b = z[x] * room - step * (below[x] - row[x]), v[x] * room - step * (beside[x] - row[x])
            c = u[x] * room - step * (row[e] - row[x])
            z[x], v[x], u[x] = _projected(part(w, x), room, a, b, c, anisotropic)


@njit
def _copy(source: Floats, target: Floats) -> None:
    """target[:] = source of a plane, which numba compiles for seconds: it formats a message about shapes."""
    for y in range(source.shape[0]):
        for x in range(source.shape[1]):
            target[y, x] = source[y, x]


@njit(parallel=True, cache=True, nogil=True)
def _ascend(
    noisy: Floats,
    inverse: Floats,
    weight: Floats,
    dual: Floats,
    border: Floats,
    anisotropic: bool,
    local: Local,
    relaxation: float,
) -> None:
    n_channels, nz, ny, nx = noisy.shape
    n_bands = border.shape[1]
    for job in prange(n_channels * n_bands):
        channel, first, _ = _band(job, nz)
        if weight[channel] > 0:
            planes = border[channel, first // _BAND]  # as they were before the jobs: p_z before, p at the band's start
            planes[0] = np.float32(0.0)
            if first > 0:
                _copy(dual[channel, 0, first - 1], planes[0])
            for k in range(3):
                _copy(dual[channel, k, first], planes[k + 1])
    for job in prange(n_channels * n_bands):
        channel, first, last = _band(job, nz)
        w = weight[channel]
        if w > 0:
            step = np.float32(relaxation / 6.0) / w
            v, i, p, start = noisy[channel], inverse[channel], dual[channel], border[channel, first // _BAND]
            own = part(local, channel)
            here, ahead = np.empty((ny, nx), np.float32), np.empty((ny, nx), np.float32)
            _primal(v[first], i[first], w, start[0], p[0, first], p[1, first], p[2, first], here)
            for z in range(first, last):
                if z + 1 < last:
                    _primal(v[z + 1], i[z + 1], w, p[0, z], p[0, z + 1], p[1, z + 1], p[2, z + 1], ahead)
                elif z + 1 < nz:
                    b = border[channel, last // _BAND]
                    _primal(v[z + 1], i[z + 1], w, p[0, z], b[1], b[2], b[3], ahead)
                else:
                    _copy(here, ahead)
                after = i[min(z + 1, nz - 1)]
                _ascend_plane(here, ahead, i[z], after, step, anisotropic, part(own, z), p[0, z], p[1, z], p[2, z])
                here, ahead = ahead, here


def ascend(
    noisy: Floats,
    inverse: Floats,
    weight: Floats,
    dual: Floats,
    spare: Floats,
    anisotropic: bool,
    local: Local = None,
    relaxation: float = RELAXATION,
) -> tuple[Floats, Floats]:
    """One inner iteration of the prox: p <- p - tau grad(primal(p)), projected on the dual ball, over-relaxed.

    noisy, inverse, local (channel, z, y, x); weight (channel,), channels of weight 0 are left alone; dual
    (channel, 3, z, y, x) is updated in place. Returns dual and spare; an implementation may have swapped them.
    """
    _ascend(noisy, inverse, weight, dual, spare, anisotropic, local, relaxation)
    return dual, spare


@njit(inline="always")
def _length(dz: Number, dy: Number, dx: Number, anisotropic: bool) -> Number:
    if anisotropic:
        return magnitude(dz) + magnitude(dy) + magnitude(dx)
    return root(dz * dz + dy * dy + dx * dx)


@njit
def _sum_plane(
    here: Floats,
    ahead: Floats,
    pz: Floats,
    py: Floats,
    px: Floats,
    anisotropic: bool,
    local: Local,
    total: Doubles,
    paired: Doubles,
) -> None:
    """Add |grad x|, times local weights, and -<grad x, p> of one plane to the columns' sums."""
    ny, nx = here.shape
    vectors = _vectors(nx)
    lengths, products = np.empty(nx, np.float32), np.empty(nx, np.float32)
    for y in range(ny):
        row, below, beside, z, v, u = here[y], ahead[y], here[min(y + 1, ny - 1)], pz[y], py[y], px[y]
        w = part(local, y)
        for k in range(vectors):
            x = _place(k, nx)
            r = load(row, x)
            r1 = load(row, x + 1) if x + LANES < nx else following(r)
            dz, dy, dx = load(below, x) - r, load(beside, x) - r, r1 - r
            store(lengths, x, weighed(lanes(w, x), _length(dz, dy, dx, anisotropic)))
            store(products, x, dz * load(z, x) + dy * load(v, x) + dx * load(u, x))
        for x in range(0 if vectors == 0 else nx, nx):
            dz, dy, dx = below[x] - row[x], beside[x] - row[x], row[min(x + 1, nx - 1)] - row[x]
            lengths[x] = weighed(part(w, x), _length(dz, dy, dx, anisotropic))
            products[x] = dz * z[x] + dy * v[x] + dx * u[x]
        for x in range(nx):
            total[x] += np.float64(lengths[x])
            paired[x] -= np.float64(products[x])


@njit
def _add_distance(out: Floats, noisy: Floats, inverse: Floats, moved: Doubles) -> None:
    """Add (out - noisy)^2 / inverse of one plane to the columns' sums."""
    ny, nx = out.shape
    vectors, squares = _vectors(nx), np.empty(nx, np.float32)
    for y in range(ny):
        o, v, i = out[y], noisy[y], inverse[y]
        for k in range(vectors):
            x = _place(k, nx)
            move = load(o, x) - load(v, x)
            store(squares, x, move * move / load(i, x))
        for x in range(0 if vectors == 0 else nx, nx):
            move = o[x] - v[x]
            # 0: the left neighbour's column of a slab, which nobody fills or reads; numba raises where lanes give NaN
            squares[x] = move * move / i[x] if i[x] != 0 else np.float32(0)
        for x in range(nx):
            moved[x] += np.float64(squares[x])


@njit(parallel=True, cache=True, nogil=True)
def _finish(
    noisy: Floats,
    inverse: Floats,
    weight: Floats,
    dual: Floats,
    anisotropic: bool,
    local: Local,
    out: Floats,
    total: Doubles,
    paired: Doubles,
    moved: Doubles,
) -> None:
    n_channels, nz, ny, nx = noisy.shape
    n_bands = total.shape[1]
    for job in prange(n_channels * n_bands):
        channel, first, last = _band(job, nz)
        v, i, p, w = noisy[channel], inverse[channel], dual[channel], weight[channel]
        nothing, beyond = np.zeros((ny, nx), np.float32), np.empty((ny, nx), np.float32)
        own, sums = part(local, channel), (total[channel, first // _BAND], paired[channel, first // _BAND])
        for z in range(first, min(last + 1, nz)):
            before, place = p[0, z - 1] if z > 0 else nothing, out[channel, z] if z < last else beyond
            _primal(v[z], i[z], w, before, p[0, z], p[1, z], p[2, z], place)
            if z < last:
                _add_distance(place, v[z], i[z], moved[channel, first // _BAND])
            if z > first:
                k = z - 1
                _sum_plane(out[channel, k], place, p[0, k], p[1, k], p[2, k], anisotropic, part(own, k), *sums)
        if last == nz:
            e, end = out[channel, nz - 1], nz - 1
            _sum_plane(e, e, p[0, end], p[1, end], p[2, end], anisotropic, part(own, end), *sums)


def finish(
    noisy: Floats,
    inverse: Floats,
    weight: Floats,
    dual: Floats,
    out: Floats,
    anisotropic: bool,
    local: Local = None,
) -> Doubles:
    """The prox that a dual stands for, into out (channel, z, y, x), and column sums (3, channel, x), float64.

    They are its total variation TV(x), local weights inside, the pairing ``<x, L p> = -<grad x, p>`` and
    ``(x - noisy)^2 / inverse``; weight (TV - pairing) >= 0 is the duality gap, by which the prox's cost may exceed its
    least.
    """
    n_channels, nz, _, nx = noisy.shape
    total, paired, moved = np.zeros((3, n_channels, -(-nz // _BAND), nx), np.float64)
    _finish(noisy, inverse, weight, dual, anisotropic, local, out, total, paired, moved)
    return np.stack([fold(total), fold(paired), fold(moved)])


def prox(
    noisy: Floats,
    inverse: Floats,
    weight: Floats,
    dual: Floats,
    spare: Floats,
    out: Floats,
    iterations: int,
    anisotropic: bool,
    local: Local = None,
) -> tuple[Floats, Floats, Doubles]:
    """`ascend`, so many times, then `finish`; returns the dual, the spare, and what `finish` returns."""
    for _ in range(iterations):
        dual, spare = ascend(noisy, inverse, weight, dual, spare, anisotropic, local)
    return dual, spare, finish(noisy, inverse, weight, dual, out, anisotropic, local)


@njit(parallel=True, cache=True, nogil=True)
def _total_variation(volume: Floats, anisotropic: bool, local: Local, total: Doubles) -> None:
    n_channels, nz, ny, nx = volume.shape
    for job in prange(n_channels * total.shape[1]):
        channel, first, last = _band(job, nz)
        flat, unused, own = np.zeros((ny, nx), np.float32), np.zeros(nx, np.float64), part(local, channel)
        for z in range(first, last):
            here, ahead = volume[channel, z], volume[channel, min(z + 1, nz - 1)]
            sums = total[channel, first // _BAND], unused
            _sum_plane(here, ahead, flat, flat, flat, anisotropic, part(own, z), *sums)


def total_variation(volume: Floats, anisotropic: bool, local: Local = None) -> Doubles:
    """Total variation of volume (channel, z, y, x), locally weighted or not, as column sums, (channel, x) float64."""
    n_channels, nz, _, nx = volume.shape
    total = np.zeros((n_channels, -(-nz // _BAND), nx), np.float64)
    _total_variation(volume, anisotropic, local, total)
    return fold(total)
