"""One trial from start to end: phantom, data set, reconstruction, score; never an exception, always a result.

As a command: ``python -m workflows.trial.evaluate trial.json`` prints the journal line of the trial in the file:
``{"campaign": "path/to/campaign.toml", "condition": "fused-h47-c9", "trial": 0, "point": {"haadf": 0.1, "tv": 1}}``;
add ``"device": "gpu"`` to compute it on a GPU. The campaign may also stand there itself.

Of several ranks (``mpiexec -n 4 python -m workflows.trial.evaluate trial.json``), each makes the phantom whole in the
memory of its host and keeps its columns; scores are those of one rank bit by bit, and the first rank prints the line. A
trial that fails, on one rank or all, prints its failed line and ends all ranks with exit code 1. Exit codes are as
fusedtomo/outcomes.py has them.
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
from pydantic import Field

from fusedtomo.arrays import Array, array_module, to_host
from fusedtomo.errors import InputError
from fusedtomo.incoming import read_json
from fusedtomo.io import write_reconstruction
from fusedtomo.methods import METHODS
from fusedtomo.outcomes import WANTING, outcome_of
from fusedtomo.parallel import SERIAL, Comm, agreed, guarded, in_turn, world
from fusedtomo.placement import HERE, Device, Placement, placed
from fusedtomo.reconstruct import solve
from fusedtomo.score import score
from fusedtomo.settings import Settings, SolverSettings, Weights
from fusedtomo.slabs import cut, in_units_of
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.solution import Solution
from fusedtomo.solvers.terms import terms_at
from fusedtomo.tilts import FusedDataset
from fusedtomo.toml import validated
from fusedtomo.volume import ChemicalVolume
from workflows.campaign import CampaignConfig, Condition, Trial, load_campaign
from workflows.campaign.load import located
from workflows.campaign.search import Searchable
from workflows.record.journal import TrialResult
from workflows.trial.bench import bench_of
from workflows.trial.memory import check_memory
from workflows.trial.outcome import unfinished
from workflows.trial.slabs import Columns, columns_of

_log = logging.getLogger("workflows")


def evaluate(trial: Trial, place: Placement = HERE) -> TrialResult:
    """Return the trial's result; a failure is a result with its reason. `place`: its ranks and its device.

    Of several ranks, all return the same result. A failure of one rank alone is the exception: the others wait for
    that rank, so that it must end them (see `main`).
    """
    started, began = time.time(), time.perf_counter()
    try:
        fields = {"status": "ok", **_measure(trial, place)}
    except Exception as error:
        _log.exception("%s, trial %d failed", trial.condition.key, trial.number)
        fields = {"status": "failed", "reason": _reason(error)}
    return unfinished(
        trial,
        seconds=round(time.perf_counter() - began, 4),
        started=round(started, 3),
        worker=f"{socket.gethostname()}:{os.getpid()}",
        device=place.device,
        ranks=place.comm.size,
        **fields,
    )


def _measure(trial: Trial, place: Placement) -> dict[str, Any]:
    _check_fidelity(trial, place)
    task = _task(trial, place)
    dataset, result = task[0], _solved(task, place)
    if result.stopped == "not finite":
        raise FloatingPointError(f"the cost is not finite after {result.iterations} iterations")
    estimate = ChemicalVolume(result.volume, dataset.elements, dataset.pixel_nm)
    errors = score(_scored(trial, estimate), _truth(trial, dataset, place), comm=place.comm)
    if not math.isfinite(errors.nrmse):
        raise FloatingPointError(f"NRMSE is {errors.nrmse}")
    if trial.keep:
        _keep(trial, estimate, result, place)
    uses_haadf = METHODS[trial.condition.method].uses("haadf")
    terms = _terms(task, result.volume, uses_haadf, place)
    series = (dataset.haadf, *dataset.chemical) if uses_haadf else dataset.chemical
    stoichiometry = errors.stoichiometry_error
    return {
        "nrmse": errors.nrmse,
        "nrmse_by_element": errors.nrmse_by_element,
        "rmse_by_element": errors.rmse_by_element,
        "stoichiometry_error": stoichiometry if math.isfinite(stoichiometry) else None,
        "terms": {name: value for name, value in terms.items() if math.isfinite(value)},
        "iterations": result.iterations,
        "stopped": result.stopped,
        "snr": {one.name: one.snr for one in series if one.snr is not None and math.isfinite(one.snr)},
    }


def _check_fidelity(trial: Trial, place: Placement) -> None:
    if not 0 < trial.fidelity <= 1:
        raise ValueError(f"fidelity {trial.fidelity} is not in (0, 1]")
    if trial.fidelity < 1 and place.comm.size > 1:
        raise ValueError(f"fidelity {trial.fidelity} on {place.comm.size} ranks: one rank has no slab in the middle")


Task = tuple[FusedDataset, str, Weights, SolverSettings, Array]


def _task(trial: Trial, place: Placement) -> Task:
    """What `solve` takes: data set, method, weights, settings, initial volume."""
    config, condition = trial.config, trial.condition
    weights, settings = config.parameters(condition, trial.point)
    bench, acquisition, columns = bench_of(config, condition, place), config.acquisition_of(condition), _columns(trial)
    if trial.start is None:
        start = bench.start(acquisition, settings, columns)
    else:
        start = _solution(config, condition, tuple(sorted(trial.start.items())), trial.fidelity, place)
    dataset = bench.data(acquisition)
    if columns is not None:
        whole, dataset = dataset, cut(dataset, columns.computed)
        weights, settings = in_units_of(whole, dataset, weights, settings)
    return dataset, condition.method, weights, settings, start


def _columns(trial: Trial) -> Columns | None:
    """The columns of a cheap trial; None for the whole."""
    if trial.fidelity == 1:
        return None
    return columns_of(trial.config.setup(trial.condition).size, trial.fidelity, trial.config.search.fidelity)


def _solved(task: Task, place: Placement) -> Solution:
    dataset, method, weights, settings, start = task
    return solve(dataset, method, weights, settings, initial=start, place=place)


def _terms(task: Task, volume: Array, haadf: bool, place: Placement) -> dict[str, float]:
    """The terms of Eq. 1 at a volume; a method that does not see the HAADF series must not depend on it here either."""
    dataset, _, weights, settings, _ = task
    return terms_at(Problem(dataset, weights, settings, place), volume, haadf=haadf)


@lru_cache(maxsize=1)
def _solution(
    config: CampaignConfig,
    condition: Condition,
    point: tuple[tuple[str, float], ...],
    fidelity: float,
    place: Placement,
) -> Array:
    """What the condition's trial at a point ends with; another worker that needs it finds it anew, and the same."""
    return _solved(_task(Trial(config, condition, 0, dict(point), fidelity=fidelity), place), place).volume


def _truth(trial: Trial, dataset: FusedDataset, place: Placement) -> ChemicalVolume:
    bench = bench_of(trial.config, trial.condition, place)
    if trial.fidelity == 1:
        return bench.truth_there.only(dataset.elements)
    truth, columns = bench.truth.only(dataset.elements), _columns(trial)
    assert columns is not None
    return replace(truth, data=place.put(np.ascontiguousarray(truth.data[..., columns.computed[columns.scored]])))


def _scored(trial: Trial, estimate: ChemicalVolume) -> ChemicalVolume:
    """The columns of a reconstruction that count: a slab's without its margins."""
    columns = _columns(trial)
    if columns is None or columns.scored.all():
        return estimate
    inner = np.flatnonzero(columns.scored)
    data = estimate.data
    return replace(estimate, data=array_module(data).ascontiguousarray(data[..., inner]))


def _keep(trial: Trial, estimate: ChemicalVolume, result: Solution, place: Placement) -> None:
    """Write the reconstruction, with the trial that it is of."""
    volume = replace(estimate, data=to_host(estimate.data))
    facts: dict[str, str | float | int] = {
        "condition": trial.condition.key,
        "trial": trial.number,
        "point": json.dumps(trial.point),
        "fingerprint": trial.config.fingerprint(),
        "stopped": result.stopped,
    }
    Path(trial.keep).parent.mkdir(parents=True, exist_ok=True)
    write_reconstruction(trial.keep, volume, result.history, facts, overwrite=True, comm=place.comm)


def _reason(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"


def main(path: str) -> None:
    """Evaluate the trial of a JSON file and print its journal line; SystemExit with what fusedtomo/outcomes.py says."""
    comm: Comm = SERIAL
    try:
        comm = world()
        with guarded(comm):
            with agreed(comm):
                trial, device = _read_trial(path)
                comm.columns(trial.config.setup(trial.condition).size)  # refuses more ranks than columns
                check_memory(trial, device, comm.size)
            _print_line(evaluate(trial, placed(device, comm)), comm)
    except SystemExit:
        raise
    except BaseException as error:
        outcome = outcome_of(error)
        if comm.rank == 0:
            print(f"error: {outcome.message}", file=sys.stderr)
        sys.exit(outcome.code)


def _print_line(result: TrialResult, comm: Comm) -> None:
    """On the first rank; a failed trial's on the rank that failed, which ends those that may wait for it for ever."""
    if result.ok and comm.rank > 0:
        return
    in_turn(comm)
    print(result.line(), flush=True)
    if not result.ok:
        who = f"rank {comm.rank} of {comm.size}" if comm.size > 1 else "the trial failed"
        comm.abort(f"{who}: {result.reason}", WANTING)


class TrialFile(Settings):
    """A trial as JSON (docs/formats.md)."""

    campaign: str | dict[str, Any] = Field(description="path of a campaign file, or the campaign itself")
    condition: str = Field(description="key of the condition")
    point: dict[Searchable, float] = Field(description="the searched parameters")
    trial: int = Field(0, ge=0, description="its number")
    start: dict[Searchable, float] | None = Field(None, description="point whose solution it starts from")
    fidelity: float = Field(1.0, gt=0, le=1, description="how much of the problem is computed")
    device: Device = Field("cpu", description="cpu or gpu")
    keep: str = Field("", description="file that takes the reconstruction")


def _read_trial(path: str) -> tuple[Trial, Device]:
    given = validated(TrialFile, read_json(path, "a trial"), path)
    config = _campaign_of(given, path)
    conditions = {condition.key: condition for condition in config.conditions()}
    if given.condition not in conditions:
        raise InputError(f"{path}: the campaign has no condition '{given.condition}'; it has {', '.join(conditions)}")
    point, start = (None if one is None else _checked_point(one, path) for one in (given.point, given.start))
    condition = conditions[given.condition]
    return Trial(config, condition, given.trial, point or {}, start, given.fidelity, given.keep), given.device


def _campaign_of(given: TrialFile, path: str) -> CampaignConfig:
    if isinstance(given.campaign, dict):
        return located(validated(CampaignConfig, given.campaign, path), Path(path).parent)
    return load_campaign(given.campaign)


def _checked_point(point: Mapping[Searchable, float], path: str) -> dict[str, float]:
    """The point; InputError for what no weight and no setting can be."""
    fields = Weights.model_fields
    validated(Weights, {name: value for name, value in point.items() if name in fields}, path)
    validated(SolverSettings, {name: value for name, value in point.items() if name not in fields}, path)
    return {str(name): value for name, value in point.items()}


if __name__ == "__main__":
    main(sys.argv[1])
