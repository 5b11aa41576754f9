"""A cost function: weighted smooth terms plus total variation, evaluated together and recorded term by term."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fusedtomo.arrays import Array, array_module, means
from fusedtomo.kernels.interface import Columns
from fusedtomo.losses import Loss
from fusedtomo.placement import HERE, Placement
from fusedtomo.proximal import TotalVariation

_LEAST_CURVATURE = 0.05  # of an element's mean: voxels that hardly any ray sees get no unbounded step
_FROZEN = np.float32(1e-30)  # the inverse curvature of a voxel that must stay empty


@dataclass(frozen=True)
class Term:
    """A smooth term and its weight in the cost function."""

    loss: Loss
    weight: float


@dataclass(frozen=True)
class Objective:
    """``sum_k weight_k loss_k(x) + TV(x)`` over x >= 0.

    Attributes:
        terms: the smooth terms by name ("haadf", "chemical").
        tv: total variation with its weights inside.
        place: the ranks and the device.
        support: (z, y, x) bool, False where x is 0; None for no such constraint.
    """

    terms: Mapping[str, Term]
    tv: TotalVariation
    place: Placement = HERE
    support: Array | None = None

    def project(self, volume: Array, out: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """The model's projections of a volume (element, z, y, x), term by term."""
        return {name: term.loss.project(volume, out and out[name]) for name, term in self.terms.items()}

    def sums(self, projected: Mapping[str, Array]) -> dict[str, Columns]:
        """What the smooth terms are made of, by name; a GPU's are on their way, and `smooth` waits for them."""
        return {name: term.loss.sums(projected[name]) for name, term in self.terms.items()}

    def smooth(self, projected: Mapping[str, Array], sums: Mapping[str, Columns] | None = None) -> dict[str, float]:
        """The weighted smooth terms by name; sums: what `sums` made of the projections."""
        sums = self.sums(projected) if sums is None else sums
        return {name: term.weight * term.loss.value(projected[name], sums[name]) for name, term in self.terms.items()}

    def gradient(self, projected: Mapping[str, Array], volume: Array, out: Array) -> Array:
        """The gradient of the smooth part, into out (element, z, y, x)."""
        for k, (name, term) in enumerate(self.terms.items()):
            term.loss.gradient(projected[name], volume, term.weight, out, add=k > 0)
        return out

    def inverse_curvature(self, projected: Mapping[str, Array], volume: Array, out: Array | None = None) -> Array:
        """1 / D with D a positive diagonal (element, z, y, x) that bounds the curvature of the smooth part nearby."""
        xp = array_module(volume)
        out = xp.empty_like(volume) if out is None else out
        out[:] = 0
        for name, term in self.terms.items():
            term.loss.add_curvature(projected[name], volume, term.weight, out)
        least = np.maximum(_LEAST_CURVATURE * means(out, self.place.comm), 1e-12).astype(np.float32)
        for channel, floor in zip(out, least, strict=True):
            xp.maximum(channel, floor, out=channel)
            xp.divide(np.float32(1), channel, out=channel)
            if self.support is not None:
                channel *= self.support
                xp.maximum(channel, _FROZEN, out=channel)
        return out
