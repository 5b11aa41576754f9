"""Total variation and its proximal operator with non-negativity, in a diagonal metric."""

import numpy as np

from fusedtomo.arrays import Array, array_module, kernels
from fusedtomo.placement import HERE, Placement

_FEWEST, _MOST = 2, 40  # inner iterations where their number follows the gap


class TotalVariation:
    """``sum_i w_i ||x_i||_TV``, 3D, channel by channel, and its prox with x >= 0.

    The prox is a projected gradient on the dual (Chambolle 2004; Supplement 24), over-relaxed. The dual field is kept
    from call to call, so that a few inner iterations suffice inside an outer loop whose volume moves little; at so
    few, the momentum of FGP does not pay for the second field that it reads (docs/solver.md).

    Args:
        weights: TV weight of every channel, (channel,), >= 0.
        iterations: inner iterations of a call of `prox`; None for as many as its allowed gap asks for.
        anisotropic: sum |d/dz| + |d/dy| + |d/dx| instead of the length of the gradient.
        place: where it is computed; slabs exchange the columns at their borders in every inner iteration.
    """

    def __init__(
        self,
        weights: np.ndarray,
        *,
        iterations: int | None = 5,
        anisotropic: bool = False,
        place: Placement = HERE,
    ):
        self.weights, self.anisotropic, self.place = np.asarray(weights, np.float32), anisotropic, place
        self._iterations, self._inner, self._halo = iterations, iterations or _FEWEST, _Halo(place.comm)
        self._active = bool((self.weights > 0).any())
        self._dual = self._spare = None

    def value(self, volume: Array) -> float:
        """The weighted TV of volume (channel, z, y, x)."""
        if not self._active:
            return 0.0
        columns = kernels(volume).tv.total_variation(self._halo.extended(volume), self.anisotropic)
        return self._weighted(columns)

    def prox(self, noisy: Array, inverse: Array, step: float, out: Array, *, allowed_gap: float = 0.0) -> float:
        """argmin_{x >= 0} sum_v (x - noisy)^2 / (2 step inverse) + TV(x), into out; all (channel, z, y, x).

        Returns the weighted TV of `out`. Without a fixed number of iterations the inner loop goes on until the
        duality gap, by which the cost of `out` may exceed the least one, is at most `allowed_gap`.
        """
        if not self._active:
            array_module(noisy).maximum(noisy, np.float32(0), out=out)
            return 0.0
        if self._dual is None:
            self._allocate(noisy)
        noisy, inverse, weight = (
            self._halo.extended(noisy),
            self._halo.extended(inverse),
            np.float32(step) * self.weights,
        )
        done = 0
        while True:
            for _ in range(self._inner):
                self._ascend(noisy, inverse, weight)
            done += self._inner
            value, gap = self._finish(noisy, inverse, weight, out)
            if self._iterations or not gap > allowed_gap or done >= _MOST:
                break
            self._inner = min(self._inner + max(1, self._inner // 2), _MOST)
        if not self._iterations and gap < 0.5 * allowed_gap:
            self._inner = max(_FEWEST, self._inner * 3 // 4)
        return value

    def _allocate(self, like: Array) -> None:
        xp, (n_channels, *shape) = array_module(like), self._halo.extended(like).shape
        self._dual = xp.zeros((n_channels, 3, *shape), np.float16 if self.place.half else np.float32)
        self._spare = kernels(like).tv.spare(self._dual)

    def _ascend(self, noisy: Array, inverse: Array, weight: np.ndarray) -> None:
        tv = kernels(noisy).tv
        self._dual, self._spare = tv.ascend(noisy, inverse, weight, self._dual, self._spare, self.anisotropic)
        self._halo.exchange(self._dual)

    def _finish(self, noisy: Array, inverse: Array, weight: np.ndarray, out: Array) -> tuple[float, float]:
        """Write the prox of the dual as it is; return its weighted TV and the duality gap."""
        target = out if noisy.shape == out.shape else array_module(out).empty_like(noisy)
        total, paired = kernels(noisy).tv.finish(noisy, inverse, weight, self._dual, target, self.anisotropic)
        if target is not out:
            out[:] = target[self._halo.own]
        return self._weighted(total), self._weighted(total - paired)

    def _weighted(self, columns: np.ndarray) -> float:
        own = columns[self._halo.own]
        return float(self.place.comm.total(np.ascontiguousarray(own)) @ self.weights.astype(np.float64))


class _Halo:
    """A slab with one column of each neighbour beside it: with those in place, kernels need not know of slabs.

    What a kernel writes into the neighbours' columns is wrong, for it takes them for the volume's ends; `exchange`
    puts the neighbours' own values there.
    """

    def __init__(self, comm):
        self._comm, self._left, self._right = comm, int(comm.rank > 0), int(comm.rank < comm.size - 1)
        self.own = (..., slice(self._left, -1 if self._right else None))

    def extended(self, array: Array) -> Array:
        """The array (..., x) with its neighbours' columns; itself where there are none."""
        if self._comm.size == 1:
            return array
        room = array_module(array).empty((*array.shape[:-1], self._left + array.shape[-1] + self._right), array.dtype)
        room[self.own] = array
        self.exchange(room)
        return room

    def exchange(self, room: Array) -> None:
        """Renew the neighbours' columns."""
        if self._comm.size == 1:
            return
        own = room[self.own]
        contiguous = array_module(room).ascontiguousarray
        from_left, from_right = self._comm.neighbours(contiguous(own[..., 0]), contiguous(own[..., -1]))
        if self._left:
            room[..., 0] = from_left
        if self._right:
            room[..., -1] = from_right
