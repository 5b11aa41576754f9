"""One call from a data set to its reconstruction, by any method."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fusedtomo.arrays import Array, array_module, to_host
from fusedtomo.errors import InputError
from fusedtomo.methods import METHODS, Method
from fusedtomo.parallel import Comm
from fusedtomo.placement import HERE, Placement
from fusedtomo.score import score
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.solution import Callback, Solution
from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A reconstructed volume and how it came about.

    Attributes:
        volume: concentrations of every element, or HAADF brightness, of an iterate at most 0.1 % above the least cost.
        history: every cost term, and NRMSE ("nrmse") where the truth was given, one value an iterate.
        stopped: "tolerance", "max_iterations", "diverging" (the cost rose above the start's) or "not finite".
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

    def __repr__(self) -> str:
        least = f", NRMSE {self.history['nrmse'][-1]:.3f}" if "nrmse" in self.history else ""
        done = f"{self.iterations} iterations in {self.seconds:.3g} s, stopped by {self.stopped}"
        return f"Reconstruction({self.method}: {done}{least}; {self.volume!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows: a thumbnail of slices."""
        from fusedtomo.thumbnail import html_of

        return html_of(repr(self), self.volume.data, self.volume.elements)

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
    mask: np.ndarray | None = None,
    place: Placement = HERE,
    callback: Callback | None = None,
) -> Reconstruction:
    """Reconstruct the concentrations of every element.

    Args:
        dataset: the tilt series; of several ranks, the columns of this rank.
        method: one of METHODS.
        weights: of the terms of Eq. 1; methods ignore those of terms that they do not have.
        settings: stopping rules and assumptions.
        initial: (element, z, y, x) to start from; by default a few iterations on the chemical data alone.
        truth: when given, NRMSE is recorded at every iteration.
        mask: (z, y, x) bool, False where the volume is known to be empty.
        place: the ranks and the device that compute it; `initial`, `truth` and `mask` are this rank's columns, too.
        callback: called after every iteration with its number and the volume, whose memory is used again: copy it to
            keep it.

    Raises:
        InputError: the method is unknown, or `initial` has another shape than the volume.
    """
    weights, settings, began = weights or Weights(), settings or SolverSettings(), time.perf_counter()
    observe = _observer(dataset, METHODS[method], truth, place, callback)
    solution = solve(dataset, method, weights, settings, initial=initial, mask=mask, place=place, callback=observe)
    volume = ChemicalVolume(to_host(solution.volume), METHODS[method].channels(dataset.elements), dataset.pixel_nm)
    seconds = time.perf_counter() - began
    return Reconstruction(volume, solution.history, solution.stopped, method, weights, settings, seconds)


def solve(
    dataset: FusedDataset,
    method: str,
    weights: Weights,
    settings: SolverSettings,
    *,
    initial: Array | None = None,
    mask: np.ndarray | None = None,
    place: Placement = HERE,
    callback: Callback | None = None,
) -> Solution:
    """As `reconstruct`, but the solution stays where it was computed: a GPU's volume is not brought to the host."""
    chosen = METHODS[method]
    problem = Problem(dataset, weights, settings, place, mask)
    _check_start(initial, (len(chosen.channels(dataset.elements)), *problem.shape[1:]))
    _check_mask(mask, problem.shape[1:], place.comm)
    start = None if initial is None else place.put(initial)
    return chosen.solve(problem, initial=start, callback=callback)


def _check_start(initial: Array | None, shape: tuple[int, ...]) -> None:
    if initial is None:
        return
    if initial.shape != shape:
        raise InputError(f"initial volume has shape {initial.shape}, but the data set's is {shape} (element, z, y, x)")
    if not array_module(initial).isfinite(initial).all():
        raise InputError("initial volume holds NaN or infinity; replace those voxels first")
    if (lowest := float(initial.min())) < 0:
        raise InputError(f"initial volume has concentrations down to {lowest:g}; raise those voxels to 0 first")


def _check_mask(mask: np.ndarray | None, shape: tuple[int, ...], comm: Comm) -> None:
    if mask is None:
        return
    if mask.shape != shape or mask.dtype != bool:
        raise InputError(f"mask is {mask.dtype} of shape {mask.shape}; give a bool array of shape {shape} (z, y, x)")
    if not comm.any(bool(mask.any())):  # one rank's columns may well be empty
        raise InputError("mask is False everywhere; give one that leaves the specimen some room")


def _observer(
    dataset: FusedDataset, method: Method, truth: ChemicalVolume | None, place: Placement, callback: Callback | None
) -> Callback:
    there = None if truth is None else replace(truth, data=place.put(truth.data))

    def observe(iteration: int, data: Array) -> Mapping[str, float]:
        extra = dict(callback(iteration, data) or {}) if callback else {}
        if there is not None:
            estimate = ChemicalVolume(data, method.channels(dataset.elements), dataset.pixel_nm)
            extra["nrmse"] = score(estimate, there, comm=place.comm).nrmse
        return extra

    return observe
