"""Total variation and its proximal operator with non-negativity, in a diagonal metric."""

from collections.abc import Callable

import numpy as np

from fusedtomo.arrays import Array, array_module, kernels
from fusedtomo.kernels.interface import RELAXATION, Columns
from fusedtomo.long_steps import silver
from fusedtomo.parallel import Comm
from fusedtomo.placement import HERE, Placement

_FEWEST, _MOST = 2, 40  # inner iterations where their number follows the gap


class TotalVariation:
    """``sum_i w_i sum_v l_i(v) |grad x_i|(v)``, 3D, channel by channel, and its prox with x >= 0.

    The prox is a projected gradient on the dual (Chambolle 2004; Supplement 24), over-relaxed. The dual field is kept
    from call to call, so that a few inner iterations suffice inside an outer loop whose volume moves little; at so
    few, the momentum of FGP does not pay for the second field that it reads (docs/solver.md).

    Args:
        weights: w, TV weight of every channel, (channel,), >= 0.
        local: l, weights of single voxels, (channel, z, y, x) on the device, > 0; None where all are 1. Of slabs, a
            rank's own columns: no kernel asks for its neighbours'.
        iterations: inner iterations of a call of `prox`; None for as many as its allowed gap asks for.
        anisotropic: sum |d/dz| + |d/dy| + |d/dx| instead of the length of the gradient.
        long_steps: silver steps instead of even ones where the gap says how many, and on the CPU: on a GPU two even
            steps are one pass.
        place: where it is computed; slabs exchange the columns at their borders in every inner iteration.
    """

    def __init__(
        self,
        weights: np.ndarray,
        *,
        local: Array | None = None,
        iterations: int | None = 5,
        anisotropic: bool = False,
        long_steps: bool = False,
        place: Placement = HERE,
    ):
        self.weights, self.anisotropic, self.place = np.asarray(weights, np.float32), anisotropic, place
        self._iterations, self._inner, self._halo = iterations, iterations or _FEWEST, _Halo(place.comm)
        self._long_steps = long_steps and iterations is None and place.device == "cpu"
        self._active = bool((self.weights > 0).any())
        self._kept = np.float16 if place.half else np.float32
        self._local = None if local is None else self._halo.padded(local).astype(self._kept, copy=False)
        self._dual: Array | None = None
        self._spare: Array | None = None

    def value(self, volume: Array) -> float:
        """The weighted TV of volume (channel, z, y, x)."""
        if not self._active:
            return 0.0
        (room,) = self._halo.extended(volume)
        columns = kernels(volume).tv.total_variation(room, self.anisotropic, self._local)
        return float(self._summed(columns[None])[0] @ self.weights.astype(np.float64))

    def prox(
        self, noisy: Array, inverse: Array, step: float, out: Array, *, allowed_gap: float = 0.0
    ) -> tuple[float, float]:
        """argmin_{x >= 0} sum_v (x - noisy)^2 / (2 step inverse) + TV(x), into out; all (channel, z, y, x).

        Returns the two terms of that sum at `out`, the TV first. Without a fixed number of iterations the inner loop
        goes on until the duality gap, by which the cost of `out` may exceed the least one, is at most `allowed_gap`.
        """
        return self.begin_prox(noisy, inverse, step, out, allowed_gap=allowed_gap)()

    def begin_prox(
        self, noisy: Array, inverse: Array, step: float, out: Array, *, allowed_gap: float = 0.0
    ) -> Callable[[], tuple[float, float]]:
        """`prox`, whose terms the returned function gives: it waits, so that a GPU can be given more before."""
        if not self._active:
            array_module(noisy).maximum(noisy, np.float32(0), out=out)
            columns = kernels(noisy).sums.distance(out, noisy, inverse)
            return lambda: (0.0, float(self.place.comm.total(columns)) / (2 * step))
        weight = np.float32(step) * self.weights
        noisy, inverse = self._halo.extended(noisy, inverse)
        if self._dual is None:
            self._allocate(noisy)
        columns = self._iterated(noisy, inverse, weight, out)
        if not self._iterations:
            columns = self._closed(columns, noisy, inverse, weight, out, allowed_gap)
        return lambda: self._terms(columns, step)

    def forget(self) -> None:
        """Drop the kept dual field: the next call of `prox` starts as the first one did."""
        self._inner = self._iterations or _FEWEST
        if self._dual is not None:
            self._dual[:] = 0

    def _allocate(self, like: Array) -> None:
        xp, (n_channels, *shape) = array_module(like), like.shape
        self._dual = xp.zeros((n_channels, 3, *shape), self._kept)
        self._spare = kernels(like).tv.spare(self._dual)

    def _closed(
        self, columns: Columns, noisy: Array, inverse: Array, weight: np.ndarray, out: Array, allowed_gap: float
    ) -> Columns:
        """Iterate on until the gap is at most the allowed one, and note how many iterations to begin with next time."""
        done, gap = self._inner, self._sums(columns)[1]
        while gap > allowed_gap and done < _MOST:
            self._inner = min(self._inner + max(1, self._inner // 2), _MOST)
            columns = self._iterated(noisy, inverse, weight, out)
            done, gap = done + self._inner, self._sums(columns)[1]
        if gap < 0.5 * allowed_gap:
            self._inner = max(_FEWEST, self._inner * 3 // 4)
        return columns

    def _terms(self, columns: Columns, step: float) -> tuple[float, float]:
        value, _, moved = self._sums(columns)
        return value, moved / (2 * step)

    def _sums(self, columns: Columns) -> tuple[float, float, float]:
        """From the column sums of `finish`: the weighted TV, the gap, the distance."""
        total, paired, moved = columns
        sums = self._summed(np.stack([total, total - paired, moved]))
        value, gap = sums[:2] @ self.weights.astype(np.float64)
        return float(value), float(gap), float(sums[2].sum())

    def _iterated(self, noisy: Array, inverse: Array, weight: np.ndarray, out: Array) -> Columns:
        """Iterate, and write the prox of the dual as it then is; the column sums of `finish`."""
        target = self._halo.room_for(out)
        columns = self._ascended(noisy, inverse, weight, target)
        if target is not out:
            out[:] = target[self._halo.own]
        return columns

    def _ascended(self, noisy: Array, inverse: Array, weight: np.ndarray, out: Array) -> Columns:
        """Iterate and finish. Slabs show each other their borders after every iteration."""
        tv, done = kernels(noisy).tv, 0
        if self.place.comm.size > 1 or self._long_steps:
            for done in range(1, self._inner + 1):
                step = silver(done, self._inner) if self._long_steps else RELAXATION
                self._dual, self._spare = tv.ascend(
                    noisy, inverse, weight, self._dual, self._spare, self.anisotropic, self._local, step
                )
                self._halo.exchange(self._dual)
        self._dual, self._spare, columns = tv.prox(
            noisy, inverse, weight, self._dual, self._spare, out, self._inner - done, self.anisotropic, self._local
        )
        return columns

    def _summed(self, columns: np.ndarray) -> np.ndarray:
        """Column sums (sum, channel, x) over all ranks' own columns: (sum, channel)."""
        return self.place.comm.total(np.ascontiguousarray(columns[self._halo.own]))


class _Halo:
    """A slab with one column of each neighbour beside it: with those in place, kernels need not know of slabs.

    What a kernel writes into the neighbours' columns is wrong, for it takes them for the volume's ends; `exchange`
    puts the neighbours' own values there. Differences look ahead, to the right; only the transposed one, of the dual's
    component along x, looks back: the column to the left holds that component, and in volumes zeros.
    """

    def __init__(self, comm: Comm):
        self._comm, self._left, self._right = comm, int(comm.rank > 0), int(comm.rank < comm.size - 1)
        self.own = (..., slice(self._left, -1 if self._right else None))
        self._rooms: list[Array] = []  # used again by every call

    def extended(self, *volumes: Array) -> list[Array]:
        """One or two volumes (channel, z, y, x) of one shape with their neighbours' columns; themselves on one rank."""
        if self._comm.size == 1:
            return list(volumes)
        first = array_module(volumes[0]).stack([volume[..., 0] for volume in volumes])
        _, from_right = self._comm.neighbours(first, None)
        rooms = [self._room(k, volume) for k, volume in enumerate(volumes)]
        for k, (room, volume) in enumerate(zip(rooms, volumes, strict=True)):
            room[self.own] = volume
            if self._right:
                room[..., -1] = from_right[k]
        return rooms

    def padded(self, volume: Array) -> Array:
        """A volume (channel, z, y, x) with ones in the neighbours' columns; itself on one rank."""
        if self._comm.size == 1:
            return volume
        room = array_module(volume).ones((*volume.shape[:-1], self._left + volume.shape[-1] + self._right), np.float32)
        room[self.own] = volume
        return room

    def room_for(self, out: Array) -> Array:
        """Room for a volume and its neighbours' columns; `out` itself on one rank."""
        return out if self._comm.size == 1 else self._room(2, out)

    def exchange(self, dual: Array) -> None:
        """Renew the neighbours' columns of a dual field (channel, 3, z, y, x)."""
        if self._comm.size == 1:
            return
        own, contiguous = dual[self.own], array_module(dual).ascontiguousarray
        from_left, from_right = self._comm.neighbours(contiguous(own[..., 0]), contiguous(own[:, 2, ..., -1]))
        if self._left:
            dual[:, 2, ..., 0] = from_left
        if self._right:
            dual[..., -1] = from_right

    def _room(self, k: int, like: Array) -> Array:
        while len(self._rooms) <= k:
            shape = (*like.shape[:-1], self._left + like.shape[-1] + self._right)
            self._rooms.append(array_module(like).zeros(shape, like.dtype))
        return self._rooms[k]
