"""A cost function: weighted smooth terms plus total variation, evaluated together and recorded term by term."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fusedtomo.losses import Loss
from fusedtomo.proximal import TotalVariation


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
    """

    terms: Mapping[str, Term]
    tv: TotalVariation

    def project(self, volume: np.ndarray) -> dict[str, np.ndarray]:
        """The model's projections of a volume (element, z, y, x), term by term."""
        return {name: term.loss.project(volume) for name, term in self.terms.items()}

    def smooth(self, projected: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The weighted smooth terms by name."""
        return {name: term.weight * term.loss.value(projected[name]) for name, term in self.terms.items()}

    def gradient(self, projected: Mapping[str, np.ndarray], volume: np.ndarray, out: np.ndarray) -> np.ndarray:
        """The gradient of the smooth part, into out (element, z, y, x)."""
        out[:] = 0
        for name, term in self.terms.items():
            term.loss.add_gradient(projected[name], volume, term.weight, out)
        return out

    def curvature(self, projected: Mapping[str, np.ndarray], volume: np.ndarray) -> np.ndarray:
        """A positive diagonal (element, z, y, x) that bounds the curvature of the smooth part near `volume`.

        Voxels that hardly any ray sees get a twentieth of their element's mean, so that no step is unbounded.
        """
        out = np.zeros_like(volume)
        for name, term in self.terms.items():
            term.loss.add_curvature(projected[name], volume, term.weight, out)
        means = out.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
        return np.maximum(out, np.maximum(0.05 * means, 1e-12).astype(np.float32), out=out)
