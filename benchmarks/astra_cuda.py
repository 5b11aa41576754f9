"""ASTRA's CUDA projectors on CuPy arrays, in the place of ours: the same problem and the same solver.

Generous to ASTRA: it reads and writes our arrays where they are (DLPack), its projectors are made once, and stacks keep
the order of axes that it wants, (t, tilt, x), in memory: the data is put into that order beforehand, and nothing else
in the solver asks for it. It ran on an H200; tests/test_benchmarks_gpu.py checks the geometry by ASTRA's own
`projectPoint`, and the loop on a stand-in for ASTRA.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from fusedtomo.losses import HaadfLeastSquares
from fusedtomo.operators.projector import Projector
from fusedtomo.solvers.problem import Problem
from fusedtomo.tilts import FusedDataset, TiltSeries

_ADD, _SET = 0, 1  # astra::CCompositeGeometryManager::EJobMode, which Python has no names for


class AstraProjector(Projector):
    """`Projector` with ASTRA's kernels for CuPy arrays; stacks (..., tilt, y, x) hold (..., y, tilt, x) in memory.

    ASTRA's back-projection is not the transpose of its projection.
    """

    def __init__(self, angles_deg: tuple[float, ...], depth: int, width: int, length: int):
        import astra
        from astra import experimental

        super().__init__(angles_deg, depth, width)
        self._project, self._in_memory = experimental.direct_FPBP3D, (width, len(angles_deg), length)
        self._id = astra.create_projector(
            "cuda3d",
            geometry(angles_deg, width, length),
            astra.create_vol_geom(width, length, depth),
        )

    def forward(self, volume: Any, out: Any = None) -> Any:
        """Line integrals, channel by channel."""
        channels, target, out = self._checked(volume, self._volume_rows, self._stack_rows, out)
        for channel, stack in zip(channels, target, strict=True):
            self._project(self._id, channel, stack.reshape(self._in_memory), _SET, "FP")
        return out

    def adjoint(self, stack: Any, out: Any = None, *, add: bool = False) -> Any:
        """Back-projection, channel by channel."""
        channels, target, out = self._checked(stack, self._stack_rows, self._volume_rows, out)
        for channel, volume in zip(channels, target, strict=True):
            self._project(self._id, volume, channel.reshape(self._in_memory), _ADD if add else _SET, "BP")
        return out

    def adjoint_pullback(
        self, stack: Any, contrast: Any, volume: Any, scratch: Any, out: Any, *, add: bool = False
    ) -> None:
        """The two one after the other."""
        contrast.pullback(volume, self.adjoint(stack, scratch), out, add=add)


def geometry(angles_deg: tuple[float, ...], width: int, length: int) -> dict:
    """ASTRA's parallel beams about our x axis, its own x; detector rows along t, columns along x, both of unit size.

    A vector's entries are (x, y, z): ray, detector centre, step from column to column, step from row to row. In 3D,
    ASTRA's axes run with the indices of an array (z, y, x), as ours do.
    """
    import astra

    angles = np.deg2rad(np.asarray(angles_deg, np.float64))
    vectors, cos, sin = np.zeros((len(angles), 12)), np.cos(angles), np.sin(angles)
    vectors[:, 1], vectors[:, 2] = -sin, cos
    vectors[:, 6] = 1
    vectors[:, 10], vectors[:, 11] = cos, sin
    return astra.create_proj_geom("parallel3d_vec", width, length, vectors)


@dataclass(frozen=True, eq=False)
class AstraProblem(Problem):
    """A problem whose data is `in_astra_s_order`, and whose projectors are ASTRA's."""

    @cached_property
    def chemical_projector(self) -> Projector:
        """A_c."""
        return AstraProjector(self.dataset.chemical_scheme.angles_deg, *self.shape[1:])

    def haadf(self) -> HaadfLeastSquares:
        """The HAADF term with ASTRA's projector."""
        term = super().haadf()
        term.projector = AstraProjector(self.dataset.haadf.scheme.angles_deg, *self.shape[1:])
        return term


def in_astra_s_order(dataset: FusedDataset) -> FusedDataset:
    """The data with every series (tilt, t, x) laid out as (t, tilt, x), under the old shape."""
    return replace(dataset, haadf=_turned(dataset.haadf), chemical=tuple(map(_turned, dataset.chemical)))


def _turned(series: TiltSeries) -> TiltSeries:
    counts = np.ascontiguousarray(series.counts.transpose(1, 0, 2)).reshape(series.counts.shape)
    return replace(series, counts=counts)
