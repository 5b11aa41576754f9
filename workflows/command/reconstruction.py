"""How does a request become a reconstruction? Read, solve, write, say what was done; on one rank or on many."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape

from fusedtomo.errors import InputError, nearest
from fusedtomo.io import read_attributes, read_dataset, read_truth, read_volume, write_reconstruction
from fusedtomo.memory import available_gb, check_fits, solver_gb
from fusedtomo.methods import METHODS
from fusedtomo.parallel import SERIAL, Comm, agreed
from fusedtomo.placement import Placement, placed
from fusedtomo.reconstruct import Reconstruction
from fusedtomo.reconstruct import reconstruct as run_method
from fusedtomo.score import check_same_voxels, score
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.snr import snr_of_maps
from fusedtomo.solvers.convergence import WINDOW, convergence, moved
from fusedtomo.solvers.problem import TYPICAL_GAMMA
from fusedtomo.suspicions import gathered, haadf_model, suspicions
from fusedtomo.tilts import FusedDataset, check_signal
from fusedtomo.toml import validated
from fusedtomo.volume import ChemicalVolume
from fusedtomo.weighing import read_weighed
from workflows.command.pictures import write_pictures
from workflows.command.progress import told
from workflows.command.score import print_score
from workflows.command.targets import check_target


@dataclass(frozen=True, kw_only=True)
class ReconstructionRequest:
    """A reconstruction as the command line asks for it: files, method, weights, settings, and where it runs."""

    data: Path
    out: Path
    method: str = "fused"
    weights: Mapping[str, float] = field(default_factory=dict)  # those that are given; they win over the atlas
    atlas: Path | None = None
    found: Path | None = None  # weights of `fusedtomo weights`
    settings: Mapping[str, Any] = field(default_factory=dict)  # fields of SolverSettings
    mask: str = "none"  # none, cylinder, or the path of a volume
    initial: Path | None = None
    device: str = "cpu"
    half: bool = False
    picture: bool = True
    compare: bool = False
    overwrite: bool = False

    def solver_settings(self) -> SolverSettings:
        """Settings, validated; a mask of their own or none, where it is not a file."""
        named = {} if self.mask_file else {"mask": self.mask}
        return validated(SolverSettings, {**self.settings, **named}, "reconstruct")

    @property
    def mask_file(self) -> Path | None:
        """The volume that is 0 where nothing is."""
        return None if self.mask in ("none", "cylinder") else Path(self.mask)


@dataclass(frozen=True)
class _Inputs:
    """What was read, of several ranks the columns of this one."""

    dataset: FusedDataset
    truth: ChemicalVolume | None
    weights: Weights
    solver: SolverSettings
    mask: np.ndarray | None
    initial: np.ndarray | None


def reconstruct_file(say: Console, request: ReconstructionRequest, comm: Comm = SERIAL) -> None:
    """Write a reconstruction, its slices and its cost curves; of several ranks, each reads and keeps its columns."""
    with agreed(comm):
        if comm.rank == 0:
            check_target(request.out, request.overwrite)
            if request.atlas and request.found:
                raise InputError("--atlas and --weights both give the weights; give one of them")
        inputs = _read(say, request, comm)
        if request.device == "cpu":
            _check_memory(request, inputs, comm)
    _check_signal(request.data, inputs.dataset, comm)
    with agreed(comm):
        place = _placement(request, comm)
    _tell_ranks(say, inputs.dataset, comm)
    solve = partial(_solve, say, inputs, place)
    result = solve(request.method)
    with agreed(comm):
        _check_finite(request.data, result)
    _write(say, request, inputs, result, comm)
    _tell_suspicions(say, inputs.dataset, result, comm)
    if request.picture:
        plain = "poisson" if METHODS[request.method].uses("chemical") else "haadf-sirt"
        others = {plain: solve(plain)} if request.compare and request.method != plain else {}
        write_pictures(say, request.out, inputs.truth, {**others, request.method: result}, comm)


def _read(say: Console, request: ReconstructionRequest, comm: Comm) -> _Inputs:
    dataset, truth = read_dataset(request.data, comm.columns), read_truth(request.data, comm.columns)
    if not METHODS[request.method].uses("chemical"):
        truth = None  # of elements, which it does not find
    if truth is not None:
        _check_voxels(request.data, dataset, truth)
    weights = _weights(say, request, dataset, comm)
    solver = request.solver_settings()
    path = request.mask_file
    mask = None if path is None else read_volume(path, comm.columns).data.any(axis=0)
    initial = None if request.initial is None else _initial(request, request.initial, dataset, comm)
    return _Inputs(dataset, truth, weights, solver, mask, initial)


def _check_memory(request: ReconstructionRequest, inputs: _Inputs, comm: Comm) -> None:
    """Refuse more than this host has free, of several ranks for the columns of this one alone."""
    dataset, free_gb = inputs.dataset, available_gb()
    width, length = dataset.haadf.counts.shape[1:]
    shape = inputs.solver.depth or width, width, length
    sizes = (
        len(METHODS[request.method].channels(dataset.elements)),
        shape,
        len(dataset.haadf.scheme),
        len(dataset.chemical_scheme),
    )
    needed = solver_gb(*sizes, weighted=METHODS[request.method].solves > 1)
    ranks = comm.size * math.ceil(needed / free_gb)
    depth = "lower --depth" if inputs.solver.depth else "bin the data"
    cure = f"{depth}, or share it among {ranks} ranks on as many hosts (mpiexec -n {ranks})"
    check_fits(f"{request.data}: the reconstruction of {' x '.join(map(str, shape))} voxels", needed, cure)


def _check_voxels(path: Path, dataset: FusedDataset, truth: ChemicalVolume) -> None:
    try:
        check_same_voxels(dataset.pixel_nm, truth)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _check_signal(path: Path, dataset: FusedDataset, comm: Comm) -> None:
    """On all ranks: they ask each other."""
    try:
        check_signal(dataset, comm.any)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _weights(say: Console, request: ReconstructionRequest, dataset: FusedDataset, comm: Comm) -> Weights:
    """Weights from a file or an atlas, where one is given, and from the options, which win."""
    content = {} if request.found is None else _from_file(request.method, request.found)
    if request.atlas is not None:
        whole = read_dataset(request.data) if comm.size > 1 else dataset  # all ranks must find the same weights
        content = from_atlas(say, request.method, request.atlas, request.data, whole, request.settings.get("gamma"))
    weights = validated(Weights, {**content, **request.weights}, "weights")
    _tell_weights(say, request, weights)
    return weights


def _tell_weights(say: Console, request: ReconstructionRequest, weights: Weights) -> None:
    """Those that the method has; those given in vain are named."""
    has = [name for name in Weights.model_fields if name in METHODS[request.method].searched]
    if vain := [f"--{name}" for name in request.weights if name not in has]:
        say.print(f"[yellow]warning:[/yellow] {', '.join(vain)}: not used, {request.method} has no such weight")
    if has:
        source = request.found or request.atlas
        shown = ", ".join(f"{name} {getattr(weights, name):.3g}" for name in has)
        say.print(f"weights: {shown}{f' (from {source})' if source else ''}", markup=False)


def _from_file(method: str, path: Path) -> dict[str, float]:
    found = read_weighed(path)
    if found.method != method:
        raise InputError(
            f"{path}: holds weights of {found.method}, not of {method}; find those by "
            f"`fusedtomo weights --method {method}`"
        )
    return found.weights.model_dump()


def from_atlas(
    say: Console, method: str, path: Path, data: Path, dataset: FusedDataset, gamma: float | None
) -> dict[str, float]:
    """The weights that an atlas has for a method under the conditions of the data set of a file; warnings are said."""
    from workflows.campaign.search import WEIGHTS
    from workflows.maps.atlas import read_atlas
    from workflows.maps.likeness import against, specimen_of
    from workflows.maps.lookup import conditions_of, weights_for

    atlas = read_atlas(path)
    snr, estimated = snr_of_maps(dataset)
    at = conditions_of(atlas, dataset)
    lookup = weights_for(atlas, at, snr, method, estimated=estimated)
    unlike = against(atlas, dataset, gamma, specimen_of(read_attributes(data)))
    for warning in filter(None, (lookup.warning, *unlike)):
        say.print(f"[yellow]warning:[/yellow] {escape(warning)}")
    if math.isfinite(lookup.loss):
        most = f"with 95 % at most {lookup.loss_bound:.1%}"
        say.print(f"expected loss by these weights: {lookup.loss:.1%} of the NRMSE, {most}", markup=False)
    return {name: lookup.weights[name] for name in WEIGHTS}


def _initial(request: ReconstructionRequest, path: Path, dataset: FusedDataset, comm: Comm) -> np.ndarray:
    volume, wanted = read_volume(path, comm.columns), METHODS[request.method].channels(dataset.elements)
    if volume.elements != wanted:
        raise InputError(
            f"{path}: holds {', '.join(volume.elements)} but {request.method} of this data set {', '.join(wanted)}; "
            f"start from a volume of the same elements in the same order"
        )
    return volume.data


def _placement(request: ReconstructionRequest, comm: Comm) -> Placement:
    if request.device not in ("cpu", "gpu"):
        raise InputError(f"there is no device '{request.device}'; {nearest(request.device, ['cpu', 'gpu'])}")
    return placed(request.device, comm, half=request.half)


def _tell_ranks(say: Console, dataset: FusedDataset, comm: Comm) -> None:
    if comm.size > 1:
        widths = comm.widths(dataset.haadf.counts.shape[-1])
        say.print(f"{comm.size} ranks with {', '.join(map(str, widths))} columns of x")


def _solve(say: Console, inputs: _Inputs, place: Placement, method: str) -> Reconstruction:
    solve = partial(run_method, inputs.dataset, method, inputs.weights, inputs.solver)
    with told(say, method, inputs.solver.max_iterations * METHODS[method].solves) as advance:
        return solve(truth=inputs.truth, mask=inputs.mask, initial=inputs.initial, place=place, callback=advance)


def _tell_suspicions(say: Console, dataset: FusedDataset, result: Reconstruction, comm: Comm) -> None:
    """Where the data look like a known failure; on all ranks, as each has columns."""
    model = None
    if METHODS[result.method].uses("haadf"):
        gamma = result.settings.gamma or dataset.gamma or TYPICAL_GAMMA
        model = comm.gather(haadf_model(result.volume, dataset.haadf.scheme.angles_deg, gamma))
    for found in suspicions(gathered(dataset, comm), model):
        say.print(f"[yellow]warning:[/yellow] {escape(found.text)}")


def _check_finite(path: Path, result: Reconstruction) -> None:
    if result.stopped == "not finite":
        raise InputError(f"{path}: the cost became infinite after {result.iterations} iterations; lower the weights")


def _write(say: Console, request: ReconstructionRequest, inputs: _Inputs, result: Reconstruction, comm: Comm) -> None:
    out, method = request.out, request.method
    attributes = {
        "method": method,
        "weights": inputs.weights.model_dump_json(),
        "settings": inputs.solver.model_dump_json(),
        "stopped": result.stopped,
        "data": request.data.name,
    }
    write_reconstruction(out, result.volume, result.history, attributes, request.overwrite, comm=comm)
    took = f"{result.iterations} iterations in {result.seconds:.1f} s"
    say.print(f"{out}: {method}, {took}, stopped by {result.stopped}", markup=False)
    _tell_convergence(say, result)
    if inputs.truth is not None:
        print_score(say, score(result.volume, inputs.truth, comm=comm))


def _tell_convergence(say: Console, result: Reconstruction) -> None:
    """The verdict on the terms of the cost, the number behind it, and what helps."""
    verdict, share = convergence(result.history), f"{100 * moved(result.history):.2f} %"
    if verdict == "diverging":
        cure = "Lower the weights: of gradient-descent they are steps"
        say.print(f"[yellow]warning:[/yellow] diverging: the cost rose; this is the best iterate. {cure}")
        return
    cure = "; lower --tolerance" if result.stopped == "tolerance" else "; raise --iterations"
    seen = f"in the last {WINDOW} iterations the terms of the cost moved by {share} of it at most"
    say.print(f"{verdict}: {seen}{'' if verdict == 'converged' else cure}", markup=False)
