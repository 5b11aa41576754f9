"""An independent judge of `fused`: Eq. 1 in NumPy float64, and the primal-dual method of Condat and Vu to minimise it.

Written from docs/solver.md; of fusedtomo only the data set and the atomic numbers come in. The projector is a sparse
matrix of its own, the constants are computed anew, and there is no step, metric, momentum or inner loop of `fused`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from fusedtomo.elements import atomic_number
from fusedtomo.tilts import FusedDataset

_REFRESHED = (0, 5, 20, 50, 100, 200, 400, 800, 1600, 3200)  # iterations at which the metric is made anew
_LEAST = 0.02  # concentrations and shares of mean values below this count as this in the metric
_ALL_DEGREES = 12.0  # ||K||^2 of the 3D gradient
_CURVATURE_SHARE = 0.7  # of the pessimistic bound D; above 1/2 by what the curvature changes on the way
_DUAL_STEP = 3.0  # times the TV weight over the largest concentrations, which makes a step free of units


@dataclass(frozen=True)
class Cost:
    """The cost function of docs/solver.md for one data set; volumes are (element, z, y, x) float64.

    Args:
        dataset: simulated tilt series: gains and backgrounds are known.
        haadf, chemical, tv: the three weights.
        gamma: exponent of the HAADF contrast.
        local: weights of total variation voxel by voxel, (element, z, y, x); None where all are 1.
    """

    dataset: FusedDataset
    haadf: float
    chemical: float
    tv: float
    gamma: float
    local: np.ndarray | None = None

    def __post_init__(self):
        series, width = self.dataset.chemical, self.dataset.haadf.counts.shape[1]
        counts = np.stack([each.counts for each in series]).astype(np.float64)
        mean = counts.mean(axis=(1, 2, 3))
        gain = np.array([each.gain for each in series], np.float64)
        tv_weights = (self.tv * gain * np.sqrt(len(self.dataset.chemical_scheme) / mean))[:, None, None, None]
        charge = np.array([atomic_number(each.name) for each in series], np.float64)
        signal = self.dataset.haadf.counts.astype(np.float64) - self.dataset.haadf.background
        self._set(
            chemical_matrix=joseph_matrix(self.dataset.chemical_scheme.angles_deg, width, width),
            haadf_matrix=joseph_matrix(self.dataset.haadf.scheme.angles_deg, width, width),
            counts=_rays(counts),
            signal=_rays(signal[None])[0],
            gain=gain[:, None, None],
            eps=np.maximum([each.background for each in series], 0.1 * mean)[:, None, None],
            tv_weights=tv_weights,
            radii=tv_weights * (1.0 if self.local is None else self.local.astype(np.float64)),
            variance=_noise_variance(signal),
            zeta=(charge / charge.max())[:, None, None, None],
        )

    def _set(self, **values):
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def value(self, x: np.ndarray) -> float:
        """F(x)."""
        return self.smooth(x) + float((self.radii * np.sqrt((differences(x) ** 2).sum(1))).sum())

    def smooth(self, x: np.ndarray) -> float:
        """The two data terms."""
        model = self._model(x)
        ratio = np.where(self.counts > 0, self.counts, 1.0) / model
        divergence = (model - self.counts + self.counts * np.log(ratio)).sum()
        misfit, _ = self._misfit(x)
        return self.chemical * float(divergence) + 0.5 * self.haadf / self.variance * float((misfit**2).sum())

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient of the data terms; the HAADF gain counts as held, which gives the gradient of the fitted one."""
        model = self._model(x)
        chemical = self.chemical * _times(self.chemical_matrix.T, self.gain * (1 - self.counts / model))
        misfit, gain = self._misfit(x)
        haadf = self.haadf * gain / self.variance * (self.haadf_matrix.T @ misfit)
        return chemical.reshape(x.shape) + self._slope(x) * haadf.reshape(x.shape[1:])

    def curvature(self, x: np.ndarray) -> np.ndarray:
        """A diagonal that bounds the curvature of the data terms near x (A'A <= diag(A'A 1))."""
        ones = np.ones(x[0, :, :, :1].shape)
        rows = self.chemical_matrix @ ones.reshape(-1, 1)
        model = self._model(x)
        fisher = self.chemical * self.gain**2 * self.counts / model**2 * rows
        slope = self._slope(np.maximum(x, _LEAST))
        spread = self.haadf_matrix.T @ (self.haadf_matrix @ slope.sum(0).reshape(-1, x.shape[-1]))
        spread *= self.haadf * self._misfit(x)[1] ** 2 / self.variance
        bound = _times(self.chemical_matrix.T, fisher).reshape(x.shape) + slope * spread.reshape(x.shape[1:])
        return np.maximum(bound, _LEAST * bound.mean((1, 2, 3), keepdims=True))

    def _model(self, x: np.ndarray) -> np.ndarray:
        """g A x + eps, the expected counts (element, ray, x)."""
        return self.gain * _times(self.chemical_matrix, x.reshape(len(x), -1, x.shape[-1])) + self.eps

    def _slope(self, x: np.ndarray) -> np.ndarray:
        """d (zeta x)^gamma / dx."""
        return self.gamma * self.zeta**self.gamma * x ** (self.gamma - 1)

    def _misfit(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        """s A rho - b and the gain s that fits best."""
        density = ((self.zeta * x) ** self.gamma).sum(0)
        projected = self.haadf_matrix @ density.reshape(-1, x.shape[-1])
        gain = float((projected * self.signal).sum() / (projected**2).sum())
        return gain * projected - self.signal, gain


def joseph_matrix(angles_deg: Iterable[float], depth: int, width: int) -> csr_matrix:
    """The 2D system matrix (tilt * t, z * y) of Joseph's interpolation (docs/conventions.md), float64."""
    z, y = (grid.ravel() for grid in np.mgrid[:depth, :width])
    rows, columns, weights = [], [], []
    for tilt, angle in enumerate(np.deg2rad(angles_deg)):
        h = max(abs(np.cos(angle)), abs(np.sin(angle)))
        t = (y - (width - 1) / 2) * np.cos(angle) + (z - (depth - 1) / 2) * np.sin(angle) + (width - 1) / 2
        for ray in (np.floor(t), np.floor(t) + 1):
            weight = np.maximum(0, 1 - np.abs(t - ray) / h) / h
            hit = (weight > 0) & (ray >= 0) & (ray < width)
            rows.append(tilt * width + ray[hit].astype(int))
            columns.append((z * width + y)[hit])
            weights.append(weight[hit])
    shape = (len(rows) // 2 * width, depth * width)
    return csr_matrix((np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape)


def differences(x: np.ndarray) -> np.ndarray:
    """K x: forward differences, zero on the last plane: (element, z, y, x) -> (element, 3, z, y, x)."""
    return np.stack([np.diff(x, axis=axis, append=x.take([-1], axis)) for axis in (1, 2, 3)], axis=1)


def transposed_differences(p: np.ndarray) -> np.ndarray:
    """K' p; entries on the last plane of their axis do not count."""
    out = np.zeros((p.shape[0], *p.shape[2:]))
    for axis in range(3):
        inner, target = (np.moveaxis(a, axis + 1, 0) for a in (p[:, axis], out))
        target[:-1] -= inner[:-1]
        target[1:] += inner[:-1]
    return out


@dataclass(frozen=True)
class Certificate:
    """Where Condat-Vu ended: the volume, its cost, and below what no volume can be if the problem is convex."""

    volume: np.ndarray
    cost: float
    lower_bound: float


def condat_vu(
    cost: Cost, start: np.ndarray, iterations: int, callback: Callable[[int, np.ndarray], None] = lambda k, x: None
) -> Certificate:
    """Minimise by the primal-dual method of Condat (2013) and Vu (2013), with diagonal steps (Pock and Chambolle 2011).

        x+ = max(0, x - T (grad f(x) + K' p))
        p+ = P(p + S K (2 x+ - x)),   P onto |p_i(v)| <= the TV weight of element i at v,   1 / T = 0.7 D + 12 S

    D bounds the curvature of f, so that ``1/T - K' S K >= D / 2``, the condition of convergence for a convex f of
    constant curvature; D follows the iterates at a few fixed iterations. The callback gets every iterate.
    """
    x = start.astype(np.float64)
    p = np.zeros((len(x), 3, *x.shape[1:]))
    for k in range(iterations):
        callback(k, x)
        if k in _REFRESHED:
            dual_step = _DUAL_STEP * cost.tv_weights / np.quantile(x, 0.999, axis=(1, 2, 3), keepdims=True)
            primal_step = 1 / (_CURVATURE_SHARE * cost.curvature(x) + _ALL_DEGREES * dual_step)
        new = np.maximum(0, x - primal_step * (cost.gradient(x) + transposed_differences(p)))
        p += dual_step[:, None] * differences(2 * new - x)
        p *= (cost.radii / np.maximum(cost.radii, np.sqrt((p**2).sum(1))))[:, None]
        x = new
    callback(iterations, x)
    return Certificate(x, cost.value(x), lower_bound(cost, x, p))


def lower_bound(cost: Cost, x: np.ndarray, p: np.ndarray) -> float:
    """A bound from below on F over volumes of at most twice the largest x of each element, were f convex.

    For every x': ``f(x') >= f(x) + <grad f(x), x' - x>`` and ``TV(x') >= <K x', p>``, hence
    ``F(x') >= f(x) - <grad f(x), x> + <grad f(x) + K' p, x'>``, and the last term is least at a corner of the box.
    """
    gradient = cost.gradient(x)
    slack = np.minimum(0, gradient + transposed_differences(p)).sum((1, 2, 3))
    return cost.smooth(x) - float((gradient * x).sum()) + float(2 * x.max((1, 2, 3)) @ slack)


def _times(matrix: csr_matrix, channels: np.ndarray) -> np.ndarray:
    """matrix (m, n) times every channel (channel, n, x)."""
    return np.stack([matrix @ channel for channel in channels])


def _rays(stack: np.ndarray) -> np.ndarray:
    return stack.reshape(len(stack), -1, stack.shape[-1])


def _noise_variance(signal: np.ndarray) -> float:
    """Of a HAADF pixel: median absolute difference of neighbours, at least 1 % of the signal squared."""
    spread = np.median(np.abs(np.diff(signal, axis=-1))) / 0.6745
    return max(spread**2 / 2, 1e-4 * float(np.mean(signal**2)))
