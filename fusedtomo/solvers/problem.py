"""What a method solves: a data set with weights and settings, and from them the terms of Eq. 1 (docs/solver.md)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fusedtomo.arrays import Array
from fusedtomo.elements import atomic_number
from fusedtomo.errors import InputError, nearest
from fusedtomo.losses import ChemicalPoisson, HaadfLeastSquares, LinearLeastSquares, mean_counts, noise_variance
from fusedtomo.operators.projector import Projector
from fusedtomo.operators.zcontrast import ZContrast
from fusedtomo.placement import HERE, Placement
from fusedtomo.proximal import TotalVariation
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.tilts import FusedDataset, per_element

TYPICAL_GAMMA = 1.7  # "experimentally typically around 1.7" (paper, after Eq. 1)
_LEAST_EPS = 0.1  # of the mean counts; nearer to zero a ray that a step empties throws the logarithm off


@dataclass(frozen=True, eq=False)
class Problem:
    """A data set to reconstruct, and how.

    Attributes:
        dataset: the tilt series; of several ranks, this rank's columns of them.
        weights, settings: of the terms, and of the solver.
        place: the ranks and the device.
        mask: (z, y, x) bool, False where the volume is known to be empty; this rank's columns.
    """

    dataset: FusedDataset
    weights: Weights
    settings: SolverSettings
    place: Placement = HERE
    mask: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(element, z, y, x): y and x as on the detector, z as deep as wide unless settings say otherwise."""
        width, length = self.dataset.haadf.counts.shape[1:]
        return len(self.dataset.elements), self.settings.depth or width, width, length

    @cached_property
    def gain(self) -> np.ndarray:
        """Counts per unit of projected concentration, (element,); 1 where unknown: x is then in counts per voxel."""
        return per_element(self.dataset, "gain", 1.0)

    @cached_property
    def background(self) -> np.ndarray:
        """Expected background counts per pixel, (element,)."""
        return per_element(self.dataset, "background", 0.0)

    @cached_property
    def mean_counts(self) -> np.ndarray:
        """Mean counts per pixel of every element, (element,), over all ranks."""
        return mean_counts(self.place.put(self.dataset.chemical_counts), self.place)

    @cached_property
    def chemical_projector(self) -> Projector:
        """A_c."""
        return Projector(self.dataset.chemical_scheme.angles_deg, *self.shape[1:3])

    @cached_property
    def eps(self) -> np.ndarray:
        """Counts that the Poisson term expects besides the specimen's, (element,), unless settings give them.

        The expected background, and at least a tenth of the mean.
        """
        if self.settings.eps is not None:
            return np.full_like(self.background, self.settings.eps)
        eps: np.ndarray = np.maximum(self.background, _LEAST_EPS * self.mean_counts)
        return eps

    def chemical_poisson(self) -> ChemicalPoisson:
        """The Poisson term."""
        return ChemicalPoisson(
            self.chemical_projector,
            self.dataset.chemical_counts,
            self.gain,
            self.eps,
            element_weights=self._by_element(self.settings.chemical_by_element),
            place=self.place,
        )

    def chemical_least_squares(self) -> LinearLeastSquares:
        """The least-squares term."""
        return LinearLeastSquares(
            self.chemical_projector,
            self.dataset.chemical_counts,
            self.gain,
            self.background,
            element_weights=self._by_element(self.settings.chemical_by_element),
            place=self.place,
        )

    def chemical(self) -> ChemicalPoisson | LinearLeastSquares:
        """The chemical term that the settings ask for."""
        least_squares = self.settings.chemical_term == "least-squares"
        return self.chemical_least_squares() if least_squares else self.chemical_poisson()

    @cached_property
    def haadf_projector(self) -> Projector:
        """A_h."""
        return Projector(self.dataset.haadf.scheme.angles_deg, *self.shape[1:3])

    @property
    def haadf_signal(self) -> np.ndarray:
        """The HAADF series without its background, (tilt, y, x) float32."""
        signal: np.ndarray = self.dataset.haadf.counts - np.float32(self.dataset.haadf.background)
        return signal

    @cached_property
    def haadf_variance(self) -> float:
        """Of the noise of a HAADF pixel, estimated from the images."""
        return noise_variance(self.place.put(self.haadf_signal), self.place)

    def haadf(self) -> HaadfLeastSquares:
        """The HAADF term."""
        return HaadfLeastSquares(
            self.haadf_projector, self.contrast(), self.haadf_signal, self.haadf_variance, place=self.place
        )

    def haadf_alone(self) -> LinearLeastSquares:
        """The term of a volume of brightness, (1, z, y, x), which no chemistry enters."""
        one, none = np.ones(1), np.zeros(1)
        variance = np.array([self.haadf_variance])
        return LinearLeastSquares(
            self.haadf_projector, self.haadf_signal[None], one, none, variance=variance, place=self.place
        )

    def contrast(self) -> ZContrast:
        """How bright the elements are in HAADF images."""
        gamma = self.settings.gamma or self.dataset.gamma or TYPICAL_GAMMA
        return ZContrast(tuple(atomic_number(symbol) for symbol in self.dataset.elements), gamma)

    @cached_property
    def gradient_noise(self) -> np.ndarray:
        """Deviation of the Poisson term's gradient at a voxel, ``g_i sqrt(n_tilts / mean b_i)``, (element,)."""
        return self.gain * np.sqrt(len(self.dataset.chemical_scheme) / self.mean_counts)

    def total_variation(self, local: Array | None = None, strength: np.ndarray | float = 1.0) -> TotalVariation:
        """TV in units of the noise it has to hold against: one weight serves elements, doses and tilt counts alike.

        local: weights of voxels, (element, z, y, x) on the device; strength: factors, (element,).
        """
        return self.total_variation_of(self.weights.tv * self.gradient_noise * strength, local)

    def total_variation_of(self, weights: np.ndarray, local: Array | None = None) -> TotalVariation:
        """TV of these weights, (element,), times those by element."""
        return self._total_variation(weights * self._by_element(self.settings.tv_by_element), local)

    def total_variation_alone(self) -> TotalVariation:
        """TV of brightness, (1, z, y, x), in units of the noise of `haadf_alone`: ``sqrt(n_tilts) / sigma``."""
        noise = np.sqrt(len(self.dataset.haadf.scheme) / self.haadf_variance)
        return self._total_variation(np.array([self.weights.tv * noise]), None)

    def _total_variation(self, weights: np.ndarray, local: Array | None) -> TotalVariation:
        return TotalVariation(
            weights,
            local=local,
            iterations=self.settings.tv_iterations,
            anisotropic=self.settings.tv == "anisotropic",
            long_steps=self.settings.pace == "fast",
            place=self.place,
        )

    @cached_property
    def support(self) -> Array | None:
        """Where the volume may hold anything, (z, y, x) bool on the device; None for everywhere."""
        mask = self.mask
        if self.settings.mask == "cylinder":
            inside = _cylinder(*self.shape[1:])
            mask = inside if mask is None else inside & mask
        return None if mask is None else self.place.xp.asarray(mask)

    def _by_element(self, factors: dict[str, float]) -> np.ndarray:
        for element in factors:
            if element not in self.dataset.elements:
                raise InputError(f"there is no element '{element}' to weigh; {nearest(element, self.dataset.elements)}")
        return np.array([factors.get(element, 1.0) for element in self.dataset.elements])


def _cylinder(depth: int, width: int, length: int) -> np.ndarray:
    """The cylinder about the tilt axis that every projection sees whole, (z, y, x) bool."""
    z, y = np.ogrid[:depth, :width]
    inside = (z - (depth - 1) / 2) ** 2 + (y - (width - 1) / 2) ** 2 <= (width / 2) ** 2
    return np.broadcast_to(inside[..., None], (depth, width, length))
