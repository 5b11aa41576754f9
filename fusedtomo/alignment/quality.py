"""How well do images fit each other, whoever aligned them?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fusedtomo.operators.projector import Projector
from fusedtomo.operators.simultaneous import SimultaneousCorrection
from fusedtomo.tilts import TiltSeries

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
    measured = np.ascontiguousarray(images, np.float32)
    correction = SimultaneousCorrection(Projector(angles_deg, width, width), measured)
    volume = np.zeros((width, *images.shape[1:]), np.float32)
    for _ in range(iterations):
        correction.explain(volume)
        correction.correct(volume)
    found: np.ndarray = Projector(at_deg, width, width).forward(volume)
    return found


def reprojection_error(images: np.ndarray, angles_deg: Sequence[float]) -> float:
    """Norm of what SIRT does not explain over the norm of the images (tilt, y, x), vacuum being 0."""
    return float(np.linalg.norm(reprojected(images, angles_deg, angles_deg) - images) / np.linalg.norm(images))


@dataclass(frozen=True)
class Quality:
    """Both measures of a series.

    Attributes:
        correlation: of neighbouring images.
        reprojection_error: of the images without background.
    """

    correlation: float
    reprojection_error: float


def quality_of(series: TiltSeries) -> Quality:
    """Measure a series (tilt, y, x), x along the tilt axis."""
    error = reprojection_error(series.counts - series.background, series.scheme.angles_deg)
    return Quality(neighbour_correlation(series.counts), error)
