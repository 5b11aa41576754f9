"""CPU kernels of total variation: its value, and the two passes of a dual projected-gradient step.

Forward differences with a zero difference at the last plane of each axis (Neumann), as in Supplement 24.
A dual field is (channel, 3, z, y, x): its components along z, y and x, zero on the last plane of their axis.
"""

import numpy as np
from numba import njit, prange

_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}


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
def primal(noisy, weight, inverse_metric, dual, previous, momentum, out):
    """out = max(0, noisy - weight * inverse_metric * L(r)), r = dual + momentum (dual - previous), L = -divergence.

    noisy, inverse_metric, out (channel, z, y, x); weight (channel,).
    """
    n_channels, nz, ny, nx = noisy.shape
    for job in prange(n_channels * nz):
        channel, z = job // nz, job % nz
        w, m = weight[channel], momentum
        z_1 = max(z - 1, 0)  # at the first plane the multiplier below leaves its neighbour out
        has_z = np.float32(z > 0)
        for y in range(ny):
            y_1 = max(y - 1, 0)
            has_y = np.float32(y > 0)
            pz, qz = dual[channel, 0, z, y], previous[channel, 0, z, y]
            pz_1, qz_1 = dual[channel, 0, z_1, y], previous[channel, 0, z_1, y]
            py, qy = dual[channel, 1, z, y], previous[channel, 1, z, y]
            py_1, qy_1 = dual[channel, 1, z, y_1], previous[channel, 1, z, y_1]
            px, qx = dual[channel, 2, z, y], previous[channel, 2, z, y]
            v, o, inverse = noisy[channel, z, y], out[channel, z, y], inverse_metric[channel, z, y]
            for x in range(nx):
                rz = pz[x] + m * (pz[x] - qz[x]) - has_z * (pz_1[x] + m * (pz_1[x] - qz_1[x]))
                ry = py[x] + m * (py[x] - qy[x]) - has_y * (py_1[x] + m * (py_1[x] - qy_1[x]))
                o[x] = rz + ry + px[x] + m * (px[x] - qx[x])
            for x in range(1, nx):
                o[x] -= px[x - 1] + m * (px[x - 1] - qx[x - 1])
            for x in range(nx):
                o[x] = max(np.float32(0.0), v[x] - w * inverse[x] * o[x])


@njit(parallel=True, fastmath=_FASTMATH, cache=True, nogil=True)
def ascend(volume, weight, inverse_metric, dual, previous, momentum):
    """previous <- r - step * grad(volume) projected on unit balls, r = dual + momentum (dual - previous).

    The step of a voxel is 1 / (6 weight (1/D here + largest 1/D ahead)), the block form of Pock and Chambolle's
    diagonal preconditioner (ICCV 2011, lemma 2), which is 1 / (12 weight / D) where the metric D is constant. The
    caller swaps dual and previous afterwards.
    """
    n_channels, nz, ny, nx = volume.shape
    for job in prange(n_channels * nz):
        channel, z = job // nz, job % nz
        scale, m = np.float32(1.0) / (np.float32(6.0) * weight[channel]), momentum
        z1 = min(z + 1, nz - 1)
        for y in range(ny):
            y1 = min(y + 1, ny - 1)
            row, below, beside = volume[channel, z, y], volume[channel, z1, y], volume[channel, z, y1]
            here, ahead_z, ahead_y = (
                inverse_metric[channel, z, y],
                inverse_metric[channel, z1, y],
                inverse_metric[channel, z, y1],
            )
            pz, qz = dual[channel, 0, z, y], previous[channel, 0, z, y]
            py, qy = dual[channel, 1, z, y], previous[channel, 1, z, y]
            px, qx = dual[channel, 2, z, y], previous[channel, 2, z, y]
            for x in range(nx - 1):
                step = scale / (here[x] + max(ahead_z[x], max(ahead_y[x], here[x + 1])))
                rz = pz[x] + m * (pz[x] - qz[x]) - step * (below[x] - row[x])
                ry = py[x] + m * (py[x] - qy[x]) - step * (beside[x] - row[x])
                rx = px[x] + m * (px[x] - qx[x]) - step * (row[x + 1] - row[x])
                shrink = np.float32(1.0) / max(np.float32(1.0), np.sqrt(rz * rz + ry * ry + rx * rx))
                qz[x], qy[x], qx[x] = rz * shrink, ry * shrink, rx * shrink
            e = nx - 1
            step = scale / (here[e] + max(ahead_z[e], ahead_y[e]))
            rz = pz[e] + m * (pz[e] - qz[e]) - step * (below[e] - row[e])
            ry = py[e] + m * (py[e] - qy[e]) - step * (beside[e] - row[e])
            shrink = np.float32(1.0) / max(np.float32(1.0), np.sqrt(rz * rz + ry * ry))
            qz[e], qy[e], qx[e] = rz * shrink, ry * shrink, np.float32(0.0)
