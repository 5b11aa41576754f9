"""From a data set to the terms of Eq. 1 in their natural scaling (docs/solver.md)."""

import numpy as np

from fusedtomo.elements import atomic_number
from fusedtomo.losses import ChemicalLeastSquares, ChemicalPoisson, HaadfLeastSquares, mean_counts, noise_variance
from fusedtomo.operators.projector import Projector
from fusedtomo.operators.zcontrast import ZContrast
from fusedtomo.proximal import TotalVariation
from fusedtomo.settings import SolverSettings
from fusedtomo.tilts import FusedDataset, per_element

TYPICAL_GAMMA = 1.7  # "experimentally typically around 1.7" (paper, after Eq. 1)
_LEAST_EPS = 0.1  # of the mean counts; nearer to zero a ray that a step empties throws the logarithm off


def volume_shape(dataset: FusedDataset, settings: SolverSettings) -> tuple[int, int, int]:
    """(z, y, x) of the reconstruction: y and x as on the detector, z as deep as wide unless settings say otherwise."""
    width, length = dataset.haadf.counts.shape[1:]
    return settings.depth or width, width, length


def chemical_projector(dataset: FusedDataset, settings: SolverSettings) -> Projector:
    """A_c."""
    depth, width, _ = volume_shape(dataset, settings)
    return Projector(dataset.chemical_scheme.angles_deg, depth, width)


def chemical_gain(dataset: FusedDataset) -> np.ndarray:
    """Counts per unit of projected concentration, (element,); 1 where unknown, so that x is in counts per voxel."""
    return per_element(dataset, "gain", 1.0)


def chemical_background(dataset: FusedDataset) -> np.ndarray:
    """Expected background counts per pixel, (element,)."""
    return per_element(dataset, "background", 0.0)


def chemical_poisson(dataset: FusedDataset, settings: SolverSettings) -> ChemicalPoisson:
    """The Poisson term; eps is the expected background, at least a tenth of the mean, unless the settings give one."""
    background, counts = chemical_background(dataset), dataset.chemical_counts
    eps = np.maximum(background, _LEAST_EPS * mean_counts(counts))
    if settings.eps is not None:
        eps = np.full_like(background, settings.eps)
    return ChemicalPoisson(chemical_projector(dataset, settings), counts, chemical_gain(dataset), eps)


def chemical_least_squares(dataset: FusedDataset, settings: SolverSettings) -> ChemicalLeastSquares:
    """The least-squares term."""
    projector, counts = chemical_projector(dataset, settings), dataset.chemical_counts
    return ChemicalLeastSquares(projector, counts, chemical_gain(dataset), chemical_background(dataset))


def haadf_least_squares(dataset: FusedDataset, settings: SolverSettings) -> HaadfLeastSquares:
    """The HAADF term; its noise variance is estimated from the images."""
    depth, width, _ = volume_shape(dataset, settings)
    gamma = settings.gamma or dataset.gamma or TYPICAL_GAMMA
    contrast = ZContrast(tuple(atomic_number(symbol) for symbol in dataset.elements), gamma)
    projector = Projector(dataset.haadf.scheme.angles_deg, depth, width)
    signal = dataset.haadf.counts - np.float32(dataset.haadf.background)
    return HaadfLeastSquares(projector, contrast, signal, noise_variance(signal))


def gradient_noise(dataset: FusedDataset) -> np.ndarray:
    """Standard deviation of the Poisson term's gradient at a voxel, ``g_i sqrt(n_tilts / mean b_i)``, (element,)."""
    return chemical_gain(dataset) * np.sqrt(len(dataset.chemical_scheme) / mean_counts(dataset.chemical_counts))


def total_variation(dataset: FusedDataset, weight: float, settings: SolverSettings) -> TotalVariation:
    """TV in units of the noise it has to hold against: one weight serves elements, doses and tilt counts alike."""
    shape = volume_shape(dataset, settings)
    return TotalVariation(weight * gradient_noise(dataset), shape, iterations=settings.tv_iterations)
