"""What a campaign will cost: cells, trials, memory and time, from a short measurement on this machine."""

import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fusedtomo.errors import InputError
from workflows.campaign import CampaignConfig, Condition, load_campaign
from workflows.evaluate import Trial, evaluate
from workflows.machines import Machine, load_machine
from workflows.panel import duration

_PROBE_SIZE = 32
_PROBE_ITERATIONS = 10
_TYPICAL_INNER = 10  # TV iterations where their number follows the duality gap
# measured on 2 cores: a GP proposal at 10 to 20 points, kernels loaded from the cache
_PROPOSAL_S = 0.35
# volumes of all elements that the solver holds at once, besides six of dual variables (docs/solver.md)
_VOLUMES = 8 + 6


@dataclass(frozen=True)
class Plan:
    """A prediction; seconds are an upper estimate, every trial taken to run to its cap of iterations."""

    cells: int
    baselines: int
    trials: int
    memory_gb: float
    seconds: float
    workers: int


def show(console: Console, say: Console, path: Path, machine_name: str, workers: int | None) -> None:
    """Print the plan of a campaign file."""
    config, machine = load_campaign(path), load_machine(machine_name).with_workers(workers)
    with say.status("measuring a small trial"):
        plan = predict(config, machine, seconds_per_unit(config))
    table = Table(box=None, show_header=False)
    table.add_row("cells", f"{plan.cells} fused, {plan.baselines} baselines")
    table.add_row("trials", str(plan.trials))
    table.add_row("workers", f"{plan.workers} on {machine.name}")
    table.add_row("memory", f"{plan.memory_gb:.2g} GB per worker, {plan.memory_gb * plan.workers:.2g} GB in all")
    table.add_row(
        "predicted time", f"at most {duration(plan.seconds)} (scaled from a {_PROBE_SIZE}^3 trial on this machine)"
    )
    console.print(table)


def predict(config: CampaignConfig, machine: Machine, unit_s: float) -> Plan:
    """The plan, given the seconds of a unit of work."""
    conditions = config.conditions()
    cells = sum(condition.method == "fused" for condition in conditions)
    trials = {condition: config.evaluations(condition) for condition in conditions}
    work_s = sum(count * work(config, condition) * unit_s for condition, count in trials.items())
    proposals = sum(max(0, count - config.search.initial_points) for count in trials.values())
    search_s = _PROPOSAL_S * proposals if config.search.strategy == "gp_hedge" else 0.0
    return Plan(
        cells,
        len(conditions) - cells,
        sum(trials.values()),
        _memory_gb(config),
        (work_s + search_s) / machine.n_workers,
        machine.n_workers,
    )


def work(config: CampaignConfig, condition: Condition) -> float:
    """Units of work of a trial: voxels times channels passed over, as the projector and TV do, at the iteration cap."""
    elements = _elements(config)
    per_iteration = 4 * elements * condition.chemical_tilts + 3 * condition.haadf_tilts
    per_iteration += 8 * elements * (config.solver.tv_iterations or _TYPICAL_INNER)
    return config.phantom.size**3 * per_iteration * config.solver.max_iterations


def seconds_per_unit(config: CampaignConfig) -> float:
    """Seconds of a unit of work here, from a small trial of the same campaign; kernels are loaded first."""
    small = config.phantom.model_copy(update={"size": min(_PROBE_SIZE, config.phantom.size)})
    solver = config.solver.model_copy(update={"max_iterations": _PROBE_ITERATIONS, "tolerance": 0.0})
    probe = config.model_copy(update={"phantom": small, "solver": solver})
    condition = Condition("fused", config.grid.haadf_tilts[-1], config.grid.chemical_tilts[-1])
    trial = Trial(probe, condition, 0, {})
    first = evaluate(trial)  # loads the kernels
    if not first.ok:
        raise InputError(f"a trial of campaign '{config.name}' fails: {first.reason}; mend the campaign")
    began = time.perf_counter()
    evaluate(trial)
    return (time.perf_counter() - began) / work(probe, condition)


def _elements(config: CampaignConfig) -> int:
    from phantoms.registry import list_phantoms

    return len(list_phantoms()[config.phantom.name].elements)


def _memory_gb(config: CampaignConfig) -> float:
    volume = config.phantom.size**3 * _elements(config) * 4
    rays = (
        config.phantom.size**2 * 4 * (config.grid.haadf_tilts[-1] + _elements(config) * config.grid.chemical_tilts[-1])
    )
    fine = 8 * volume if config.acquisition.grid == "fine" else 0
    return (0.3e9 + _VOLUMES * volume + 8 * rays + fine) / 1e9
