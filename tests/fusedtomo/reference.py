"""Slow, independent, float64 versions of the kernels and terms, written from the equations in plain NumPy."""

import numpy as np

from fusedtomo.operators.projector import Projector


def joseph_matrix(angle_deg: float, depth: int, width: int) -> np.ndarray:
    """The 2D system matrix (t, z, y) of one tilt by ray casting (Joseph 1982): one step a row or column."""
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    matrix = np.zeros((width, depth, width))
    z_centre, y_centre = (depth - 1) / 2, (width - 1) / 2
    for d in range(width):
        t = d - y_centre
        if abs(cos) >= abs(sin):  # one step a row z
            for z in range(depth):
                _spread(matrix[d, z], (t - (z - z_centre) * sin) / cos + y_centre, 1 / abs(cos))
        else:  # one step a column y
            for y in range(width):
                _spread(matrix[d, :, y], (t - (y - y_centre) * cos) / sin + z_centre, 1 / abs(sin))
    return matrix


def _spread(line: np.ndarray, position: float, weight: float) -> None:
    low = int(np.floor(position))
    for index, share in ((low, 1 - (position - low)), (low + 1, position - low)):
        if 0 <= index < len(line):
            line[index] += weight * share


def dense(projector: Projector) -> np.ndarray:
    """A projector's 2D matrix (tilt * t, z * y), float64, column by column."""
    voxels = projector.depth * projector.width
    units = np.eye(voxels, dtype=np.float32).reshape(projector.depth, projector.width, voxels)
    return projector.forward(units).reshape(-1, voxels).astype(np.float64)


def project(matrix: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """matrix (rays, z * y) times volume (element, z, y, x) -> (element, rays, x)."""
    return matrix @ volume.reshape(len(volume), -1, volume.shape[-1])


def forward_differences(volume: np.ndarray) -> np.ndarray:
    """volume (z, y, x) -> (3, z, y, x), zero on the last plane of each axis."""
    return np.stack([np.diff(volume, axis=axis, append=volume.take([-1], axis)) for axis in range(3)])


def negative_divergence(field: np.ndarray) -> np.ndarray:
    """The transpose of `forward_differences`; the last plane of each axis of the field does not count."""
    out = np.zeros(field.shape[1:])
    for axis in range(3):
        inner = np.moveaxis(field[axis], axis, 0)[:-1]
        target = np.moveaxis(out, axis, 0)
        target[:-1] -= inner
        target[1:] += inner
    return out


Local = float | np.ndarray  # weights of voxels, (z, y, x), or one for all


def total_variation(volume: np.ndarray, local: Local = 1.0) -> float:
    """Isotropic TV of (z, y, x)."""
    return float((local * np.sqrt((forward_differences(volume) ** 2).sum(axis=0))).sum())


def balls(field: np.ndarray, radius: Local = 1.0) -> np.ndarray:
    """A field (3, z, y, x) with every vector shortened to a radius > 0 at most."""
    return field / np.maximum(1, np.sqrt((field**2).sum(axis=0)) / radius)


def prox_primal(x: np.ndarray, noisy: np.ndarray, weight: float, inverse: np.ndarray, local: Local = 1.0) -> float:
    """What the TV prox minimises over x >= 0, one channel."""
    return float(((x - noisy) ** 2 / (2 * inverse)).sum()) + weight * total_variation(x, local)


def prox_by_dual_ascent(noisy: np.ndarray, weight: float, inverse: np.ndarray, iterations: int, local: Local = 1.0):
    """The TV prox of one channel by fast gradient projection on its dual: minimiser, lower bound (weak duality)."""
    noisy, inverse = noisy.astype(np.float64), inverse.astype(np.float64)
    field, step = np.zeros((3, *noisy.shape)), 1 / (12 * weight * inverse.max())
    ahead = field
    for k in range(iterations):
        x = np.maximum(noisy - weight * inverse * negative_divergence(ahead), 0)
        before, field = field, balls(ahead + step * forward_differences(x), local)
        ahead = field + k / (k + 3) * (field - before)
    pull = weight * negative_divergence(field)
    x = np.maximum(noisy - inverse * pull, 0)
    return x, float(((x - noisy) ** 2 / (2 * inverse)).sum() + (x * pull).sum())


def poisson_value(model: np.ndarray, counts: np.ndarray) -> float:
    """Kullback-Leibler divergence, with 0 log 0 = 0."""
    model, counts = model.astype(np.float64), counts.astype(np.float64)
    return float((model - counts + np.where(counts > 0, counts * np.log(np.maximum(counts, 1e-300) / model), 0)).sum())


def haadf_value(projected: np.ndarray, signal: np.ndarray, variance: float) -> float:
    """Half the squared misfit over the variance, at the best gain found by least squares."""
    gain = np.linalg.lstsq(projected.reshape(-1, 1), signal.reshape(-1), rcond=None)[0][0]
    return float(((gain * projected - signal) ** 2).sum() / (2 * variance))


def finite_differences(function, volume: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient of a float64 function by central differences, voxel by voxel."""
    gradient = np.empty(volume.shape)
    for index in np.ndindex(volume.shape):
        above, below = volume.astype(np.float64), volume.astype(np.float64)
        above[index] += step
        below[index] -= step
        gradient[index] = (function(above) - function(below)) / (2 * step)
    return gradient
