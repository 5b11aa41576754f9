"""How near a reconstruction is to the truth: NRMSE as in the paper, RMSE and stoichiometry beside it."""

from dataclasses import dataclass

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.kernels.numba.sums import fold
from fusedtomo.parallel import SERIAL, Comm
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


def score(reconstruction: ChemicalVolume, truth: ChemicalVolume, *, comm: Comm = SERIAL) -> Score:
    """Compare a reconstruction with the truth, element by element; elements are matched by symbol.

    Of several ranks, each gives its columns of both volumes, and all get the same answer.
    """
    if set(reconstruction.elements) != set(truth.elements):
        raise InputError(
            f"reconstruction holds {', '.join(reconstruction.elements)} but the truth {', '.join(truth.elements)}; "
            f"score volumes of the same elements"
        )
    if reconstruction.shape != truth.shape:
        raise InputError(
            f"reconstruction is {reconstruction.shape} but the truth {truth.shape} (z, y, x); bin or crop one"
        )
    pairs = {element: (reconstruction[element], truth[element]) for element in truth.elements}
    estimate = np.stack([x for x, _ in pairs.values()])
    return Score(
        {element: nrmse(x, y, comm) for element, (x, y) in pairs.items()},
        {element: rmse(x, y, comm) for element, (x, y) in pairs.items()},
        stoichiometry_error(estimate, truth.data, comm),
    )


def nrmse(x: np.ndarray, y: np.ndarray, comm: Comm = SERIAL) -> float:
    """sqrt(sum (y - x)^2 / sum y^2) of x and the truth y, each normalised with zero mean and unit deviation.

    A constant volume has no deviation: it is taken as zero, which makes its NRMSE 1.
    """
    x, y = _normalised(x, comm), _normalised(y, comm)
    error, scale = _sum((y - x) ** 2, comm), _sum(y**2, comm)
    return float(np.sqrt(error / scale)) if scale > 0 else float(error > 0)


def rmse(x: np.ndarray, y: np.ndarray, comm: Comm = SERIAL) -> float:
    """Root mean square difference."""
    return float(np.sqrt(_sum((x - y).astype(np.float64) ** 2, comm) / _sum(np.ones(x.shape), comm)))


def stoichiometry_error(estimate: np.ndarray, truth: np.ndarray, comm: Comm = SERIAL) -> float:
    """RMS error of atomic fractions where the truth (element, z, y, x) is specimen; nan when there is none."""
    inside = truth.sum(axis=0) >= _SPECIMEN
    error = np.where(inside, _fractions(estimate) - _fractions(truth), 0.0) ** 2
    n_values = len(truth) * _sum(inside.astype(np.float64), comm)
    return float(np.sqrt(_sum(error, comm) / n_values)) if n_values else float("nan")


def _sum(values: np.ndarray, comm: Comm) -> float:
    """Over all ranks, column by column first: the same whatever the number of ranks."""
    return float(comm.total(fold(values.reshape(1, -1, values.shape[-1]))[0]))


def _normalised(volume: np.ndarray, comm: Comm) -> np.ndarray:
    n_voxels = _sum(np.ones(volume.shape), comm)
    centred = volume.astype(np.float64)
    centred -= _sum(centred, comm) / n_voxels
    deviation = np.sqrt(_sum(centred**2, comm) / n_voxels)
    return centred / deviation if deviation > 0 else np.zeros_like(centred)


def _fractions(concentrations: np.ndarray) -> np.ndarray:
    total = concentrations.sum(axis=0, dtype=np.float64)
    return concentrations / np.where(total > 0, total, 1.0)
