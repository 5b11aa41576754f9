"""One call from a data set to its reconstruction, by any method."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fusedtomo.errors import InputError, nearest
from fusedtomo.score import score
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers.fista_tv import fista_tv
from fusedtomo.solvers.fused import fused, poisson, poisson_tv
from fusedtomo.solvers.gradient_descent import gradient_descent
from fusedtomo.solvers.sirt import sirt
from fusedtomo.solvers.solution import Callback
from fusedtomo.solvers.terms import volume_shape
from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume

METHODS = {
    "fused": fused,
    "gradient-descent": gradient_descent,
    "poisson": poisson,
    "poisson-tv": poisson_tv,
    "sirt": sirt,
    "fista-tv": fista_tv,
}


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A reconstructed volume and how it came about.

    Attributes:
        volume: concentrations of every element.
        history: every cost term, and NRMSE ("nrmse") where the truth was given, one value an iterate.
        stopped: "tolerance", "max_iterations" or "not finite".
        method, weights, settings: what was asked for.
        seconds: wall time.
    """

    volume: ChemicalVolume
    history: dict[str, list[float]]
    stopped: str
    method: str
    weights: Weights
    settings: SolverSettings
    seconds: float

    @property
    def iterations(self) -> int:
        """Outer iterations done."""
        return len(self.history["total"]) - 1


def reconstruct(
    dataset: FusedDataset,
    method: str = "fused",
    weights: Weights | None = None,
    settings: SolverSettings | None = None,
    *,
    initial: np.ndarray | None = None,
    truth: ChemicalVolume | None = None,
    callback: Callback | None = None,
) -> Reconstruction:
    """Reconstruct the concentrations of every element.

    Args:
        dataset: the tilt series.
        method: one of METHODS.
        weights: of the terms of Eq. 1; methods ignore those of terms that they do not have.
        settings: stopping rules and assumptions.
        initial: (element, z, y, x) to start from; by default a few iterations on the chemical data alone.
        truth: when given, NRMSE is recorded at every iteration.
        callback: called after every iteration with its number and the volume.

    Raises:
        InputError: the method is unknown, or `initial` has another shape than the volume.
    """
    weights, settings = weights or Weights(), settings or SolverSettings()
    if method not in METHODS:
        raise InputError(f"there is no method '{method}'; {nearest(method, METHODS)}")
    shape = (len(dataset.elements), *volume_shape(dataset, settings))
    if initial is not None and initial.shape != shape:
        raise InputError(f"initial volume has shape {initial.shape}, but the data set's is {shape} (element, z, y, x)")
    if initial is not None and not np.isfinite(initial).all():
        raise InputError("initial volume holds NaN or infinity; replace those voxels first")
    began = time.perf_counter()
    observe = _observer(dataset, truth, callback)
    solution = METHODS[method](dataset, weights, settings, initial=initial, callback=observe)
    volume = ChemicalVolume(solution.volume, dataset.elements, dataset.pixel_nm)
    seconds = time.perf_counter() - began
    return Reconstruction(volume, solution.history, solution.stopped, method, weights, settings, seconds)


def _observer(dataset: FusedDataset, truth: ChemicalVolume | None, callback: Callback | None) -> Callback:
    def observe(iteration: int, data: np.ndarray) -> Mapping[str, float]:
        extra = dict(callback(iteration, data) or {}) if callback else {}
        if truth is not None:
            extra["nrmse"] = score(ChemicalVolume(data, dataset.elements, dataset.pixel_nm), truth).nrmse
        return extra

    return observe
