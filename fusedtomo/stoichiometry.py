"""Which concentrations does a reconstruction find where the truth is full, and how much of an element in the vacuum?

NRMSE is blind to gain. Total variation takes contrast from small bodies, so that all concentrations come out too low,
and NRMSE does not show it. The paper shows histograms "of the chemical concentrations for each voxel" (Supplement 11),
says that "the ratio of chemical concentrations for each voxel quantifies local stoichiometry", and gives pure gold as
100 % (Supplement 12): its histograms are of atomic fractions. Which voxels it takes, it does not say. Here they are
those that the truth fills to the element's level, and both quantities are given: a loss of contrast that all elements
share cancels in the fractions.
"""

from dataclasses import dataclass

import numpy as np

from fusedtomo.score import atomic_fractions, check_comparable
from fusedtomo.volume import ChemicalVolume

BINS = np.linspace(0, 2, 51)  # centres of a histogram's bins, over the expected value: one lies on it
_FULL = 0.999  # of an element's level: anti-aliasing leaves rounding in what a body fills


@dataclass(frozen=True, eq=False)
class Distribution:
    """A quantity over voxels; without a voxel all is NaN, and the histogram 0.

    Attributes:
        expected: mean of the truth there.
        median, mean, deviation: of the reconstruction.
        shares: (bin,) of the voxels about BINS times what is expected; the last bin holds all above it as well.
    """

    expected: float
    median: float
    mean: float
    deviation: float
    shares: np.ndarray


@dataclass(frozen=True, eq=False)
class Stoichiometry:
    """What a reconstruction says of one element.

    Attributes:
        voxels: how many are full: the truth holds there 99.9 % of the element's highest concentration, or more.
        concentration: over the full voxels.
        fraction: the atomic fraction x_i / sum_k x_k over the same voxels; 0 where the reconstruction holds nothing.
        in_vacuum: share of the element's amount that lies where the truth holds no element; NaN without any amount.
    """

    voxels: int
    concentration: Distribution
    fraction: Distribution
    in_vacuum: float


def stoichiometry(reconstruction: ChemicalVolume, truth: ChemicalVolume) -> dict[str, Stoichiometry]:
    """What a reconstruction says of each element of the truth; elements are matched by symbol."""
    check_comparable(reconstruction, truth)
    found = reconstruction.only(truth.elements).data
    vacuum = np.asarray(~truth.data.any(axis=0))
    return {element: _of_one(index, found, truth.data, vacuum) for index, element in enumerate(truth.elements)}


def _of_one(index: int, found: np.ndarray, truth: np.ndarray, vacuum: np.ndarray) -> Stoichiometry:
    own = truth[index]
    full = (own > 0) & (own >= _FULL * own.max())
    x, y = found[:, full], truth[:, full]
    return Stoichiometry(
        voxels=x.shape[1],
        concentration=_distribution(x[index], y[index]),
        fraction=_distribution(atomic_fractions(x)[index], atomic_fractions(y)[index]),
        in_vacuum=_share(found[index], vacuum),
    )


def _distribution(values: np.ndarray, truth: np.ndarray) -> Distribution:
    if not len(values):
        return Distribution(np.nan, np.nan, np.nan, np.nan, np.zeros(len(BINS)))
    values, expected = values.astype(np.float64), float(truth.mean(dtype=np.float64))
    bins = np.clip(np.rint(values / (BINS[1] * expected)), 0, len(BINS) - 1).astype(int)
    shares = np.bincount(bins, minlength=len(BINS)) / len(values)
    return Distribution(expected, float(np.median(values)), float(values.mean()), float(values.std()), shares)


def _share(amounts: np.ndarray, where: np.ndarray) -> float:
    total = amounts.sum(dtype=np.float64)
    return float(amounts.sum(dtype=np.float64, where=where) / total) if total else np.nan
