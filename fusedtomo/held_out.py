"""How well does a volume predict data that it was not fitted to? In natural units: half a deviance, image by image."""

from dataclasses import dataclass

import numpy as np

from fusedtomo.operators.projector import Projector
from fusedtomo.solvers.problem import Problem
from fusedtomo.thinning import Fold
from fusedtomo.tilts import TiltSeries

_LEAST_LEVEL = 1e-6  # expected counts: a ray through nothing, of a series without background


@dataclass(frozen=True, eq=False)
class Prediction:
    """Half the deviance of what was held out.

    Attributes:
        maps: of the counts, (element, tilt).
        error: standard error of their sum, from the scatter of the pixels of each image.
        haadf: of the HAADF tilts over their variance, (tilt,), the gain being that of the fit; empty where none is out.
    """

    maps: np.ndarray
    error: float
    haadf: np.ndarray


def prediction(problem: Problem, fold: Fold, volume: np.ndarray) -> Prediction:
    """Judge a volume (element, z, y, x) that was fitted to `problem`, whose data set is that of the fold."""
    projected = problem.chemical_projector.forward(volume)
    pixels = [_poisson(series, model) for series, model in zip(fold.maps, projected, strict=True)]
    variance = sum(float(each.var(axis=(1, 2)).sum()) * each[0].size for each in pixels)
    maps = np.stack([each.sum(axis=(1, 2)) for each in pixels])
    return Prediction(maps, float(np.sqrt(variance)), _haadf(problem, fold, volume))


def _poisson(series: TiltSeries, projected: np.ndarray) -> np.ndarray:
    """``m - b + b log(b / m)`` of every pixel, (tilt, y, x)."""
    gain = 1.0 if series.gain is None else series.gain
    model = np.maximum(gain * projected.astype(np.float64) + series.background, _LEAST_LEVEL)
    counts = series.counts.astype(np.float64)
    logs = counts * np.log(np.where(counts > 0, counts, 1) / np.where(counts > 0, model, 1))
    deviance: np.ndarray = model - counts + logs
    return deviance


def _haadf(problem: Problem, fold: Fold, volume: np.ndarray) -> np.ndarray:
    if not fold.haadf_angles_deg:
        return np.zeros(0)
    fitted, density = problem.haadf(), problem.contrast().density(volume)
    model = Projector(fold.haadf_angles_deg, *problem.shape[1:3]).forward(density)
    misfit = fitted.gain(fitted.project(volume)) * model.astype(np.float64) - fold.haadf_signal
    squares: np.ndarray = (misfit**2).sum(axis=(1, 2)) / (2 * problem.haadf_variance)
    return squares
