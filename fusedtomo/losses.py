"""The data terms of Eq. 1: HAADF least squares and chemical Poisson likelihood, each with value, gradient, curvature.

All three are negative log-likelihoods in their natural units (noise standard deviations and counts), so that
weights of 1 mean maximum likelihood, whatever the number of tilts, the dose or the volume's size.
"""

from typing import Protocol

import numpy as np

from fusedtomo.arrays import Array, array_module, dot, kernels, means, sample
from fusedtomo.kernels.interface import Columns
from fusedtomo.operators.projector import Projector
from fusedtomo.operators.zcontrast import ZContrast
from fusedtomo.placement import HERE, Placement

_STEEPEST = 1e30  # near an empty volume the fitted gain grows without end; float32, and room for what it multiplies
_LEAST_MODEL = 0.1  # of the mean counts: nearer to zero the curvature explodes, and hardly an iterate goes there


class Loss(Protocol):
    """A smooth term of the cost function. `projected` is what `project` made of the volume."""

    def project(self, volume: Array, out: Array | None = None) -> Array:
        """The model's projections of volume (element, z, y, x)."""

    def sums(self, projected: Array) -> Columns:
        """What the term is made of, as column sums; a GPU's are on their way, and who reads them waits."""

    def value(self, projected: Array, sums: Columns | None = None) -> float:
        """The term, a float64 sum >= 0 over all ranks; sums: what `sums` made of `projected`."""

    def gradient(self, projected: Array, volume: Array, weight: float, out: Array, *, add: bool = False) -> None:
        """out (element, z, y, x) = weight * gradient, or += with `add`."""

    def add_curvature(self, projected: Array, volume: Array, weight: float, out: Array) -> None:
        """out += weight * a diagonal that majorises the term's Gauss-Newton matrix: A'A <= diag(A'A 1), as A >= 0."""


class ChemicalPoisson:
    """``sum_i v_i [1'(g_i A x_i) - b_i' log(g_i A x_i + eps_i)]``, less its constant: >= 0, and 0 for a perfect fit.

    With eps the expected background counts this is the exact likelihood of "signal + background".

    Args:
        projector: chemical projector A_c.
        counts: b, (element, tilt, y, x) float32 >= 0; this rank's columns.
        gain: counts per unit of projected concentration, (element,).
        eps: counts added to the model, (element,), > 0.
        element_weights: v, (element,); 1 by default.
        compared_with: what the term compares the model with, as `counts`, where that is something else.
        place: where the term is computed.
    """

    def __init__(
        self,
        projector: Projector,
        counts: np.ndarray,
        gain: np.ndarray,
        eps: np.ndarray,
        *,
        element_weights: np.ndarray | None = None,
        compared_with: np.ndarray | None = None,
        place: Placement = HERE,
    ):
        self.projector, self.counts, self.place = projector, place.put(counts), place
        self.gain, self.eps = np.asarray(gain, np.float32), np.asarray(eps, np.float32)
        self.element_weights = (
            np.ones_like(self.gain) if element_weights is None else np.asarray(element_weights, np.float32)
        )
        self.mean_counts = mean_counts(self.counts, place)
        self._compared_with = self.counts if compared_with is None else place.put(compared_with)
        self._residual = place.xp.empty_like(self.counts)
        self._reading, self._row_sums = _Reading(place), None

    def project(self, volume: Array, out: Array | None = None) -> Array:
        """A x, (element, tilt, y, x)."""
        return self.projector.forward(self._reading(volume), out)

    def sums(self, projected: Array) -> Columns:
        """The divergences by column, (element, y)."""
        return kernels(projected).poisson.divergence(projected, self._compared_with, self.gain, self.eps)

    def value(self, projected: Array, sums: Columns | None = None) -> float:
        """The weighted Kullback-Leibler divergence of the counts from the model."""
        sums = self.sums(projected) if sums is None else sums
        return float(self.place.comm.total(sums) @ self.element_weights)

    def gradient(self, projected: Array, volume: Array, weight: float, out: Array, *, add: bool = False) -> None:
        """weight v g A' (1 - b / (g A x + eps))."""
        weights = np.float32(weight) * self.element_weights
        kernels(projected).poisson.residual(
            projected, self._compared_with, self.gain, self.eps, weights, self._residual
        )
        self.projector.adjoint(self._residual, out, add=add)

    def add_curvature(self, projected: Array, volume: Array, weight: float, out: Array) -> None:
        """out += weight v g^2 A' [(A 1) b / (g A x + eps)^2], the model at least a tenth of the mean counts."""
        if self._row_sums is None:
            self._row_sums = row_sums(self.projector, volume)
        xp, least = array_module(out), (_LEAST_MODEL * self.mean_counts).astype(np.float32)
        scale = np.float32(weight) * self.element_weights * self.gain**2
        for i, fisher in enumerate(self._residual):
            xp.multiply(projected[i], self.gain[i], out=fisher)
            fisher += self.eps[i]
            xp.maximum(fisher, least[i], out=fisher)
            fisher *= fisher
            xp.divide(self.counts[i], fisher, out=fisher)
            fisher *= scale[i]
            fisher *= self._row_sums
        self.projector.adjoint(self._residual, out, add=True)


class LinearLeastSquares:
    """``sum_i v_i ||g_i A x_i + background_i - b_i||^2 / (2 sigma_i^2)``.

    With sigma_i^2 the mean of b_i, the default, it is the Poisson term's limit at high counts.

    Arguments as for ChemicalPoisson, `background` in counts; variance: sigma^2 of a pixel, (element,).
    """

    def __init__(
        self,
        projector: Projector,
        counts: np.ndarray,
        gain: np.ndarray,
        background: np.ndarray,
        *,
        element_weights: np.ndarray | None = None,
        variance: np.ndarray | None = None,
        place: Placement = HERE,
    ):
        self.projector, self.place = projector, place
        self.gain, background = np.asarray(gain, np.float32), np.asarray(background, np.float32)
        weights = 1.0 if element_weights is None else np.asarray(element_weights)
        variance = mean_counts(place.put(counts), place) if variance is None else np.asarray(variance)
        self._precision = (weights / variance).astype(np.float32)
        self._signal = place.put(counts - background[:, None, None, None])
        self._residual = place.xp.empty_like(self._signal)
        self._reading, self._bound = _Reading(place), None

    def project(self, volume: Array, out: Array | None = None) -> Array:
        """A x, (element, tilt, y, x)."""
        return self.projector.forward(self._reading(volume), out)

    def _misfit(self, projected: Array) -> Array:
        for gain, p, signal, residual in zip(self.gain, projected, self._signal, self._residual, strict=True):
            array_module(projected).multiply(p, gain, out=residual)
            residual -= signal
        return self._residual

    def sums(self, projected: Array) -> list[Columns]:
        """The squared misfits by column, (y,) for every element."""
        return [kernels(misfit).sums.dot(misfit, misfit) for misfit in self._misfit(projected)]

    def value(self, projected: Array, sums: list[Columns] | None = None) -> float:
        """Half the squared misfit in units of its variance."""
        squares = [float(self.place.comm.total(each)) for each in (self.sums(projected) if sums is None else sums)]
        return 0.5 * sum(float(p) * square for p, square in zip(self._precision, squares, strict=True))

    def gradient(self, projected: Array, volume: Array, weight: float, out: Array, *, add: bool = False) -> None:
        """weight v g A' (g A x + background - b) / sigma^2."""
        for scale, misfit in zip(
            np.float32(weight) * self.gain * self._precision, self._misfit(projected), strict=True
        ):
            misfit *= scale
        self.projector.adjoint(self._residual, out, add=add)

    def add_curvature(self, projected: Array, volume: Array, weight: float, out: Array) -> None:
        """out += weight v g^2 A'A 1 / sigma^2."""
        if self._bound is None:  # the same wherever the volume is
            self._bound = self.projector.adjoint(row_sums(self.projector, volume))
        for scale, target in zip(np.float32(weight) * self.gain**2 * self._precision, out, strict=True):
            target += scale * self._bound


class HaadfLeastSquares:
    """``||s A sum_i (zeta_i x_i)^gamma - b||^2 / (2 sigma^2)`` with the gain s fitted: ``s = <Ax, b> / <Ax, Ax>``.

    A HAADF detector is never calibrated, and the chemical term fixes the scale of x, so the best s is put in at
    every volume (variable projection); the gradient with s held is then the gradient of the whole.

    Args:
        projector: HAADF projector A_h.
        contrast: the Z-contrast model.
        signal: b, (tilt, y, x) float32, background subtracted; this rank's columns.
        variance: sigma^2, noise variance of a pixel.
        place: where the term is computed.
    """

    def __init__(
        self,
        projector: Projector,
        contrast: ZContrast,
        signal: np.ndarray,
        variance: float,
        *,
        place: Placement = HERE,
    ):
        self.projector, self.contrast, self.variance = projector, contrast, float(variance)
        self.signal, self.place = place.put(signal), place
        self._square = dot(self.signal, self.signal, place.comm)
        self._misfit = place.xp.empty_like(self.signal)
        shape = (projector.depth, projector.width, self.signal.shape[-1])
        self._scratch = place.xp.empty(shape, np.float32)  # the density, then the back-projected misfit
        self._reading = _Reading(place)
        # projections and their products (`gradient` follows `value`); products and their totals
        self._last: tuple[Array, Columns] | None = None
        self._added: list[tuple[Columns, float, float]] = []

    def project(self, volume: Array, out: Array | None = None) -> Array:
        """A sum_i (zeta_i x_i)^gamma, (tilt, y, x)."""
        self._last = None  # `out` may be the array it is of
        self.contrast.density(volume, self._scratch)
        return self.projector.forward(self._reading(self._scratch), out)

    def gain(self, projected: Array) -> float:
        """The fitted HAADF gain s, in counts per unit of projected brightness; 0 for an empty volume."""
        square, product = self._products(self.sums(projected))
        return product / square if square > 0 else 0.0

    def sums(self, projected: Array) -> Columns:
        """<Ax, Ax> and <Ax, b> by column, (2, y); those of the last projections are kept."""
        if self._last is None or self._last[0] is not projected:
            self._last = projected, kernels(projected).sums.products(projected, self.signal)
        return self._last[1]

    def value(self, projected: Array, sums: Columns | None = None) -> float:
        """Half the squared misfit in units of its variance, ``(<b, b> - s <Ax, b>) / (2 sigma^2)`` at the fitted s."""
        square, product = self._products(self.sums(projected) if sums is None else sums)
        misfit = self._square - product**2 / square if square > 0 else self._square
        return 0.5 * float(np.maximum(misfit, 0.0)) / self.variance  # np.maximum hands on NaN

    def _products(self, sums: Columns) -> tuple[float, float]:
        """<Ax, Ax> and <Ax, b>, with one message between ranks; those of the last two points are kept."""
        known = next((kept for kept in self._added if kept[0] is sums), None)
        if known is None:
            square, product = self.place.comm.total(sums)
            known = sums, float(square), float(product)
            self._added = [known, *self._added[:1]]
        return known[1:]

    def gradient(self, projected: Array, volume: Array, weight: float, out: Array, *, add: bool = False) -> None:
        """weight gamma zeta_i^gamma x_i^(gamma-1) A' (s A(...) - b) s / sigma^2 (Eq. 2, its sign mended)."""
        gain = self.gain(projected)
        array_module(projected).multiply(projected, np.float32(gain), out=self._misfit)
        self._misfit -= self.signal
        self._misfit *= np.float32(weight * gain / self.variance)
        self.projector.adjoint_pullback(self._misfit, self.contrast, volume, self._scratch, out, add=add)

    def add_curvature(self, projected: Array, volume: Array, weight: float, out: Array) -> None:
        """out_i += weight s^2 / sigma^2 d_i A'A sum_k d_k, d the derivative of the contrast (Gauss-Newton part)."""
        floor = 0.02  # where x vanishes the derivative does too, but the next iterate need not
        scale = np.float32(min(weight * self.gain(projected) ** 2 / self.variance, _STEEPEST))
        self.contrast.total_slope(volume, self._scratch, floor=floor)
        self.projector.adjoint(self.projector.forward(self._scratch, self._misfit), self._scratch)
        self._scratch *= scale
        self.contrast.pullback(volume, self._scratch, out, floor=floor, add=True)


class _Reading:
    """The volume as the projector reads it: itself, or its copy in half precision."""

    def __init__(self, place: Placement):
        self._half = place.half
        self._copy: Array | None = None

    def __call__(self, volume: Array) -> Array:
        if not self._half:
            return volume
        if self._copy is None:
            self._copy = array_module(volume).empty(volume.shape, np.float16)
        self._copy[:] = volume
        return self._copy


def mean_counts(counts: Array, place: Placement = HERE) -> np.ndarray:
    """Mean counts per pixel of every element, (element,) float64; an empty element has at least one count in all."""
    pixels: float = counts[0].size / counts.shape[-1] * float(place.comm.total(np.ones(counts.shape[-1])))
    mean: np.ndarray = np.maximum(means(counts, place.comm), 1 / pixels)
    return mean


def noise_variance(signal: Array, place: Placement = HERE) -> float:
    """Noise variance of a HAADF stack (tilt, y, x) from differences of neighbours along x.

    The median absolute difference is blind to edges; the floor of 1 % of the root-mean-square signal stands for
    what the linear model leaves out (interpolation, misalignment), which no dose removes. Large stacks are sampled.
    """
    rows = sample(signal, place.comm)
    if rows.shape[-1] < 2:
        return max(float(np.mean(np.abs(rows), dtype=np.float64)), 1e-12)
    spread = np.median(np.abs(np.diff(rows, axis=-1))) / 0.6745
    floor = 0.01 * np.sqrt(np.mean(np.square(rows, dtype=np.float64)))
    return max(float(spread) ** 2 / 2, float(floor) ** 2, 1e-12)


def row_sums(projector: Projector, volume: Array) -> Array:
    """A 1, the length of every ray in voxels, (tilt, y, x)."""
    return projector.forward(array_module(volume).ones(volume.shape[1:], np.float32))
