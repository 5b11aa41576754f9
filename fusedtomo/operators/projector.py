"""The projector: line integrals of a volume at given tilt angles, and its exact adjoint."""

from collections.abc import Sequence

import numpy as np

from fusedtomo.errors import InputError, nearest
from fusedtomo.operators import _joseph_numba


class Projector:
    """Parallel-beam projection about the x axis, slice by slice the same 2D matrix.

    A voxel centre (y, z), counted from the centre of rotation (n - 1) / 2, meets the detector at
    ``t = y cos(theta) + z sin(theta)``. Integrals are in voxels; Joseph interpolation; forward and adjoint are
    transposes of each other to float32 rounding at every angle.

    Args:
        angles_deg: tilt angles in degrees.
        depth: voxels along z, the beam at 0 degrees.
        width: voxels along y, and detector pixels along t.
        backend: "numba" (default) or "astra" (optional cross-check, needs the astra extra).
    """

    def __init__(self, angles_deg: Sequence[float], depth: int, width: int, *, backend: str = "numba"):
        angles = np.deg2rad(np.asarray(angles_deg, dtype=np.float64))
        if angles.ndim != 1 or not np.isfinite(angles).all():
            raise InputError(f"angles must be a list of finite degrees, got {angles_deg!r}")
        self.angles_deg, self.depth, self.width, self.backend = tuple(angles_deg), int(depth), int(width), backend
        self._forward, self._adjoint = _kernels(backend, angles, self.depth, self.width)

    def __reduce__(self):
        return _rebuild, (self.angles_deg, self.depth, self.width, self.backend)

    def forward(self, volume: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Line integrals: volume (..., z, y, x) -> stack (..., tilt, y, x), float32."""
        return self._apply(self._forward, volume, (self.depth, self.width), (len(self.angles_deg), self.width), out)

    def adjoint(self, stack: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Back-projection, the transpose of `forward`: stack (..., tilt, y, x) -> volume (..., z, y, x), float32."""
        return self._apply(self._adjoint, stack, (len(self.angles_deg), self.width), (self.depth, self.width), out)

    def _apply(self, kernel, array, rows_in, rows_out, out):
        if array.ndim < 3 or array.shape[-3:-1] != rows_in:
            raise InputError(
                f"projector expects an array (..., {rows_in[0]}, {rows_in[1]}, x), got shape {array.shape}"
            )
        shape = (*array.shape[:-3], *rows_out, array.shape[-1])
        if out is None:
            out = np.empty(shape, np.float32)
        elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise InputError(f"out must be a contiguous float32 array of shape {shape}, got {out.dtype} {out.shape}")
        channels = np.ascontiguousarray(array, dtype=np.float32).reshape(-1, *array.shape[-3:])
        kernel(channels, out.reshape(-1, *shape[-3:]))
        return out


def _kernels(backend: str, angles: np.ndarray, depth: int, width: int):
    if backend == "astra":
        from fusedtomo.operators import _astra  # an optional dependency

        return _astra.kernels(angles, depth, width)
    if backend != "numba":
        raise InputError(f"there is no projector backend '{backend}'; {nearest(backend, ['numba', 'astra'])}")
    cos, sin = np.cos(angles), np.sin(angles)

    def forward(channels: np.ndarray, out: np.ndarray) -> None:
        _joseph_numba.forward(channels, cos, sin, out)

    def adjoint(channels: np.ndarray, out: np.ndarray) -> None:
        _joseph_numba.adjoint(channels, cos, sin, out)

    return forward, adjoint


def _rebuild(angles_deg, depth, width, backend) -> Projector:
    return Projector(angles_deg, depth, width, backend=backend)
