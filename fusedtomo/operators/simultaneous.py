"""One iteration of SIRT: how is a volume corrected by what it does not explain (Gilbert 1972)?"""

import numpy as np

from fusedtomo.arrays import Array, array_module
from fusedtomo.operators.projector import Projector

_LEAST_SUM = np.float32(1e-3)  # of a ray or voxel: what fewer meet is outside


class SimultaneousCorrection:
    """``x <- max(0, x + C A' R (b - A x))``, with R and C the inverse row and column sums of A.

    Args:
        projector: A.
        measured: b, (..., tilt, y, x) float32, vacuum being 0, on the device that computes.

    Attributes:
        residual: b - A x of the volume that `explain` saw last.
        weighted: R times that.
    """

    def __init__(self, projector: Projector, measured: Array):
        xp, self.projector, self.measured = array_module(measured), projector, measured
        ones = xp.ones((projector.depth, projector.width, measured.shape[-1]), np.float32)
        self._per_ray = 1 / xp.maximum(projector.forward(ones), _LEAST_SUM)
        self._per_voxel = 1 / xp.maximum(projector.adjoint(xp.ones(measured.shape[-3:], np.float32)), _LEAST_SUM)
        self.residual, self.weighted = xp.empty_like(measured), xp.empty_like(measured)
        self._update = xp.empty((*measured.shape[:-3], *ones.shape), np.float32)

    def explain(self, volume: Array) -> None:
        """Find what a volume (..., z, y, x) leaves unexplained."""
        xp = array_module(volume)
        xp.subtract(self.measured, self.projector.forward(volume, self.residual), out=self.residual)
        xp.multiply(self.residual, self._per_ray, out=self.weighted)

    def correct(self, volume: Array) -> None:
        """Correct the volume that was explained last, in place."""
        xp = array_module(volume)
        volume += xp.multiply(self.projector.adjoint(self.weighted, self._update), self._per_voxel, out=self._update)
        xp.maximum(volume, np.float32(0), out=volume)
