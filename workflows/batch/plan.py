"""What a campaign will cost: cells, trials, memory and time, from a short measurement on this machine."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fusedtomo.errors import InputError
from fusedtomo.parallel import SERIAL
from fusedtomo.placement import HERE, Placement, placed
from workflows.batch.jobscript import job_script
from workflows.batch.submit import MAX_JOBS, request_for
from workflows.campaign import CampaignConfig, Condition, load_campaign
from workflows.machines import Machine, Wishes, block_script, load_machine
from workflows.trial.evaluate import Trial, evaluate
from workflows.watch.panel import duration
from workflows.workers.memory import host_gb, n_elements

_PROBE_SIZE = 32
_PROBE_ITERATIONS = 10
_TYPICAL_INNER = 10  # TV iterations where their number follows the duality gap
# measured on 2 cores: a GP proposal at 10 to 20 points, kernels loaded from the cache
_PROPOSAL_S = 0.35


@dataclass(frozen=True)
class Plan:
    """A prediction; seconds are an upper estimate, every trial taken to run to its cap of iterations."""

    cells: int
    baselines: int
    trials: int
    memory_gb: float
    seconds: float
    workers: int
    nodes: int
    at_once: int

    @property
    def node_hours(self) -> float:
        """Hours of all nodes together."""
        return self.seconds * self.nodes / 3600


def show(console: Console, say: Console, path: Path, machine_name: str, wishes: Wishes) -> None:
    """Print the plan of a campaign file, and the scripts of its batch jobs where the machine has a scheduler."""
    config, machine = load_campaign(path), wishes.applied(load_machine(machine_name))
    place, measured_on = _place(machine)
    with say.status("measuring a small trial"):
        plan = predict(config, machine, seconds_per_unit(config, place))
    table = Table(box=None, show_header=False)
    for name, value in _rows(plan, machine, measured_on):
        table.add_row(name, value)
    console.print(table)
    if machine.provider != "local":
        _show_scripts(console, path, config, machine, machine_name)


def _place(machine: Machine) -> tuple[Placement, str]:
    """Where a trial is measured: on the machine's kind of device where this host has one."""
    if machine.device == "gpu":
        try:
            place = placed("gpu", SERIAL)
            place.xp.cuda.runtime.getDeviceCount()
            return place, "this host's GPU"
        except (InputError, RuntimeError):  # no CuPy, or no GPU
            return HERE, "this host's CPU, for want of a GPU here: a GPU is faster"
    return HERE, "this host"


def _rows(plan: Plan, machine: Machine, measured_on: str) -> Iterator[tuple[str, str]]:
    yield "cells", f"{plan.cells} fused, {plan.baselines} baselines"
    yield "trials", str(plan.trials)
    each = f", {machine.workers_per_node} on each of {plan.nodes} nodes" if plan.nodes > 1 else ""
    yield "workers", f"{plan.workers} on {machine.name}{each}"
    if plan.at_once < plan.workers:
        yield "", f"at most {plan.at_once} of them busy: conditions x search.pending; raise pending, or use fewer"
    a_node = plan.memory_gb * machine.workers_per_node
    yield "memory", f"{plan.memory_gb:.2g} GB per worker, {a_node:.2g} GB a node"
    measured = f"scaled from a {_PROBE_SIZE}^3 trial on {measured_on}"
    yield "predicted time", f"at most {duration(plan.seconds)} ({measured})"
    if machine.provider != "local":
        a_job_s = 60 * (machine.walltime_min - machine.drain_min)
        jobs = math.ceil(plan.seconds / a_job_s) * machine.max_blocks
        yield (
            "node hours",
            f"at most {plan.node_hours:.2g}, in {jobs} job{'s' * (jobs > 1)} of {machine.walltime_min:g} min",
        )


def _show_scripts(console: Console, path: Path, config: CampaignConfig, machine: Machine, name: str) -> None:
    """The scripts of both ways to run; what the user has not given yet stands in capitals."""
    missing = {field: f"YOUR_{field.upper()}" for field in machine.required if not getattr(machine, field)}
    machine = machine.changed("plan", **missing)
    request = request_for(config, path, machine, name, None, None, MAX_JOBS)
    ways = {
        f"fusedtomo submit {path} --machine {name}: controller and workers in one job": job_script(request),
        f"fusedtomo run {path} --machine {name}: each block of workers is a job": block_script(
            machine, request.out / "parsl"
        ),
    }
    for title, text in ways.items():
        console.print(f"\n[bold]{escape(title)}[/bold]\n", highlight=False, soft_wrap=True)
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def predict(config: CampaignConfig, machine: Machine, unit_s: float) -> Plan:
    """The plan, given the seconds of a unit of work."""
    conditions = config.conditions()
    cells = sum(condition.method == "fused" for condition in conditions)
    trials = {condition: config.evaluations(condition) for condition in conditions}
    work_s = sum(count * work(config, condition) * unit_s for condition, count in trials.items())
    proposals = sum(max(0, count - config.search.initial_points) for count in trials.values())
    search_s = _PROPOSAL_S * proposals if config.search.strategy == "gp_hedge" else 0.0
    at_once = sum(min(count, config.search.pending) for count in trials.values())
    return Plan(
        cells,
        len(conditions) - cells,
        sum(trials.values()),
        max(host_gb(config, condition) for condition in conditions),
        (work_s + search_s) / min(machine.n_workers, at_once),
        machine.n_workers,
        machine.nodes_per_block * machine.max_blocks,
        at_once,
    )


def work(config: CampaignConfig, condition: Condition) -> float:
    """Units of work of a trial: voxels times channels passed over, as the projector and TV do, at the iteration cap."""
    elements = n_elements(config)
    per_iteration = 4 * elements * condition.chemical_tilts + 3 * condition.haadf_tilts
    per_iteration += 8 * elements * (config.solver.tv_iterations or _TYPICAL_INNER)
    return config.phantom.size**3 * per_iteration * config.solver.max_iterations


def seconds_per_unit(config: CampaignConfig, place: Placement = HERE) -> float:
    """Seconds of a unit of work here, from a small trial of the same campaign; kernels are loaded first."""
    small = config.phantom.model_copy(update={"size": min(_PROBE_SIZE, config.phantom.size)})
    solver = config.solver.model_copy(update={"max_iterations": _PROBE_ITERATIONS, "tolerance": 0.0})
    probe = config.model_copy(update={"phantom": small, "solver": solver})
    condition = Condition("fused", config.grid.haadf_tilts[-1], config.grid.chemical_tilts[-1])
    trial = Trial(probe, condition, 0, {})
    first = evaluate(trial, place)  # loads the kernels
    if not first.ok:
        raise InputError(f"a trial of campaign '{config.name}' fails: {first.reason}; mend the campaign")
    began = time.perf_counter()
    evaluate(trial, place)
    return (time.perf_counter() - began) / work(probe, condition)
