"""How well do images fit each other, whoever aligned them?"""

from collections.abc import Sequence

import numpy as np

from fusedtomo.operators.projector import Projector

_LEAST_SUM = 1e-3  # of a ray or voxel: what fewer meet is outside
ITERATIONS = 15  # of SIRT: its projections are smooth enough not to repeat the errors of one image


def neighbour_correlation(images: np.ndarray) -> float:
    """Mean correlation of neighbouring images (tilt, y, x), 3/32 of each edge left out (24 of 256 pixels)."""
    y, x = (n * 3 // 32 for n in images.shape[1:])
    inner = images[:, y : images.shape[1] - y, x : images.shape[2] - x].reshape(len(images), -1)
    centred = inner - inner.mean(axis=1, keepdims=True, dtype=np.float64)
    norms = np.linalg.norm(centred, axis=1)
    products = np.einsum("ij,ij->i", centred[:-1], centred[1:])
    return float(np.mean(products / np.maximum(norms[:-1] * norms[1:], np.finfo(np.float64).tiny)))


def reprojected(
    images: np.ndarray, angles_deg: Sequence[float], at_deg: Sequence[float], iterations: int = ITERATIONS
) -> np.ndarray:
    """Projections (tilt, y, x) at some angles of what SIRT makes of images (tilt, y, x), x along the tilt axis."""
    width = images.shape[1]
    projector = Projector(angles_deg, width, width)
    images = np.ascontiguousarray(images, np.float32)
    per_row = 1 / np.maximum(projector.forward(np.ones((width, *images.shape[1:]), np.float32)), _LEAST_SUM)
    per_voxel = 1 / np.maximum(projector.adjoint(np.ones_like(images)), _LEAST_SUM)
    volume = np.zeros_like(per_voxel)
    for _ in range(iterations):
        volume += per_voxel * projector.adjoint(per_row * (images - projector.forward(volume)))
        np.maximum(volume, 0, out=volume)
    found: np.ndarray = Projector(at_deg, width, width).forward(volume)
    return found


def reprojection_error(images: np.ndarray, angles_deg: Sequence[float]) -> float:
    """Norm of what SIRT does not explain over the norm of the images (tilt, y, x), vacuum being 0."""
    return float(np.linalg.norm(reprojected(images, angles_deg, angles_deg) - images) / np.linalg.norm(images))
