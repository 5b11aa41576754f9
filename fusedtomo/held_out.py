"""How well does a volume predict data that it was not fitted to? In natural units: half a deviance, image by image."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from fusedtomo.operators.projector import Projector
from fusedtomo.reconstruct import solve
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers.problem import Problem
from fusedtomo.thinning import Fold
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries


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
    pixels = _deviances(problem, fold.maps, volume)
    variance = sum(float(each.var(axis=(1, 2)).sum()) * each[0].size for each in pixels)
    maps = np.stack([each.sum(axis=(1, 2)) for each in pixels])
    return Prediction(maps, float(np.sqrt(variance)), _haadf(problem, fold, volume))


def tilts_predicted(
    dataset: FusedDataset, method: str, weights: Weights, settings: SolverSettings, folds: int
) -> np.ndarray:
    """Half the deviance of every map, (element, tilt), from reconstructions that did not see its tilt.

    The chemical tilts are split into folds, every fold from one end of the range to the other; a reconstruction of all
    others, and of all HAADF images, predicts them.
    """
    found = np.zeros((len(dataset.elements), len(dataset.chemical_scheme)))
    for out in _folds(dataset.chemical_scheme, folds):
        left = replace(dataset, chemical=tuple(_only(series, ~out) for series in dataset.chemical))
        volume = solve(left, method, weights, settings).volume
        deviances = _deviances(Problem(left, weights, settings), dataset.chemical, volume)
        found[:, out] = np.stack(deviances).sum(axis=(2, 3))[:, out]
    return found


def _folds(scheme: TiltScheme, folds: int) -> Iterator[np.ndarray]:
    rank = np.argsort(np.argsort(scheme.angles_deg))
    return (rank % folds == number for number in range(min(folds, len(scheme))))


def _only(series: TiltSeries, kept: np.ndarray) -> TiltSeries:
    scheme = TiltScheme(tuple(np.array(series.scheme.angles_deg)[kept].tolist()))
    return replace(series, counts=series.counts[kept], scheme=scheme)


def _deviances(problem: Problem, maps: tuple[TiltSeries, ...], volume: np.ndarray) -> list[np.ndarray]:
    """``m - b + b log(b / m)`` of every pixel, (tilt, y, x) of each series.

    The model m is that of the fit, what it expects besides the specimen included, at the dose of these counts.
    """
    projected = Projector(maps[0].scheme.angles_deg, *problem.shape[1:3]).forward(volume)
    found = []
    for series, rays, fitted, eps in zip(maps, projected, problem.gain, problem.eps, strict=True):
        gain = 1.0 if series.gain is None else series.gain
        model, counts = gain * (rays.astype(np.float64) + eps / fitted), series.counts.astype(np.float64)
        logs = np.log(np.where(counts > 0, counts, 1) / np.where(counts > 0, model, 1))
        found.append(model - counts + counts * logs)
    return found


def _haadf(problem: Problem, fold: Fold, volume: np.ndarray) -> np.ndarray:
    if not fold.haadf_angles_deg:
        return np.zeros(0)
    fitted, density = problem.haadf(), problem.contrast().density(volume)
    model = Projector(fold.haadf_angles_deg, *problem.shape[1:3]).forward(density)
    misfit = fitted.gain(fitted.project(volume)) * model.astype(np.float64) - fold.haadf_signal
    squares: np.ndarray = (misfit**2).sum(axis=(1, 2)) / (2 * problem.haadf_variance)
    return squares
