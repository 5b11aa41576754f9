"""The projector: line integrals of a volume at given tilt angles, and its exact adjoint."""

from collections.abc import Callable, Sequence

import numpy as np

from fusedtomo.arrays import Array, array_module, kernels
from fusedtomo.errors import InputError, nearest
from fusedtomo.kernels.interface import Projection
from fusedtomo.operators.zcontrast import ZContrast


class Projector:
    """Parallel-beam projection about the x axis, slice by slice the same 2D matrix.

    A voxel centre (y, z), counted from the centre of rotation (n - 1) / 2, meets the detector at
    ``t = y cos(theta) + z sin(theta)``. Integrals are in voxels; Joseph interpolation; forward and adjoint are
    transposes of each other to float32 rounding at every angle. NumPy arrays are projected on the CPU, CuPy arrays on
    their GPU.

    Args:
        angles_deg: tilt angles in degrees.
        depth: voxels along z, the beam at 0 degrees.
        width: voxels along y, and detector pixels along t.
        backend: "own" (default) or "astra" (optional cross-check on the CPU, needs the astra extra).
    """

    def __init__(self, angles_deg: Sequence[float], depth: int, width: int, *, backend: str = "own"):
        angles = np.deg2rad(np.asarray(angles_deg, dtype=np.float64))
        if angles.ndim != 1 or not np.isfinite(angles).all():
            raise InputError(f"angles must be a list of finite degrees, got {angles_deg!r}")
        self.angles_deg, self.depth, self.width, self.backend = tuple(angles_deg), int(depth), int(width), backend
        self._kernels = _astra_kernels(angles, self.depth, self.width) if _is_astra(backend) else None
        self._cos, self._sin = np.cos(angles), np.sin(angles)

    def __reduce__(self) -> tuple[Callable[..., "Projector"], tuple[tuple[float, ...], int, int, str]]:
        return _rebuild, (self.angles_deg, self.depth, self.width, self.backend)

    def forward(self, volume: Array, out: Array | None = None) -> Array:
        """Line integrals: volume (..., z, y, x) -> stack (..., tilt, y, x), float32."""
        source, target, out = self._checked(volume, self._volume_rows, self._stack_rows, out)
        joseph = self._kernels or kernels(source).joseph
        joseph.forward(source, self._cos, self._sin, target)
        return out

    def adjoint(self, stack: Array, out: Array | None = None, *, add: bool = False) -> Array:
        """Back-projection, the transpose of `forward`: stack (..., tilt, y, x) -> volume (..., z, y, x), float32.

        With `add` the result is added to what `out` holds.
        """
        source, target, out = self._checked(stack, self._stack_rows, self._volume_rows, out)
        joseph = self._kernels or kernels(source).joseph
        joseph.adjoint(source, self._cos, self._sin, target, add)
        return out

    def adjoint_pullback(
        self, stack: Array, contrast: ZContrast, volume: Array, scratch: Array, out: Array, *, add: bool = False
    ) -> None:
        """`contrast.pullback` at `volume` of the back-projection of stack (tilt, y, x), into out (element, z, y, x).

        What is back-projected may lie in scratch (z, y, x) meanwhile. With `add` the result is added to what `out`
        holds.
        """
        if self._kernels:
            contrast.pullback(volume, self.adjoint(stack, scratch), out, add=add)
        else:
            own, zeta, gamma = kernels(stack).joseph, contrast.zeta, contrast.gamma
            own.adjoint_pullback(stack, self._cos, self._sin, volume, zeta, gamma, 0.0, scratch, out, add)

    @property
    def _volume_rows(self) -> tuple[int, int]:
        return self.depth, self.width

    @property
    def _stack_rows(self) -> tuple[int, int]:
        return len(self.angles_deg), self.width

    def _checked(
        self, array: Array, rows_in: tuple[int, int], rows_out: tuple[int, int], out: Array | None
    ) -> tuple[Array, Array, Array]:
        """Source and target with one channel axis, and the array to return."""
        if array.ndim < 3 or array.shape[-3:-1] != rows_in:
            raise InputError(
                f"projector expects an array (..., {rows_in[0]}, {rows_in[1]}, x), got shape {array.shape}"
            )
        xp = array_module(array)
        shape = (*array.shape[:-3], *rows_out, array.shape[-1])
        if out is None:
            out = xp.empty(shape, np.float32)
        elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise InputError(f"out must be a contiguous float32 array of shape {shape}, got {out.dtype} {out.shape}")
        # the GPU's kernels read halves
        kept = array.dtype if array.dtype == np.float16 and xp is not np else np.float32
        channels = xp.ascontiguousarray(array, dtype=kept).reshape(-1, *array.shape[-3:])
        return channels, out.reshape(-1, *shape[-3:]), out


def _is_astra(backend: str) -> bool:
    if backend not in ("own", "astra"):
        raise InputError(f"there is no projector backend '{backend}'; {nearest(backend, ['own', 'astra'])}")
    return backend == "astra"


def _astra_kernels(angles: np.ndarray, depth: int, width: int) -> Projection:
    from fusedtomo.operators import _astra  # an optional dependency

    return _astra.Kernels(angles, depth, width)


def _rebuild(angles_deg: tuple[float, ...], depth: int, width: int, backend: str) -> Projector:
    return Projector(angles_deg, depth, width, backend=backend)
