"""The data terms of Eq. 1: HAADF least squares and chemical Poisson likelihood, each with value, gradient, curvature.

All three are negative log-likelihoods in their natural units (noise standard deviations and counts), so that
weights of 1 mean maximum likelihood, whatever the number of tilts, the dose or the volume's size.
"""

from typing import Protocol

import numpy as np

from fusedtomo import _poisson_numba
from fusedtomo.arrays import dot
from fusedtomo.operators.projector import Projector
from fusedtomo.operators.zcontrast import ZContrast

_LEAST_MODEL = 0.1  # of the mean counts: nearer to zero the curvature explodes, and hardly an iterate goes there


class Loss(Protocol):
    """A smooth term of the cost function. `projected` is what `project` made of the volume."""

    def project(self, volume: np.ndarray) -> np.ndarray:
        """The model's projections of volume (element, z, y, x)."""

    def value(self, projected: np.ndarray) -> float:
        """The term, a float64 sum >= 0."""

    def add_gradient(self, projected: np.ndarray, volume: np.ndarray, weight: float, out: np.ndarray) -> None:
        """out (element, z, y, x) += weight * gradient."""

    def add_curvature(self, projected: np.ndarray, volume: np.ndarray, weight: float, out: np.ndarray) -> None:
        """out += weight * a diagonal that majorises the term's Gauss-Newton matrix: A'A <= diag(A'A 1), as A >= 0."""


class ChemicalPoisson:
    """``sum_i 1'(g_i A x_i) - b_i' log(g_i A x_i + eps_i)``, less its constant: >= 0, and 0 for a perfect fit.

    With eps the expected background counts this is the exact likelihood of "signal + background".

    Args:
        projector: chemical projector A_c.
        counts: b, (element, tilt, y, x) float32 >= 0.
        gain: counts per unit of projected concentration, (element,).
        eps: counts added to the model, (element,), > 0.
    """

    def __init__(self, projector: Projector, counts: np.ndarray, gain: np.ndarray, eps: np.ndarray):
        self.projector, self.counts = projector, np.ascontiguousarray(counts, dtype=np.float32)
        self.gain, self.eps = gain.astype(np.float32), eps.astype(np.float32)
        self._residual, self._back = np.empty_like(self.counts), None
        self._sums = np.empty(self.counts.shape[:2], np.float64)

    def project(self, volume: np.ndarray) -> np.ndarray:
        """A x, (element, tilt, y, x)."""
        return self.projector.forward(volume)

    def value(self, projected: np.ndarray) -> float:
        """The Kullback-Leibler divergence of the counts from the model."""
        _poisson_numba.value(projected, self.counts, self.gain, self.eps, self._sums)
        return float(self._sums.sum())

    def add_gradient(self, projected, volume, weight, out):
        """out += weight g A' (1 - b / (g A x + eps))."""
        _poisson_numba.residual(projected, self.counts, self.gain, self.eps, np.float32(weight), self._residual)
        for residual, target in zip(self._residual, out, strict=True):  # one channel's buffer, and that in the cache
            self._back = self.projector.adjoint(residual, self._back)
            target += self._back

    def add_curvature(self, projected, volume, weight, out):
        """out += weight g^2 A' [(A 1) b / (g A x + eps)^2], the model at least a tenth of the mean counts."""
        g, eps = self.gain[:, None, None, None], self.eps[:, None, None, None]
        least = np.float32(_LEAST_MODEL) * mean_counts(self.counts).astype(np.float32)[:, None, None, None]
        fisher = g * g * self.counts / np.maximum(g * projected + eps, least) ** 2
        out += np.float32(weight) * self.projector.adjoint(fisher * _row_sums(self.projector, volume))


class ChemicalLeastSquares:
    """``sum_i ||g_i A x_i + background_i - b_i||^2 / (2 mean b_i)``: the Poisson term's limit at high counts.

    Arguments as for ChemicalPoisson, `background` in counts.
    """

    def __init__(self, projector: Projector, counts: np.ndarray, gain: np.ndarray, background: np.ndarray):
        self.projector, self.counts = projector, np.ascontiguousarray(counts, dtype=np.float32)
        self.gain, self.background = (a.astype(np.float32)[:, None, None, None] for a in (gain, background))
        self._precision = 1 / mean_counts(counts).astype(np.float32)[:, None, None, None]

    def project(self, volume: np.ndarray) -> np.ndarray:
        """A x, (element, tilt, y, x)."""
        return self.projector.forward(volume)

    def _misfit(self, projected: np.ndarray) -> np.ndarray:
        return self.gain * projected + self.background - self.counts

    def value(self, projected: np.ndarray) -> float:
        """Half the squared misfit in units of its variance."""
        return 0.5 * float(np.sum(self._precision * self._misfit(projected) ** 2, dtype=np.float64))

    def add_gradient(self, projected, volume, weight, out):
        """out += weight g A' (g A x + background - b) / mean b."""
        out += np.float32(weight) * self.projector.adjoint(self.gain * self._precision * self._misfit(projected))

    def add_curvature(self, projected, volume, weight, out):
        """out += weight g^2 A'A 1 / mean b."""
        sums = self.projector.adjoint(_row_sums(self.projector, volume))
        out += np.float32(weight) * self.gain**2 * self._precision * sums


class HaadfLeastSquares:
    """``||s A sum_i (zeta_i x_i)^gamma - b||^2 / (2 sigma^2)`` with the gain s fitted: ``s = <Ax, b> / <Ax, Ax>``.

    A HAADF detector is never calibrated, and the chemical term fixes the scale of x, so the best s is put in at
    every volume (variable projection); the gradient with s held is then the gradient of the whole.

    Args:
        projector: HAADF projector A_h.
        contrast: the Z-contrast model.
        signal: b, (tilt, y, x) float32, background subtracted.
        variance: sigma^2, the noise variance of a pixel.
    """

    def __init__(self, projector: Projector, contrast: ZContrast, signal: np.ndarray, variance: float):
        self.projector, self.contrast, self.variance = projector, contrast, float(variance)
        self.signal = np.ascontiguousarray(signal, dtype=np.float32)
        self._square = dot(self.signal, self.signal)
        self._scratch = None  # (z, y, x): the density, and later the back-projected misfit

    def project(self, volume: np.ndarray) -> np.ndarray:
        """A sum_i (zeta_i x_i)^gamma, (tilt, y, x)."""
        self._scratch = self.contrast.density(volume, self._scratch)
        return self.projector.forward(self._scratch)

    def gain(self, projected: np.ndarray) -> float:
        """The fitted HAADF gain s, in counts per unit of projected brightness; 0 for an empty volume."""
        square = dot(projected, projected)
        return dot(projected, self.signal) / square if square > 0 else 0.0

    def value(self, projected: np.ndarray) -> float:
        """Half the squared misfit in units of its variance, ``(<b, b> - s <Ax, b>) / (2 sigma^2)`` at the fitted s."""
        misfit = self._square - self.gain(projected) * dot(projected, self.signal)
        return 0.5 * float(np.maximum(misfit, 0.0)) / self.variance  # np.maximum hands on NaN

    def add_gradient(self, projected, volume, weight, out):
        """out_i += weight gamma zeta_i^gamma x_i^(gamma-1) A' (s A(...) - b) s / sigma^2 (Eq. 2, its sign mended)."""
        gain = self.gain(projected)
        misfit = np.float32(gain) * projected
        misfit -= self.signal
        misfit *= np.float32(weight * gain / self.variance)
        self._scratch = self.projector.adjoint(misfit, self._scratch)
        self.contrast.add_pullback(volume, self._scratch, out)

    def add_curvature(self, projected, volume, weight, out):
        """out_i += weight s^2 / sigma^2 d_i A'A sum_k d_k, d the derivative of the contrast (Gauss-Newton part)."""
        floor = 0.02  # where x vanishes the derivative does too, but the next iterate need not
        derivative = np.zeros_like(volume)
        self.contrast.add_pullback(volume, np.ones(volume.shape[1:], np.float32), derivative, floor=floor)
        gain = self.gain(projected)
        spread = self.projector.adjoint(self.projector.forward(derivative.sum(axis=0)))
        out += np.float32(weight * gain**2 / self.variance) * derivative * spread


def mean_counts(counts: np.ndarray) -> np.ndarray:
    """Mean counts per pixel of every element, (element,) float64; an empty element has at least one count in all."""
    means = counts.mean(axis=(1, 2, 3), dtype=np.float64)
    return np.maximum(means, 1 / counts[0].size)


def noise_variance(signal: np.ndarray) -> float:
    """Noise variance of a HAADF stack (tilt, y, x) from differences of neighbours along x.

    The median absolute difference is blind to edges; the floor of 1 % of the root-mean-square signal stands for
    what the linear model leaves out (interpolation, misalignment), which no dose removes.
    """
    if signal.shape[-1] < 2:
        return max(float(np.mean(np.abs(signal), dtype=np.float64)), 1e-12)
    spread = np.median(np.abs(np.diff(signal, axis=-1))) / 0.6745
    floor = 0.01 * np.sqrt(np.mean(np.square(signal, dtype=np.float64)))
    return max(float(spread) ** 2 / 2, float(floor) ** 2, 1e-12)


def _row_sums(projector: Projector, volume: np.ndarray) -> np.ndarray:
    """A 1, the length of every ray in voxels, (tilt, y, x)."""
    return projector.forward(np.ones(volume.shape[1:], np.float32))
