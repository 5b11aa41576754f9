"""How near a reconstruction is to the truth: NRMSE as in the paper, RMSE and stoichiometry beside it."""

from dataclasses import dataclass

import numpy as np

from fusedtomo.arrays import Array, array_module, dot, kernels, totals
from fusedtomo.errors import InputError
from fusedtomo.parallel import SERIAL, Comm
from fusedtomo.volume import ChemicalVolume

_SPECIMEN = 0.5  # a voxel at least half filled belongs to the specimen
_CONSTANT = 1e-13  # of the mean square: a variance that is rounding
_NOTHING = np.float32(1e-30)  # less than any sum of concentrations above 0
_SAME_SIZE = 1e-3  # by which voxel sizes may differ: a thousandth of a volume is less than a voxel
_PLANES = 16  # looked at together, so that no temporary is as large as a volume


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
    check_comparable(reconstruction, truth)
    _check_varies(truth, comm)
    pairs = {element: (reconstruction[element], truth[element]) for element in truth.elements}
    return Score(
        {element: nrmse(x, y, comm) for element, (x, y) in pairs.items()},
        {element: rmse(x, y, comm) for element, (x, y) in pairs.items()},
        stoichiometry_error(reconstruction.data[_order(reconstruction, truth)], truth.data, comm),
    )


def check_comparable(reconstruction: ChemicalVolume, truth: ChemicalVolume) -> None:
    """Refuse volumes of other elements, in whichever order, or of another shape."""
    if set(reconstruction.elements) != set(truth.elements):
        raise InputError(
            f"reconstruction holds {', '.join(reconstruction.elements)} but the truth {', '.join(truth.elements)}; "
            f"score volumes of the same elements"
        )
    if reconstruction.shape != truth.shape:
        raise InputError(
            f"reconstruction is {reconstruction.shape} but the truth {truth.shape} (z, y, x); bin or crop one"
        )
    check_same_voxels(reconstruction.voxel_nm, truth)


def check_same_voxels(voxel_nm: float, truth: ChemicalVolume) -> None:
    """Refuse a truth whose voxels are of another size than those of what is compared with it."""
    if not np.isclose(voxel_nm, truth.voxel_nm, rtol=_SAME_SIZE, atol=0):
        raise InputError(
            f"reconstruction has voxels of {voxel_nm:g} nm but the truth {truth.voxel_nm:g} nm; score volumes of one "
            f"voxel size"
        )


def _check_varies(truth: ChemicalVolume, comm: Comm) -> None:
    """A single element may be missing, from a slab for example; without any there is nothing to compare with."""
    lowest, highest = (pick(axis=(1, 2, 3)) for pick in (truth.data.min, truth.data.max))
    if not comm.any(bool((highest > lowest).any())):
        raise InputError("the truth is the same everywhere, nothing to compare with; give one that holds a specimen")


def nrmse(x: Array, y: Array, comm: Comm = SERIAL) -> float:
    """sqrt(sum (y - x)^2 / sum y^2) of x and the truth y, each normalised with zero mean and unit deviation.

    That is sqrt(2 - 2 r) with r their correlation. A constant volume has no deviation: it is taken as zero, which
    makes its NRMSE 1, be the truth constant or not. Arrays (..., x) on the host or a GPU.
    """
    n_voxels = _size(x, comm)
    mean_x, mean_y = (float(totals(volume[None], comm)[0]) / n_voxels for volume in (x, y))

    def covariance(a: Array, b: Array, product_of_means: float) -> float:
        square = dot(a, b, comm) / n_voxels
        rest = square - product_of_means
        return rest if abs(rest) > _CONSTANT * abs(square) else 0.0

    of_x, of_y = covariance(x, x, mean_x**2), covariance(y, y, mean_y**2)
    if of_x == 0 or of_y == 0:
        return 1.0
    return float(np.sqrt(max(2 - 2 * covariance(x, y, mean_x * mean_y) / np.sqrt(of_x * of_y), 0.0)))


def rmse(x: Array, y: Array, comm: Comm = SERIAL) -> float:
    """Root mean square difference."""
    change, _ = kernels(x).sums.squared_change(x, y)
    return float(np.sqrt(comm.total(change) / _size(x, comm)))


def stoichiometry_error(estimate: Array, truth: Array, comm: Comm = SERIAL) -> float:
    """RMS error of atomic fractions where the truth (element, z, y, x) is specimen; nan when there is none."""
    columns = np.zeros((2, truth.shape[-1]))
    for first in range(0, truth.shape[1], _PLANES):
        planes = slice(first, first + _PLANES)
        columns += _fraction_errors(estimate[:, planes], truth[:, planes])
    error, n_voxels = comm.total(columns)
    return float(np.sqrt(error / (len(truth) * n_voxels))) if n_voxels else float("nan")


def _fraction_errors(estimate: Array, truth: Array) -> np.ndarray:
    """Column sums of the squared errors of atomic fractions, and the numbers of voxels, of the specimen: (2, x)."""
    sums = kernels(truth).sums
    inside = (truth.sum(axis=0) >= _SPECIMEN).astype(np.float32)
    error = (atomic_fractions(estimate) - atomic_fractions(truth)) * inside
    (voxels,) = sums.totals(inside[None])
    return np.stack([sums.dot(error, error), voxels])


def atomic_fractions(concentrations: Array) -> Array:
    """x_i / sum_k x_k of concentrations (element, ...); 0 where there is nothing."""
    total = concentrations.sum(axis=0)
    return concentrations / array_module(total).maximum(total, _NOTHING)


def _order(volume: ChemicalVolume, other: ChemicalVolume) -> slice | list[int]:
    """Where the elements of another volume are in this one."""
    if volume.elements == other.elements:
        return slice(None)
    return [volume.elements.index(element) for element in other.elements]


def _size(volume: Array, comm: Comm) -> int:
    """Voxels of all ranks."""
    return sum(comm.widths(volume.shape[-1])) * int(np.prod(volume.shape[:-1]))
