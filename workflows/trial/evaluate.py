"""One trial from start to end: phantom, data set, reconstruction, score; never an exception, always a result.

As a command: ``python -m workflows.trial.evaluate trial.json`` prints the journal line of the trial in the file:
``{"campaign": "path/to/campaign.toml", "condition": "fused-h47-c9", "trial": 0, "point": {"haadf": 0.1, "tv": 1}}``;
add ``"device": "gpu"`` to compute it on a GPU. The campaign may also stand there itself.

Of several ranks (``mpiexec -n 4 python -m workflows.trial.evaluate trial.json``), each makes the phantom whole in the
memory of its host and keeps its columns; scores are those of one rank bit by bit, and the first rank prints the line. A
trial that fails, on one rank or all, prints its failed line and ends all ranks with exit code 1; bad input ends with 2.
"""

import json
import logging
import math
import os
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fusedtomo.arrays import Array
from fusedtomo.errors import InputError, nearest
from fusedtomo.parallel import SERIAL, Comm, agreed, guarded, in_turn, world
from fusedtomo.placement import HERE, Device, Placement, placed
from fusedtomo.reconstruct import Reconstruction, reconstruct, solve
from fusedtomo.score import score
from fusedtomo.settings import Acquisition, SolverSettings, Weights
from fusedtomo.simulate import simulate
from fusedtomo.solvers.initial import initial_volume
from fusedtomo.solvers.problem import Problem
from fusedtomo.tilts import FusedDataset
from fusedtomo.toml import validated
from fusedtomo.volume import ChemicalVolume
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng
from workflows.campaign.config import CampaignConfig, Condition, Trial, load_campaign
from workflows.record.journal import TrialResult

_log = logging.getLogger("workflows")


def evaluate(trial: Trial, place: Placement = HERE) -> TrialResult:
    """Return the trial's result; a failure is a result with its reason. `place`: its ranks and its device.

    Of several ranks, all return the same result, but a failure that one of them has alone: it must then end the rest,
    which wait for it (see `main`).
    """
    started, began = time.time(), time.perf_counter()
    try:
        fields = {"status": "ok", **_measure(trial, place)}
    except Exception as error:
        _log.exception("%s, trial %d failed", trial.condition.key, trial.number)
        fields = {"status": "failed", "reason": _reason(error)}
    weights, _ = trial.config.parameters(trial.condition, trial.point)
    return TrialResult(
        condition=trial.condition.key,
        trial=trial.number,
        point=trial.point,
        start=trial.start,
        weights=weights.model_dump(),
        seconds=round(time.perf_counter() - began, 4),
        started=round(started, 3),
        worker=f"{socket.gethostname()}:{os.getpid()}",
        device=place.device,
        ranks=place.comm.size,
        **fields,
    )


def reconstruct_trial(trial: Trial, place: Placement = HERE, **changes) -> Reconstruction:
    """The trial's reconstruction, of several ranks each one's columns; keyword arguments change its solver settings."""
    *task, start = _task(trial, place, changes)
    return reconstruct(*task, initial=start, place=place)


def _task(trial: Trial, place: Placement, changes: Mapping[str, Any]) -> tuple:
    """What `reconstruct` takes: data set, method, weights, settings, initial volume."""
    weights, settings = trial.config.parameters(trial.condition, trial.point)
    settings = settings.model_copy(update=changes)
    dataset = dataset_of(trial.config, trial.condition, place.comm)
    start = _chemistry_alone(trial.config, trial.condition, settings, place)
    if trial.start is not None:
        point_json = json.dumps(trial.start, sort_keys=True)
        start = _solution(trial.config.model_dump_json(), trial.condition, point_json, place)
    return dataset, trial.condition.method, weights, settings, start


def _chemistry_alone(config: CampaignConfig, condition: Condition, settings: SolverSettings, place: Placement) -> Array:
    return _initial(config.phantom, config.acquisition_of(condition), settings_of_start(settings), place)


@lru_cache(maxsize=1)
def _solution(config_json: str, condition: Condition, point_json: str, place: Placement) -> Array:
    """What the condition's trial at a point ends with; another worker that needs it finds it anew, and the same."""
    config = CampaignConfig.model_validate_json(config_json)
    *task, start = _task(Trial(config, condition, 0, json.loads(point_json)), place, {})
    return solve(*task, initial=start, place=place).volume


def truth_of(config: CampaignConfig, comm: Comm = SERIAL) -> ChemicalVolume:
    """The ground truth on the reconstruction's grid; of several ranks, each one's columns."""
    phantom = _phantom(config.phantom, config.acquisition.grid, comm)
    return phantom.binned(2) if config.acquisition.grid == "fine" else phantom


def _truth_there(config: CampaignConfig, place: Placement) -> ChemicalVolume:
    """The truth where the reconstruction is: a GPU scores there, as a host would take longer than the solver."""
    return _cached_truth(config.phantom, config.acquisition.grid, place)


def dataset_of(config: CampaignConfig, condition: Condition, comm: Comm = SERIAL) -> FusedDataset:
    """The condition's simulated tilt series; of several ranks, each one's columns."""
    return _dataset(config.phantom, config.acquisition_of(condition), comm)


def settings_of_start(settings: SolverSettings) -> SolverSettings:
    """The settings that the initial volume depends on; what else a trial changes must not make it be computed again."""
    return SolverSettings(eps=settings.eps, depth=settings.depth, initial_iterations=settings.initial_iterations)


def _measure(trial: Trial, place: Placement) -> dict:
    dataset, *task, start = _task(trial, place, {})
    result = solve(dataset, *task, initial=start, place=place)
    if result.stopped == "not finite":
        raise FloatingPointError(f"the cost is not finite after {result.iterations} iterations")
    estimate = ChemicalVolume(result.volume, dataset.elements, dataset.pixel_nm)
    errors = score(estimate, _truth_there(trial.config, place), comm=place.comm)
    if not math.isfinite(errors.nrmse):
        raise FloatingPointError(f"NRMSE is {errors.nrmse}")
    series = dataset.chemical if trial.condition.method != "fused" else (dataset.haadf, *dataset.chemical)
    stoichiometry = errors.stoichiometry_error
    return {
        "nrmse": errors.nrmse,
        "nrmse_by_element": errors.nrmse_by_element,
        "rmse_by_element": errors.rmse_by_element,
        "stoichiometry_error": stoichiometry if math.isfinite(stoichiometry) else None,
        "iterations": result.iterations,
        "stopped": result.stopped,
        "snr": {one.name: one.snr for one in series if one.snr is not None and math.isfinite(one.snr)},
    }


def _reason(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"


# A worker keeps what its trials share; keyed by content, so that a changed setting never meets old data.


@lru_cache(maxsize=1)
def _phantom(spec: PhantomSpec, grid: str, comm: Comm) -> ChemicalVolume:
    bins = 2 if grid == "fine" else 1
    mine = comm.columns(spec.size)
    spec = PhantomSpec(**{**spec.model_dump(), "size": spec.size * bins})
    whole = make_phantom(spec, phantom_rng(spec))
    data = np.ascontiguousarray(whole.data[..., bins * mine.start : bins * mine.stop])
    return ChemicalVolume(data, whole.elements, whole.voxel_nm)


def _dataset(spec: PhantomSpec, acquisition: Acquisition, comm: Comm) -> FusedDataset:
    return _cached_dataset(spec, acquisition.model_dump_json(), comm)


@lru_cache(maxsize=4)
def _cached_dataset(spec: PhantomSpec, acquisition_json: str, comm: Comm) -> FusedDataset:
    acquisition = Acquisition.model_validate_json(acquisition_json)
    return simulate(_phantom(spec, acquisition.grid, comm), acquisition, comm=comm)


def _initial(spec: PhantomSpec, acquisition: Acquisition, settings: SolverSettings, place: Placement) -> Array:
    return _cached_initial(spec, acquisition.model_dump_json(), settings.model_dump_json(), place)


@lru_cache(maxsize=2)
def _cached_initial(spec: PhantomSpec, acquisition_json: str, settings_json: str, place: Placement) -> Array:
    settings = SolverSettings.model_validate_json(settings_json)
    return initial_volume(Problem(_cached_dataset(spec, acquisition_json, place.comm), Weights(), settings, place))


@lru_cache(maxsize=1)
def _cached_truth(spec: PhantomSpec, grid: str, place: Placement) -> ChemicalVolume:
    phantom = _phantom(spec, grid, place.comm)
    truth = phantom.binned(2) if grid == "fine" else phantom
    return replace(truth, data=place.put(truth.data))


def main(path: str) -> None:
    """Evaluate the trial of a JSON file and print its journal line."""
    comm = SERIAL
    try:
        comm = world()
        with guarded(comm):
            with agreed(comm):
                trial, device = _read_trial(path)
                comm.columns(trial.config.phantom.size)  # refuses more ranks than columns
            _print_line(evaluate(trial, placed(device, comm)), comm)
    except InputError as error:
        sys.exit(_complain(str(error)) if comm.rank == 0 else 2)


def _print_line(result: TrialResult, comm: Comm) -> None:
    """On the first rank; a failed trial's on the rank that failed, which ends those that may wait for it for ever."""
    if comm.size > 1 and not result.ok:
        in_turn(comm)
        print(result.line(), flush=True)
        comm.abort(f"rank {comm.rank} of {comm.size}: {result.reason}")
    if comm.rank == 0:
        print(result.line())


def _read_trial(path: str) -> tuple[Trial, Device]:
    try:
        content = json.loads(Path(path).read_text())
        campaign, key, point = content["campaign"], content["condition"], content["point"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a trial ({error}); give campaign, condition and point as JSON") from None
    config = validated(CampaignConfig, campaign, path) if isinstance(campaign, dict) else load_campaign(campaign)
    conditions = {condition.key: condition for condition in config.conditions()}
    if key not in conditions:
        raise InputError(f"{path}: the campaign has no condition '{key}'; it has {', '.join(conditions)}")
    device = content.get("device", "cpu")
    if device not in ("cpu", "gpu"):
        raise InputError(f"{path}: there is no device '{device}'; {nearest(str(device), ['cpu', 'gpu'])}")
    return Trial(config, conditions[key], content.get("trial", 0), point, content.get("start")), device


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main(sys.argv[1])
