"""The projector and its peers behind one shape: forward and adjoint of a volume (z, y, x), set up beforehand.

Peers are optional; making one whose package is missing raises ImportError or fusedtomo's InputError.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fusedtomo.operators import _astra
from fusedtomo.operators.projector import Projector


@dataclass(frozen=True)
class Peer:
    """Calls without arguments on data bound beforehand; each returns (tilt, y, x) or (z, y, x) for the comparison."""

    forward: Callable[[], np.ndarray]
    adjoint: Callable[[], np.ndarray]


def fusedtomo(angles_deg: np.ndarray, volume: np.ndarray, stack: np.ndarray) -> Peer:
    """Our kernels."""
    projector = Projector(angles_deg, *volume.shape[:2])
    stack_out, volume_out = np.empty_like(stack), np.empty_like(volume)
    return Peer(lambda: projector.forward(volume, stack_out), lambda: projector.adjoint(stack, volume_out))


def scipy_csr(angles_deg: np.ndarray, volume: np.ndarray, stack: np.ndarray) -> Peer:
    """SciPy's sparse matrix (rows compressed, both directions) times the dense volume."""
    matrix = _astra.sparse_matrix(np.deg2rad(angles_deg), *volume.shape[:2])
    transpose = matrix.T.tocsr()
    dense, rays = (a.reshape(-1, a.shape[-1]) for a in (volume, stack))
    return Peer(lambda: (matrix @ dense).reshape(stack.shape), lambda: (transpose @ rays).reshape(volume.shape))


def astra_cpu(kind: str, angles_deg: np.ndarray, volume: np.ndarray, stack: np.ndarray) -> Peer:
    """ASTRA's CPU algorithms FP and BP, one call a slice, as ASTRA has no 3D parallel beam on the CPU.

    kind: "linear" or "line". Generous to ASTRA: data objects and algorithms are made once, beforehand, and the
    slices are contiguous; a run stores a slice, runs the algorithm and fetches the result.
    """
    import astra  # an optional dependency

    depth, width, _ = volume.shape
    geometry = astra.create_vol_geom(depth, width)
    rays = astra.create_proj_geom("parallel", 1.0, width, -np.deg2rad(angles_deg))
    projector = astra.create_projector(kind, rays, geometry)
    slice_id, sinogram_id = astra.data2d.create("-vol", geometry), astra.data2d.create("-sino", rays)

    def algorithm(name: str, data: str) -> int:
        config = astra.astra_dict(name)
        config.update({"ProjectorId": projector, "ProjectionDataId": sinogram_id, data: slice_id})
        return astra.algorithm.create(config)

    def run(algorithm_id: int, inputs: np.ndarray, source: int, target: int, out: np.ndarray) -> np.ndarray:
        for data, result in zip(inputs, out, strict=True):
            astra.data2d.store(source, data)
            astra.algorithm.run(algorithm_id)
            result[:] = astra.data2d.get(target)
        return np.moveaxis(out, 0, -1)

    forward, adjoint = algorithm("FP", "VolumeDataId"), algorithm("BP", "ReconstructionDataId")
    slices, sinograms = (np.ascontiguousarray(np.moveaxis(a, -1, 0)) for a in (volume, stack))
    slices_out, sinograms_out = np.empty_like(slices), np.empty_like(sinograms)
    return Peer(
        lambda: run(forward, slices, slice_id, sinogram_id, sinograms_out),
        lambda: run(adjoint, sinograms, sinogram_id, slice_id, slices_out),
    )
