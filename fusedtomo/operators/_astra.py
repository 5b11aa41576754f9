"""ASTRA's CPU `linear` projector as a sparse matrix: an independent cross-check of our own kernels."""

from typing import TYPE_CHECKING

import numpy as np

from fusedtomo.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def sparse_matrix(angles: np.ndarray, depth: int, width: int) -> "csr_matrix":
    """ASTRA's 2D system matrix (tilt * t, z * y) as SciPy CSR, float32; angles in radians."""
    try:
        import astra
    except ImportError as error:
        raise InputError(
            f"projector backend 'astra' cannot be loaded ({error}); pip install 'fusedtomo[astra]'"
        ) from None
    # ASTRA's row axis points down and its angles turn the other way about it: z runs along rows, y along columns
    geometry = astra.create_vol_geom(depth, width)
    projections = astra.create_proj_geom("parallel", 1.0, width, -np.asarray(angles))
    projector = astra.create_projector("linear", projections, geometry)
    matrix_id = astra.projector.matrix(projector)
    matrix = astra.matrix.get(matrix_id).tocsr().astype(np.float32)
    astra.matrix.delete(matrix_id)
    astra.projector.delete(projector)
    return matrix


class Kernels:
    """The forward and adjoint kernels, with the signatures of our own; the angles are inside."""

    def __init__(self, angles: np.ndarray, depth: int, width: int):
        self._matrix = sparse_matrix(angles, depth, width)
        self._transpose = self._matrix.T.tocsr()

    def forward(self, volume: np.ndarray, cos: np.ndarray, sin: np.ndarray, out: np.ndarray) -> None:
        """Line integrals: volume (channel, z, y, x) -> out (channel, tilt, t, x)."""
        self._apply(self._matrix, volume, out, add=False)

    def adjoint(self, stack: np.ndarray, cos: np.ndarray, sin: np.ndarray, out: np.ndarray, add: bool) -> None:
        """Back-projection: stack (channel, tilt, t, x) -> out (channel, z, y, x)."""
        self._apply(self._transpose, stack, out, add)

    def _apply(self, operator: "csr_matrix", channels: np.ndarray, out: np.ndarray, add: bool) -> None:
        for source, target in zip(channels, out, strict=True):
            result = (operator @ source.reshape(-1, source.shape[-1])).reshape(target.shape)
            target[:] = target + result if add else result
