"""CPU kernels of total variation: its value, and one iteration of dual projected gradient in a single pass.

Forward differences with a zero difference at the last plane of each axis (Neumann), as in Supplement 24.
A dual field of one channel is (3, z, y, x): its components along z, y and x, zero on the last plane of their axis.
"""

import numpy as np
from numba import njit, prange

_PLANES = 8  # z planes of a job; the first plane of the next job's primal is computed by both
_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}  # NaN and infinity keep their meaning


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def total_variation(volume, out):
    """Isotropic TV, one float64 sum per plane: volume (channel, z, y, x) -> out (channel, z)."""
    n_channels, nz, ny, nx = volume.shape
    for job in prange(n_channels * nz):
        channel, z = job // nz, job % nz
        total = 0.0
        for y in range(ny):
            row = volume[channel, z, y]
            below = volume[channel, min(z + 1, nz - 1), y]
            beside = volume[channel, z, min(y + 1, ny - 1)]
            row_total = np.float32(0.0)
            for x in range(nx - 1):
                dz, dy, dx = below[x] - row[x], beside[x] - row[x], row[x + 1] - row[x]
                row_total += np.sqrt(dz * dz + dy * dy + dx * dx)
            dz, dy = below[nx - 1] - row[nx - 1], beside[nx - 1] - row[nx - 1]
            total += row_total + np.sqrt(dz * dz + dy * dy)
        out[channel, z] = total


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def dual_step(inverse_metric, weight, out):
    """The step of every voxel of a channel, ``1 / (6 weight (1/D here + largest 1/D ahead))``; all (z, y, x).

    This is the block form of Pock and Chambolle's diagonal preconditioner (ICCV 2011, lemma 2), which is
    ``D / (12 weight)`` where the metric D is constant.
    """
    nz, ny, nx = inverse_metric.shape
    scale = np.float32(1.0) / (np.float32(6.0) * weight)
    for z in prange(nz):
        z1 = min(z + 1, nz - 1)
        for y in range(ny):
            y1 = min(y + 1, ny - 1)
            here, below, beside = inverse_metric[z, y], inverse_metric[z1, y], inverse_metric[z, y1]
            for x in range(nx - 1):
                out[z, y, x] = scale / (here[x] + max(below[x], max(beside[x], here[x + 1])))
            e = nx - 1
            out[z, y, e] = scale / (here[e] + max(below[e], beside[e]))


@njit(fastmath=_FASTMATH)
def _primal_plane(noisy, weight, inverse_metric, dual, previous, momentum, z, out):
    """Plane z of max(0, noisy - weight * inverse_metric * L(r)), into out (y, x).

    Here r = dual + momentum (dual - previous), and L is minus the divergence, the transposed gradient.
    """
    ny, nx = out.shape
    m = momentum
    z_1 = max(z - 1, 0)  # at the first plane the multiplier below leaves its neighbour out
    has_z = np.float32(z > 0)
    for y in range(ny):
        y_1 = max(y - 1, 0)
        has_y = np.float32(y > 0)
        pz, qz, pz_1, qz_1 = dual[0, z, y], previous[0, z, y], dual[0, z_1, y], previous[0, z_1, y]
        py, qy, py_1, qy_1 = dual[1, z, y], previous[1, z, y], dual[1, z, y_1], previous[1, z, y_1]
        px, qx = dual[2, z, y], previous[2, z, y]
        v, o, inverse = noisy[z, y], out[y], inverse_metric[z, y]
        for x in range(nx):
            rz = pz[x] + m * (pz[x] - qz[x]) - has_z * (pz_1[x] + m * (pz_1[x] - qz_1[x]))
            ry = py[x] + m * (py[x] - qy[x]) - has_y * (py_1[x] + m * (py_1[x] - qy_1[x]))
            o[x] = rz + ry + px[x] + m * (px[x] - qx[x])
        for x in range(1, nx):
            o[x] -= px[x - 1] + m * (px[x - 1] - qx[x - 1])
        for x in range(nx):
            o[x] = max(np.float32(0.0), v[x] - weight * inverse[x] * o[x])


@njit(fastmath=_FASTMATH)
def _ascend_plane(here, ahead, step, dual, previous, momentum, z, out):
    """Plane z of r - step * grad(volume) projected on unit balls, into out; here, ahead: volume planes z, z + 1."""
    ny, nx = here.shape
    m, one = momentum, np.float32(1.0)
    for y in range(ny):
        row, below, beside, tau = here[y], ahead[y], here[min(y + 1, ny - 1)], step[z, y]
        pz, py, px = dual[0, z, y], dual[1, z, y], dual[2, z, y]
        qz, qy, qx = previous[0, z, y], previous[1, z, y], previous[2, z, y]
        oz, oy, ox = out[0, z, y], out[1, z, y], out[2, z, y]
        for x in range(nx - 1):
            rz = pz[x] + m * (pz[x] - qz[x]) - tau[x] * (below[x] - row[x])
            ry = py[x] + m * (py[x] - qy[x]) - tau[x] * (beside[x] - row[x])
            rx = px[x] + m * (px[x] - qx[x]) - tau[x] * (row[x + 1] - row[x])
            shrink = one / max(one, np.sqrt(rz * rz + ry * ry + rx * rx))
            oz[x], oy[x], ox[x] = rz * shrink, ry * shrink, rx * shrink
        e = nx - 1
        rz = pz[e] + m * (pz[e] - qz[e]) - tau[e] * (below[e] - row[e])
        ry = py[e] + m * (py[e] - qy[e]) - tau[e] * (beside[e] - row[e])
        shrink = one / max(one, np.sqrt(rz * rz + ry * ry))
        oz[e], oy[e], ox[e] = rz * shrink, ry * shrink, np.float32(0.0)


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def primal(noisy, weight, inverse_metric, dual, out):
    """The volume of one channel that a dual field stands for, max(0, noisy - weight * inverse_metric * L(dual))."""
    for z in prange(noisy.shape[0]):
        _primal_plane(noisy, weight, inverse_metric, dual, dual, np.float32(0.0), z, out[z])


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def iterate(noisy, weight, inverse_metric, step, dual, previous, momentum, out):
    """out <- r - step * grad(primal(r)) projected on unit balls, r = dual + momentum (dual - previous).

    One channel: noisy, inverse_metric, step (z, y, x); dual, previous, out (3, z, y, x), out apart from the others.
    The primal volume lives for two planes only, in the cache, so that the duals are read and written once.
    """
    nz, ny, nx = noisy.shape
    for job in prange((nz + _PLANES - 1) // _PLANES):
        first, last = job * _PLANES, min((job + 1) * _PLANES, nz)
        here, ahead = np.empty((ny, nx), np.float32), np.empty((ny, nx), np.float32)
        _primal_plane(noisy, weight, inverse_metric, dual, previous, momentum, first, here)
        for z in range(first, last):
            if z + 1 < nz:
                _primal_plane(noisy, weight, inverse_metric, dual, previous, momentum, z + 1, ahead)
                _ascend_plane(here, ahead, step, dual, previous, momentum, z, out)
            else:
                _ascend_plane(here, here, step, dual, previous, momentum, z, out)
            here, ahead = ahead, here
