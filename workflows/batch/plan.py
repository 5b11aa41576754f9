"""What a campaign will cost: cells, trials, memory and time, from a short measurement on this machine."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fusedtomo.errors import InputError
from fusedtomo.methods import METHODS
from fusedtomo.parallel import SERIAL
from fusedtomo.placement import HERE, Placement, placed
from workflows.batch.jobscript import job_script
from workflows.batch.speed import PROBE_SIZE, PROBES, Load, Speed, measured, work
from workflows.batch.submit import MAX_JOBS, request_for
from workflows.campaign import STRATEGIES, CampaignConfig
from workflows.machines import Machine, block_script
from workflows.watch.panel import duration
from workflows.workers.memory import most_host_gb, too_large

# measured on 2 cores: a GP proposal at 10 to 20 points, kernels loaded from the cache
_PROPOSAL_S = 0.35
_START_S = 12.0  # until the first trial: imports, Parsl's processes, workers; 57 s were seen at a load of 7 on 2 cores
_SIDE_BY_SIDE = 1.3  # assumed, at worst: workers share caches, memory and, as hyperthreads, cores
_COMPILE_S = 60.0  # kernels on a host that has none yet


@dataclass(frozen=True)
class Plan:
    """A prediction; `seconds` are those of the search where every trial runs to its cap of iterations."""

    method: str
    cells: int
    others: int
    trials: int
    memory_gb: float
    seconds: float
    workers: int
    nodes: int
    at_once: int


@dataclass(frozen=True)
class Span:
    """Seconds from the command's start to the end of its search: at best, and at worst."""

    low_s: float
    high_s: float

    def text(self, unit_s: float | None = None) -> str:
        """Such as ``2m 10s to 5m 30s``, or in a unit ``0.5 to 1.2``."""
        low, high = (duration(s) if unit_s is None else f"{s / unit_s:.2g}" for s in (self.low_s, self.high_s))
        return low if low == high else f"{low} to {high}"


@dataclass(frozen=True)
class Forecast:
    """What a campaign will take on a machine, and how that is known."""

    config: CampaignConfig
    machine: Machine
    plan: Plan
    span: Span
    load: Load
    measured_on: str


def forecast(config: CampaignConfig, machine: Machine) -> Forecast:
    """Measure, and predict."""
    place, measured_on = _place(machine)
    speed = measured(config, place, machine.threads_per_worker)
    plan = predict(config, machine, max(speed.units_s))
    return Forecast(config, machine, plan, span(config, machine, speed), speed.load, measured_on)


def show(console: Console, say: Console, found: Forecast, path: Path, profile: str) -> None:
    """Print the plan of a campaign file, and the scripts of its batch jobs where the machine has a scheduler."""
    table = Table(box=None, show_header=False)
    for name, value in _rows(found.plan, found.span, found.machine, found.measured_on):
        table.add_row(name, value)
    console.print(table)
    if fault := too_large(found.machine, found.config):
        say.print(f"[yellow]warning:[/yellow] {escape(fault)}")
    if found.load.busy:
        say.print(f"[yellow]warning:[/yellow] {_busy(found.load)}")
    if found.machine.provider != "local":
        _show_scripts(console, path, found.config, found.machine, profile)


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


def _busy(load: Load) -> str:
    return (
        f"this machine is busy: a load of {load.processes:.1f} on {load.cores} core{'s' * (load.cores > 1)} before "
        f"this measurement. What is predicted holds while that lasts; plan again when it is quiet"
    )


def _rows(plan: Plan, span: Span, machine: Machine, measured_on: str) -> Iterator[tuple[str, str]]:
    yield "cells", f"{plan.cells} of {plan.method}, {plan.others} of other methods"
    yield "trials", str(plan.trials)
    each = f", {machine.workers_per_node} on each of {plan.nodes} nodes" if plan.nodes > 1 else ""
    yield "workers", f"{plan.workers} on {machine.name}{each}"
    if plan.at_once < plan.workers:
        yield "", f"at most {plan.at_once} of them busy: conditions x search.pending; raise pending, or use fewer"
    a_node = plan.memory_gb * machine.workers_per_node
    yield "memory", f"{plan.memory_gb:.2g} GB per worker, {a_node:.2g} GB a node"
    yield "predicted time", f"{span.text()}, then the report"
    yield "", f"from {PROBES} timed trials at {PROBE_SIZE}^3 on {measured_on}; workers' start included"
    yield "", "at best as the fastest and as trials stop by themselves; at worst all run to their cap"
    if machine.provider != "local":
        a_job_s = 60 * (machine.walltime_min - machine.drain_min)
        jobs = math.ceil(span.high_s / a_job_s) * machine.max_blocks
        hours = Span(span.low_s * plan.nodes, span.high_s * plan.nodes).text(3600)
        yield "node hours", f"{hours}, in at most {jobs} job{'s' * (jobs > 1)} of {machine.walltime_min:g} min"


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
    main = config.methods[0]
    cells = sum(condition.method == main for condition in conditions)
    trials = {condition: config.evaluations(condition) for condition in conditions}
    work_s = sum(config.equivalents(condition) * work(config, condition) * unit_s for condition in trials)
    proposals = sum(max(0, count - config.search.initial_points) for count in trials.values())
    search_s = _PROPOSAL_S * proposals if config.search.strategy == "gp_hedge" else 0.0
    at_once = sum(min(count, config.search.pending) for count in trials.values())
    if STRATEGIES[config.search.strategy].sees == "campaign":
        at_once = config.lag
    return Plan(
        METHODS[main].label,
        cells,
        len(conditions) - cells,
        sum(trials.values()),
        most_host_gb(config),
        (work_s + search_s) / min(machine.n_workers, at_once),
        machine.n_workers,
        machine.nodes_per_block * machine.max_blocks,
        at_once,
    )


def span(config: CampaignConfig, machine: Machine, speed: Speed) -> Span:
    """The search on a machine, from what was measured here, its start included.

    The workers of a local machine share its cores with one another and, at worst, with what runs there now.
    """
    best = predict(config, machine, min(speed.units_s) * speed.share)
    worst = predict(config, machine, max(speed.units_s))
    threads = min(worst.workers, worst.at_once) * machine.threads_per_worker
    local = machine.provider == "local"
    quiet = Load(0.0, speed.load.cores)
    if not (local and machine.device == "cpu"):
        return Span(_START_S + best.seconds, _START_S + speed.kernels_s + (not local) * _COMPILE_S + worst.seconds)
    side_by_side = _SIDE_BY_SIDE if threads > 1 else 1.0
    # what was timed is as slow already as one thread is here; the constants are those of a quiet machine
    model_s = predict(config, machine, 0.0).seconds
    return Span(
        _START_S + quiet.slows(threads) * best.seconds,
        speed.kernels_s
        + speed.load.stretches(threads) * (_START_S + model_s)
        + side_by_side * speed.load.slows(threads) * (worst.seconds - model_s),
    )
