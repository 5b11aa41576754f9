"""How near a reconstruction is to the truth: NRMSE as in the paper, RMSE and stoichiometry beside it."""

from dataclasses import dataclass

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.volume import ChemicalVolume

_SPECIMEN = 0.5  # a voxel at least half filled belongs to the specimen


@dataclass(frozen=True)
class Score:
    """Errors of a reconstruction.

    Attributes:
        nrmse_by_element: after each volume is normalised to zero mean and unit deviation (paper, Methods); blind to
            gain and offset, 0 is perfect, sqrt(2) uncorrelated.
        rmse_by_element: of the concentrations themselves, which NRMSE's normalisation hides.
        stoichiometry_error: root mean square error of the atomic fractions x_i / sum_k x_k over the specimen's voxels.
    """

    nrmse_by_element: dict[str, float]
    rmse_by_element: dict[str, float]
    stoichiometry_error: float

    @property
    def nrmse(self) -> float:
        """Mean over the elements, the paper's <NRMSE>."""
        return float(np.mean(list(self.nrmse_by_element.values())))


def score(reconstruction: ChemicalVolume, truth: ChemicalVolume) -> Score:
    """Compare a reconstruction with the truth, element by element; elements are matched by symbol."""
    if set(reconstruction.elements) != set(truth.elements):
        raise InputError(
            f"reconstruction holds {', '.join(reconstruction.elements)} but the truth {', '.join(truth.elements)}; "
            f"score volumes of the same elements"
        )
    if reconstruction.shape != truth.shape:
        raise InputError(
            f"reconstruction is {reconstruction.shape} but the truth {truth.shape} (z, y, x); bin or crop one"
        )
    pairs = [(element, reconstruction[element], truth[element]) for element in truth.elements]
    estimate = np.stack([pair[1] for pair in pairs])
    return Score(
        {element: nrmse(x, y) for element, x, y in pairs},
        {element: float(np.sqrt(np.mean(np.square(x - y, dtype=np.float64)))) for element, x, y in pairs},
        stoichiometry_error(estimate, truth.data),
    )


def nrmse(x: np.ndarray, y: np.ndarray) -> float:
    """sqrt(sum (y - x)^2 / sum y^2) of x and the truth y, each normalised with zero mean and unit deviation.

    A constant volume has no deviation: it is taken as zero, which makes its NRMSE 1.
    """
    difference = _normalised(y) - _normalised(x)
    scale = np.sum(_normalised(y) ** 2)
    return float(np.sqrt(np.sum(difference**2) / scale)) if scale > 0 else 0.0 if not difference.any() else 1.0


def stoichiometry_error(estimate: np.ndarray, truth: np.ndarray) -> float:
    """RMS error of atomic fractions where the truth (element, z, y, x) is specimen; nan when there is none."""
    inside = truth.sum(axis=0) >= _SPECIMEN
    difference = _fractions(estimate[:, inside]) - _fractions(truth[:, inside])
    return float(np.sqrt(np.mean(difference**2))) if difference.size else float("nan")


def _normalised(volume: np.ndarray) -> np.ndarray:
    centred = volume.astype(np.float64) - volume.mean(dtype=np.float64)
    deviation = centred.std()
    return centred / deviation if deviation > 0 else np.zeros_like(centred)


def _fractions(concentrations: np.ndarray) -> np.ndarray:
    total = concentrations.sum(axis=0, dtype=np.float64)
    return concentrations / np.where(total > 0, total, 1.0)
