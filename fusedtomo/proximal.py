"""Total variation and its proximal operator with non-negativity, in a diagonal metric."""

import numpy as np

from fusedtomo import _tv_numba


class TotalVariation:
    """``sum_i w_i ||x_i||_TV``, isotropic, 3D, channel by channel, and its prox with x >= 0.

    The prox runs fast gradient projection on the dual (Beck and Teboulle 2009, Supplement 24). The dual field is
    kept from call to call, so that a few inner iterations suffice inside an outer loop whose volume moves little.

    Args:
        weights: TV weight of every channel, (channel,), >= 0.
        shape: (z, y, x) of a channel.
        iterations: inner iterations of a call of `prox`.
    """

    def __init__(self, weights: np.ndarray, shape: tuple[int, int, int], *, iterations: int = 5):
        self.weights, self.iterations = np.asarray(weights, dtype=np.float32), iterations
        self._sums = np.empty((len(self.weights), shape[0]), np.float64)
        self._active = bool((self.weights > 0).any())
        duals = (len(self.weights), 3, *shape) if self._active else (0,)
        self._dual, self._previous = np.zeros(duals, np.float32), np.zeros(duals, np.float32)

    def value(self, volume: np.ndarray) -> float:
        """The weighted TV of volume (channel, z, y, x)."""
        if not self._active:
            return 0.0
        _tv_numba.total_variation(volume, self._sums)
        return float(self._sums.sum(axis=1) @ self.weights)

    def prox(self, noisy: np.ndarray, inverse_metric: np.ndarray, out: np.ndarray) -> np.ndarray:
        """argmin_{x >= 0} sum_v (x - noisy)^2 / (2 inverse_metric) + TV(x), into out; all (channel, z, y, x)."""
        if not self._active:
            return np.maximum(noisy, 0, out=out)
        # a channel without weight keeps a zero dual; any positive stand-in avoids dividing by zero
        safe = np.maximum(self.weights, np.float32(1e-20))
        t, momentum = 1.0, np.float32(0)
        for _ in range(self.iterations):
            _tv_numba.primal(noisy, self.weights, inverse_metric, self._dual, self._previous, momentum, out)
            _tv_numba.ascend(out, safe, inverse_metric, self._dual, self._previous, momentum)
            self._dual, self._previous = self._previous, self._dual
            t_next = (1 + np.sqrt(1 + 4 * t * t)) / 2
            t, momentum = t_next, np.float32((t - 1) / t_next)
        _tv_numba.primal(noisy, self.weights, inverse_metric, self._dual, self._previous, np.float32(0), out)
        return out
