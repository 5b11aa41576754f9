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
        # a channel without weight needs no dual
        self._duals = [np.zeros((3, *shape), np.float32) if weight > 0 else None for weight in self.weights]
        self._spare = [np.zeros((3, *shape), np.float32) for _ in range(2)] if self._active else []
        self._step = np.empty(shape if self._active else 0, np.float32)

    def value(self, volume: np.ndarray) -> float:
        """The weighted TV of volume (channel, z, y, x)."""
        if not self._active:
            return 0.0
        _tv_numba.total_variation(volume, self._sums)
        return float(self._sums.sum(axis=1) @ self.weights)

    def prox(self, noisy: np.ndarray, inverse_metric: np.ndarray, out: np.ndarray) -> np.ndarray:
        """argmin_{x >= 0} sum_v (x - noisy)^2 / (2 inverse_metric) + TV(x), into out; all (channel, z, y, x)."""
        # channel by channel: the duals of one 64^3 channel stay in the last-level cache for all inner iterations
        for channel, weight in enumerate(self.weights):
            if weight > 0:
                dual = self._ascend(channel, noisy[channel], inverse_metric[channel])
                _tv_numba.primal(noisy[channel], weight, inverse_metric[channel], dual, out[channel])
            else:
                np.maximum(noisy[channel], 0, out=out[channel])
        return out

    def _ascend(self, channel: int, noisy: np.ndarray, inverse_metric: np.ndarray) -> np.ndarray:
        """The dual of a channel after all inner iterations; three fields rotate: this, the last and the next."""
        weight, dual, (previous, new) = self.weights[channel], self._duals[channel], self._spare
        _tv_numba.dual_step(inverse_metric, weight, self._step)
        t, momentum = 1.0, 0.0
        for _ in range(self.iterations):
            before = previous if momentum > 0 else dual  # without momentum there is no need to read it
            _tv_numba.iterate(noisy, weight, inverse_metric, self._step, dual, before, np.float32(momentum), new)
            dual, previous, new = new, dual, previous
            t_next = (1 + np.sqrt(1 + 4 * t * t)) / 2
            t, momentum = t_next, (t - 1) / t_next
        self._duals[channel], self._spare = dual, [previous, new]
        return dual
