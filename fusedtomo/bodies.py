"""How large are the bodies of an element, how thick its shells, and how sharp their surfaces, beside the truth's?

The paper gives diameters of particles (Fig. 1), a profile across a core and its shell (Fig. 2k) and edges of particles
(Fig. 3d). Here a body is what is connected where the element holds more than half of its level, which is the mean
concentration where the truth is full: a loss of contrast alone does not make bodies smaller.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fusedtomo.score import check_comparable
from fusedtomo.volume import ChemicalVolume

_FULL = 0.999  # of an element's highest concentration
_SPECK_VOXELS = 4  # a ball of two voxels' diameter; what is smaller is noise
_REACH_VOXELS = 6  # of a profile, to either side of a surface
_MEAN_DISTANCES = 4.0  # the mean distance to the surface of a slab is a quarter of its thickness


@dataclass(frozen=True, eq=False)
class Bodies:
    """The bodies of one element.

    Attributes:
        diameters_nm: (body,) of the balls of the same volume, largest first.
        specks: how many were too small to be counted.
        thickness_nm: of slabs and shells, 4 times the mean distance to the surface; NaN without a body.
        distance_nm, profile: (bin,) mean concentration over the level, by the distance from the true surface, in nm,
            below 0 inside; NaN where no voxel lies.
    """

    diameters_nm: np.ndarray
    specks: int
    thickness_nm: float
    distance_nm: np.ndarray
    profile: np.ndarray

    @property
    def edge_nm(self) -> float:
        """The way from 90 % to 10 % of what lies deepest inside; NaN where the profile does not reach as low."""
        known = np.isfinite(self.profile)
        x, y = self.distance_nm[known], np.minimum.accumulate(self.profile[known])
        if not y.size or not 0 <= y[-1] < 0.1 * y[0]:
            return float("nan")
        inner, outer = np.interp([-0.9, -0.1], -y / y[0], x)
        return float(outer - inner)


def bodies(reconstruction: ChemicalVolume, truth: ChemicalVolume) -> dict[str, Bodies]:
    """The bodies of each element of the truth, as a reconstruction shows them; the truth itself may be one."""
    check_comparable(reconstruction, truth)
    found = reconstruction.only(truth.elements)
    return {element: _of_one(found[element], truth[element], truth.voxel_nm) for element in truth.elements}


def _of_one(found: np.ndarray, truth: np.ndarray, voxel_nm: float) -> Bodies:
    level = _level(found, truth)
    distance, profile = _profile(found / level, truth, voxel_nm) if level > 0 else (np.zeros(0), np.zeros(0))
    mask = found > level / 2 if level > 0 else np.zeros(found.shape, bool)
    labels, _ = ndimage.label(mask)
    voxels = np.bincount(labels.ravel())[1:]
    kept = voxels >= _SPECK_VOXELS
    diameters = np.sort(np.cbrt(6 / np.pi * voxels[kept]))[::-1] * voxel_nm
    counted = np.concatenate([[False], kept])[labels]
    return Bodies(diameters, int((~kept).sum()), _thickness(counted) * voxel_nm, distance, profile)


def _level(found: np.ndarray, truth: np.ndarray) -> float:
    full = (truth > 0) & (truth >= _FULL * truth.max())
    return float(found[full].mean(dtype=np.float64)) if full.any() else 0.0


def _thickness(mask: np.ndarray) -> float:
    """In voxels; the border of the volume is no surface."""
    if not mask.any() or mask.all():
        return float("nan")
    to_centres_outside = ndimage.distance_transform_edt(mask)[mask]
    return _MEAN_DISTANCES * float(to_centres_outside.mean() - 0.5)


def _profile(values: np.ndarray, truth: np.ndarray, voxel_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Means in shells of a voxel's thickness about the true surface."""
    inside = truth > _level(truth, truth) / 2
    outward = ndimage.distance_transform_edt(~inside) - 0.5
    inward = ndimage.distance_transform_edt(inside) - 0.5
    shell = np.floor(np.where(inside, -inward, outward)).astype(int) + _REACH_VOXELS
    near = (shell >= 0) & (shell < 2 * _REACH_VOXELS)
    counts = np.bincount(shell[near], minlength=2 * _REACH_VOXELS)
    sums = np.bincount(shell[near], weights=values[near], minlength=2 * _REACH_VOXELS)
    with np.errstate(invalid="ignore"):
        means = sums / np.where(counts, counts, np.nan)
    return (np.arange(2 * _REACH_VOXELS) - _REACH_VOXELS + 0.5) * voxel_nm, means
