"""`check`, `plan`, `run`, `report`, `status`, `trials` and `merge`: what can be done with a campaign and its run?"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from enum import StrEnum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workflows.command.app import (
    Account,
    Config,
    MachineName,
    Nodes,
    Queue,
    Run,
    RunOut,
    Size,
    Walltime,
    Workers,
    app,
    campaign_file,
    example,
    say,
)
from workflows.saying import KERNELS, doing

if TYPE_CHECKING:
    from workflows.campaign.config import CampaignConfig


class CellsShown(StrEnum):
    """Of which cells a report holds more than their trials."""

    some = auto()
    all = auto()


@app.command(epilog=example("fusedtomo check quickstart"))
def check(config: Config, size: Size = None) -> None:
    """Validate a campaign file, make a small trial of each method, and say what it would run or what is wrong."""
    from fusedtomo.toml import InvalidContent
    from workflows.campaign import load_campaign
    from workflows.shipped import named_file

    path = named_file("campaigns", config)
    try:
        loaded = load_campaign(path, size)
    except InvalidContent as error:
        raise typer.Exit(_tell_all(error.problems)) from None
    if failures := _rehearsed(loaded):
        raise typer.Exit(_tell([f"{path}: {failure}" for failure in failures]))
    Console().print(f"{path}: valid. {_summary(loaded)}", markup=False)


def _rehearsed(config: CampaignConfig) -> list[str]:
    with doing(say, f"trying each method once ({KERNELS})"):
        from workflows.batch.rehearsal import failures

        return list(failures(config))


def _tell_all(problems: Sequence[str]) -> int:
    _tell(problems)
    if len(problems) > 1:
        say.print(f"{len(problems)} errors; what several fields must have in common is checked once each is right")
    return 2


def _tell(problems: Sequence[str]) -> int:
    for problem in problems:
        say.print(f"[bold red]error:[/bold red] {escape(problem)}")
    return 2


def _summary(config: CampaignConfig) -> str:
    from fusedtomo.methods import METHODS
    from workflows.campaign import AXES
    from workflows.campaign.config import sizes_text

    conditions = config.conditions()
    trials = sum(config.evaluations(condition) for condition in conditions)
    methods = ", ".join(METHODS[name].label for name in config.methods)
    shape = " x ".join(f"{len(values)} {AXES[name].label}" for name, values in config.axes.items())
    repeats = "".join(f", repeated over {len(values)} {AXES[name].label}s" for name, values in config.repeats.items())
    return (
        f"'{config.name}': {config.phantom.name} at {sizes_text(config)}, {shape}{repeats}; "
        f"{methods}: {len(conditions)} conditions, {trials} trials by {config.search.strategy} over "
        f"{', '.join(config.search.space)}. {_memory(config)}"
    )


def _memory(config: CampaignConfig) -> str:
    from fusedtomo.memory import available_gb
    from workflows.workers.memory import most_host_gb

    return f"A worker needs {most_host_gb(config):.2g} GB; this machine has {available_gb():.3g} GB free."


@app.command(
    epilog=example(
        "fusedtomo plan quickstart --workers 2",
        "fusedtomo plan quickstart --machine polaris --account PROJECT --nodes 4",
    )
)
def plan(
    config: Config,
    size: Size = None,
    machine: MachineName = "laptop",
    workers: Workers = None,
    account: Account = None,
    queue: Queue = None,
    nodes: Nodes = None,
    walltime: Walltime = None,
) -> None:
    """Predict cells, trials, memory and time of a campaign, from a short measurement on this machine."""
    from workflows.campaign import load_campaign

    path = campaign_file(config)
    loaded = load_campaign(path, size)
    with doing(say, f"measuring small trials ({KERNELS})"):
        from workflows.batch import plan as planning
        from workflows.machines import Wishes, load_machine

        wished = Wishes(account, queue, nodes, walltime, workers).applied(load_machine(machine))
        forecast = planning.forecast(loaded, wished)
    planning.show(Console(), say, forecast, path, machine)


@app.command(
    epilog=example(
        "fusedtomo run quickstart --out runs/quickstart",
        "fusedtomo run quickstart --machine slurm --nodes 2 --walltime 120",
    )
)
def run(
    config: Config,
    size: Size = None,
    machine: MachineName = "laptop",
    workers: Workers = None,
    out: RunOut = None,
    account: Account = None,
    queue: Queue = None,
    nodes: Nodes = None,
    walltime: Walltime = None,
    workers_in: Annotated[
        str | None,
        typer.Option(
            help="job: all nodes of the batch job this runs in; blocks: batch jobs that it submits; "
            "auto: in its job where it has one"
        ),
    ] = None,
    until_regret: Annotated[
        float | None,
        typer.Option(help="stop when the certificate says that no cell can be better by more than this share: 0.01"),
    ] = None,
) -> None:
    """Start or resume a campaign; the same command goes on where it was stopped.

    Exit code 0: complete, or stopped in good order; 2: something given cannot be used; 75: the same command may do
    better later (all workers lost, run folder in use).
    """
    from workflows.campaign import load_campaign
    from workflows.control.run import run_campaign
    from workflows.machines import Wishes, machine_here
    from workflows.machines.monitoring import warning_of

    loaded, wishes = (
        load_campaign(campaign_file(config), size),
        Wishes(account, queue, nodes, walltime, workers, workers_in),
    )
    loaded = loaded if until_regret is None else loaded.until(until_regret)
    found, folder = machine_here(machine, wishes), out or Path("runs") / loaded.name
    if warning := warning_of(found, folder):
        say.print(f"[yellow]warning:[/yellow] {escape(warning)}")
    if report_path := run_campaign(loaded, found, folder, say):
        say.print(f"report: {report_path}", markup=False)
        return
    options = [] if size is None else ["--size", str(size)]
    options += [] if until_regret is None else ["--until-regret", f"{until_regret:g}"]
    options += [] if machine == "laptop" else ["--machine", machine]
    again = shlex.join(["fusedtomo", "run", str(config), *options, *wishes.options(), "--out", str(folder)])
    say.print(f"stopped; nothing is lost. Resume with:\n  {again}", markup=False)


@app.command(epilog=example("fusedtomo status runs/quickstart", "fusedtomo status runs/quickstart --watch"))
def status(
    run: Run,
    watch: Annotated[
        bool, typer.Option("--watch", help="go on showing it until the map is complete, or Ctrl-C")
    ] = False,
    complete: Annotated[
        bool, typer.Option("--complete", help="say nothing; exit code 0 when the map is complete, else 1")
    ] = False,
) -> None:
    """Show how far a run is, from its folder alone; works from another terminal or node while it runs."""
    from workflows.watch import status as standing

    if complete:
        raise typer.Exit(0 if standing.complete(run) else 1)
    (standing.watch if watch else standing.status)(Console(), run)


@app.command(
    epilog=example(
        "fusedtomo trials runs/quickstart --failed",
        "fusedtomo trials runs/quickstart --sort nrmse",
        "fusedtomo trials runs/quickstart --json | jq .nrmse",
    )
)
def trials(
    run: Run,
    failed: Annotated[bool, typer.Option("--failed", help="failed ones, with the end of what they said")] = False,
    condition: Annotated[str | None, typer.Option(help="those of one condition, such as fused-h47-c9")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
    sort: Annotated[
        str | None, typer.Option(help="by nrmse, seconds, iterations, condition, trial, ... or a searched parameter")
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="the other way round")] = False,
) -> None:
    """List the trials of a run, and where the logs of their workers are."""
    from workflows.watch.listing import show

    show(Console(), run, failed, condition, as_json, sort, reverse)


@app.command(epilog=example("fusedtomo merge runs/left runs/right --out runs/whole"))
def merge(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="run folders of one campaign")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the new run folder")],
) -> None:
    """Make one run folder of several: their grids united, all their trials; `run` goes on with it."""
    from workflows.record.merge import merge as unite

    unite(say, runs, out)


@app.command(epilog=example("fusedtomo report runs/quickstart", "fusedtomo report runs/quickstart --cells all"))
def report(
    run: Run,
    cells: Annotated[
        CellsShown, typer.Option(help="landscapes and reconstructions in report.html: some, or those of all cells")
    ] = CellsShown.some,
) -> None:
    """Write atlas.h5, the figures and report.html of a run again, from its journal.

    report.html is one file to explore in a browser. It holds the trials of all cells, and of some, best first, what
    takes room: fitted landscapes and reconstructions, as far as these are kept.
    """
    from workflows.control.provenance import provenance
    from workflows.record.runfolder import RunFolder
    from workflows.report.products import write_products
    from workflows.report.single_cells import EVERY, USUAL

    folder = RunFolder.read(run)
    with doing(say, "writing the report") as progress:
        chosen = EVERY if cells is CellsShown.all else USUAL
        written = write_products(folder, provenance(folder.config), progress.update, chosen)
    say.print(f"report: {written}", markup=False)


@app.command(
    epilog=example(
        "fusedtomo audit runs/quickstart --cells 4",
        "fusedtomo audit runs/quickstart --condition fused-h47-c9 --points 200",
    )
)
def audit(
    run: Run,
    condition: Annotated[
        list[str] | None, typer.Option(help="a cell to search densely, such as fused-h47-c9; give it again for more")
    ] = None,
    cells: Annotated[int, typer.Option(min=1, help="how many, where none is named: corners, the middle, others")] = 20,
    points: Annotated[int, typer.Option(min=5, help="full trials of a cell, a fifth of them near its best")] = 640,
    machine: MachineName = "laptop",
    workers: Workers = None,
) -> None:
    """Search cells of a run densely, in full, and hold what its certificate states against what is found.

    The trials stay in RUN/audit; the same command goes on with them. Exit code 0: complete, whatever was found.
    """
    from workflows.control import audit as auditing
    from workflows.control.stopping import Stopped
    from workflows.machines import Wishes, machine_here
    from workflows.record.runfolder import RunFolder

    found = machine_here(machine, Wishes(None, None, None, None, workers, None))
    try:
        audited = auditing.audit(RunFolder.read(run), condition or [], cells, points, found, say)
    except Stopped:
        say.print("stopped; the same command goes on", markup=False)
        return
    console = Console()
    columns = Table("cell", "error", "least", "regret found", "stated at most", "holds", box=None)
    for row in auditing.table(audited):
        columns.add_row(*row)
    console.print(columns)
    held = auditing.share_held(audited)
    console.print("no certificate" if math.isnan(held) else f"what is stated holds in {held:.0%} of the cells")
