"""The `fusedtomo` command."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fusedtomo.errors import InputError, TryAgain

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Fused multi-modal electron tomography: how many HAADF and chemical tilts, and with which weights?",
)
say = Console(stderr=True, soft_wrap=True, highlight=False)

Out = Annotated[Path, typer.Option("--out", "-o", help="file to write")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace the file if it exists")]
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="campaign file (configs/campaigns/*.toml)")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="run folder")]
MachineName = Annotated[str, typer.Option("--machine", "-m", help="profile of configs/machines, or a TOML file")]
Workers = Annotated[int | None, typer.Option("--workers", "-w", help="workers, instead of the profile's")]

Account = Annotated[str | None, typer.Option("--account", "-A", help="who is charged: project or allocation")]
Queue = Annotated[str | None, typer.Option("--queue", "-q", help="queue or partition")]
Nodes = Annotated[int | None, typer.Option("--nodes", "-N", help="nodes of a batch job")]
Walltime = Annotated[float | None, typer.Option("--walltime", help="minutes of a batch job")]


def example(*lines: str) -> str:
    """The epilog of a command's help."""
    return "[bold]Example[/bold]\n\n" + "\n\n".join(f"[cyan]{line}[/cyan]" for line in lines)


# The commands import what they need when they run: `fusedtomo --help` must not wait for numba or Parsl.


@app.command(epilog=example("fusedtomo phantom cuo_coo_nanocubes --size 64 --out nanocubes.h5"))
def phantom(
    name: Annotated[str, typer.Argument(help="specimen family; 'list' shows them all")],
    out: Out = Path("phantom.h5"),
    size: Annotated[int, typer.Option(help="voxels along each edge, 16 to 1024")] = 64,
    seed: Annotated[int, typer.Option(help="another seed is another specimen")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Make a synthetic specimen: a ground truth with exact stoichiometry."""
    from workflows.command import commands

    commands.phantom(say, name, size, seed, out, overwrite)


@app.command(epilog=example("fusedtomo simulate nanocubes.h5 --haadf-tilts 47 --chemical-tilts 9 --out data.h5"))
def simulate(
    phantom: Annotated[Path, typer.Argument(metavar="PHANTOM", help="volume file")],
    out: Out = Path("data.h5"),
    haadf_tilts: Annotated[int | None, typer.Option(help="number of HAADF tilts")] = None,
    haadf_increment: Annotated[float | None, typer.Option(help="HAADF tilt increment in degrees")] = None,
    haadf_angles: Annotated[str | None, typer.Option(help="HAADF angles in degrees, comma-separated")] = None,
    chemical_tilts: Annotated[int | None, typer.Option(help="number of chemical tilts")] = None,
    chemical_increment: Annotated[float | None, typer.Option(help="chemical tilt increment in degrees")] = None,
    chemical_angles: Annotated[str | None, typer.Option(help="chemical angles in degrees, comma-separated")] = None,
    min_deg: Annotated[float, typer.Option(help="first tilt angle")] = -70.0,
    max_deg: Annotated[float, typer.Option(help="last tilt angle")] = 70.0,
    haadf_snr: Annotated[float | None, typer.Option(help="HAADF SNR, above 1")] = None,
    haadf_dose: Annotated[float | None, typer.Option(help="mean HAADF counts per pixel")] = None,
    chemical_snr: Annotated[str | None, typer.Option(help="chemical SNR above 1, or one each: Co=1.9,Cu=2.9")] = None,
    chemical_dose: Annotated[float | None, typer.Option(help="mean chemical counts per pixel")] = None,
    gamma: Annotated[float, typer.Option(help="HAADF contrast exponent, 1 to 2")] = 2.0,
    background: Annotated[float, typer.Option(help="vacuum level over the maximum")] = 0.15,
    fine: Annotated[bool, typer.Option("--fine", help="PHANTOM is twice as fine as the data")] = False,
    seed: Annotated[int, typer.Option(help="seed of the noise")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Simulate the HAADF and chemical tilt series of a specimen, with Poisson noise at a given SNR or dose."""
    from workflows.command import commands

    haadf = commands.modality(
        "haadf", (min_deg, max_deg), (haadf_tilts, haadf_increment, haadf_angles), haadf_snr, haadf_dose
    )
    chemical = commands.modality(
        "chemical",
        (min_deg, max_deg),
        (chemical_tilts, chemical_increment, chemical_angles),
        commands.snr_of(chemical_snr),
        chemical_dose,
    )
    settings = {"gamma": gamma, "background_fraction": background, "grid": "fine" if fine else "same", "seed": seed}
    commands.simulate(say, phantom, {"haadf": haadf, "chemical": chemical, **settings}, out, overwrite)


@app.command(
    name="import",
    epilog=example("fusedtomo import configs/imports/eds_haadf_particle.toml --data-dir DATA --out particle.h5"),
)
def import_(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="which stacks, angles and shifts make the data set")],
    data_dir: Annotated[Path | None, typer.Option(help="folder of the files; default: the recipe's")] = None,
    out: Out = Path("data.h5"),
    overwrite: Overwrite = False,
) -> None:
    """Make a data set of measured tilt series: shifted, turned to our tilt axis, backgrounds stated."""
    from workflows.command import commands

    commands.import_(say, recipe, data_dir or recipe.parent, out, overwrite)


@app.command(
    epilog=example(
        "fusedtomo reconstruct data.h5 --out fused.h5",
        "fusedtomo reconstruct data.h5 --atlas runs/quickstart/atlas.h5 --out fused.h5",
        "mpiexec -n 4 fusedtomo reconstruct data.h5 --out fused.h5",
    )
)
def reconstruct(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="data set of `simulate` or `import`")],
    out: Out = Path("reconstruction.h5"),
    method: Annotated[str, typer.Option(help="fused, poisson(-tv), sirt, fista-tv or gradient-descent")] = "fused",
    haadf: Annotated[float | None, typer.Option(help="weight of the HAADF term")] = None,
    chemical: Annotated[float | None, typer.Option(help="weight of the chemical term")] = None,
    tv: Annotated[float | None, typer.Option(help="weight of total variation")] = None,
    atlas: Annotated[Path | None, typer.Option(help="take the weights from this atlas, by tilt counts and SNR")] = None,
    gamma: Annotated[float | None, typer.Option(help="HAADF exponent; default: the data set's, else 1.7")] = None,
    eps: Annotated[float | None, typer.Option(help="counts inside the logarithm; default: the background")] = None,
    iterations: Annotated[int, typer.Option(help="cap on outer iterations")] = 200,
    tolerance: Annotated[float, typer.Option(help="stop when the volume moves by less than this fraction")] = 3e-4,
    depth: Annotated[int | None, typer.Option(help="voxels along the beam; default: as many as across")] = None,
    tv_kind: Annotated[str, typer.Option(help="isotropic or anisotropic total variation")] = "isotropic",
    tv_iterations: Annotated[int | None, typer.Option(help="inner TV iterations; default: as many as needed")] = None,
    chemical_term: Annotated[str, typer.Option(help="poisson, or least-squares for high counts")] = "poisson",
    factors: Annotated[
        list[str] | None, typer.Option("--factor", help="on one element's term, such as Au.tv=2 or O.chemical=0.5")
    ] = None,
    mask: Annotated[str, typer.Option(help="none, cylinder, or a volume file that is 0 where nothing is")] = "none",
    initial: Annotated[Path | None, typer.Option(help="volume file to start from")] = None,
    device: Annotated[str, typer.Option(help="cpu or gpu")] = "cpu",
    half: Annotated[bool, typer.Option("--half", help="keep TV's dual field in half precision (GPU)")] = False,
    picture: Annotated[bool, typer.Option(help="also write slices and cost curves as PNG beside the file")] = True,
    compare: Annotated[bool, typer.Option("--compare", help="show Poisson alone beside it in the slices")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Reconstruct the concentration of every element from a data set; on several ranks where mpiexec started them."""
    from fusedtomo.parallel import world
    from workflows.command import commands

    weights = {"haadf": haadf, "chemical": chemical, "tv": tv}
    settings = {
        "gamma": gamma,
        "eps": eps,
        "max_iterations": iterations,
        "tolerance": tolerance,
        "depth": depth,
        "tv": tv_kind,
        "tv_iterations": tv_iterations,
        "chemical_term": chemical_term,
        **commands.factors_of(factors or []),
    }
    start = commands.Start(mask, initial, device, half)
    commands.reconstruct(say, data, method, weights, atlas, settings, start, out, overwrite, picture, compare, world())


@app.command(epilog=example("fusedtomo score fused.h5 data.h5"))
def score(
    reconstruction: Annotated[Path, typer.Argument(metavar="RECONSTRUCTION", help="volume file")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="volume file, or a data set with its truth inside")],
) -> None:
    """Print NRMSE, RMSE and stoichiometry error of a reconstruction."""
    from workflows.command import commands

    commands.score(Console(), reconstruction, truth)


@app.command(epilog=example("fusedtomo check configs/campaigns/quickstart.toml"))
def check(config: Config) -> None:
    """Validate a campaign file and say what it would run."""
    from workflows.command import commands

    commands.check(Console(), config)


@app.command(
    epilog=example(
        "fusedtomo plan configs/campaigns/quickstart.toml --workers 2",
        "fusedtomo plan configs/campaigns/quickstart.toml --machine polaris --account PROJECT --nodes 4",
    )
)
def plan(
    config: Config,
    machine: MachineName = "laptop",
    workers: Workers = None,
    account: Account = None,
    queue: Queue = None,
    nodes: Nodes = None,
    walltime: Walltime = None,
) -> None:
    """Predict cells, trials, memory and time of a campaign, from a short measurement on this machine."""
    from workflows.batch import plan as planning
    from workflows.machines import Wishes

    planning.show(Console(), say, config, machine, Wishes(account, queue, nodes, walltime, workers))


@app.command(
    epilog=example(
        "fusedtomo run configs/campaigns/quickstart.toml --out runs/quickstart",
        "fusedtomo run configs/campaigns/quickstart.toml --machine slurm --nodes 2 --walltime 120",
    )
)
def run(
    config: Config,
    machine: MachineName = "laptop",
    workers: Workers = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="run folder; default: runs/<name>")] = None,
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
) -> None:
    """Start or resume a campaign; the same command goes on where it was stopped.

    Exit code 0: complete, or stopped in good order; 2: something given cannot be used; 75: the same command may do
    better later (all workers lost, run folder in use).
    """
    from workflows.command import commands
    from workflows.machines import Wishes

    commands.run(say, config, machine, Wishes(account, queue, nodes, walltime, workers, workers_in), out)


@app.command(
    epilog=example(
        "fusedtomo submit configs/campaigns/quickstart.toml --machine slurm --nodes 2 --dry-run",
        "fusedtomo submit configs/campaigns/quickstart.toml --machine polaris --account PROJECT",
    )
)
def submit(
    config: Config,
    machine: Annotated[str, typer.Option("--machine", "-m", help="profile of configs/machines, or a TOML file")],
    account: Account = None,
    queue: Queue = None,
    nodes: Nodes = None,
    walltime: Walltime = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="run folder; default: runs/<name>")] = None,
    script: Annotated[Path | None, typer.Option(help="the job script; default: job.sh in the run folder")] = None,
    max_jobs: Annotated[int, typer.Option(min=1, help="jobs of the chain at most")] = 20,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the script, and send nothing")] = False,
) -> None:
    """Send a campaign to a batch scheduler: a job that goes on by a next one until the map is complete."""
    from workflows.batch import submit as sending
    from workflows.machines import Wishes, load_machine

    wished = Wishes(account, queue, nodes, walltime).applied(load_machine(machine))
    sending.submit(Console(), say, config, wished, machine, out, script, max_jobs, dry_run)


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
    epilog=example("fusedtomo trials runs/quickstart --failed", "fusedtomo trials runs/quickstart --json | jq .nrmse")
)
def trials(
    run: Run,
    failed: Annotated[bool, typer.Option("--failed", help="failed ones, with the end of what they said")] = False,
    condition: Annotated[str | None, typer.Option(help="those of one condition, such as fused-h47-c9")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """List the trials of a run, and where the logs of their workers are."""
    from workflows.watch import listing

    listing.show(Console(), run, failed, condition, as_json)


@app.command(epilog=example("fusedtomo merge runs/left runs/right --out runs/whole"))
def merge(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="run folders of one campaign")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the new run folder")],
) -> None:
    """Make one run folder of several: their grids united, all their trials; `run` goes on with it."""
    from workflows.record import merge as merging

    merging.merge(say, runs, out)


@app.command(epilog=example("fusedtomo report runs/quickstart"))
def report(run: Run) -> None:
    """Write atlas.h5, the figures and report.html of a run again, from its journal."""
    from workflows.command import commands

    commands.report(say, run)


@app.command(epilog=example("fusedtomo doctor", "fusedtomo doctor --machine perlmutter --account PROJECT"))
def doctor(
    machine: MachineName = "laptop",
    workers: Workers = None,
    account: Account = None,
    queue: Queue = None,
    nodes: Nodes = None,
    walltime: Walltime = None,
) -> None:
    """Check this installation and every worker that a machine gives: versions, GPUs, MPI, disks, network, a trial."""
    from workflows import doctor as checks
    from workflows.machines import Wishes

    wishes = Wishes(account, queue, nodes, walltime, workers)
    raise typer.Exit(0 if checks.examine(Console(), machine, wishes) else 1)


def main() -> None:
    """Run the command; bad input ends with one message and exit code 2, or 75: try again. Of many ranks, one speaks."""
    from workflows.workers.ending import leave

    leave(_main())


def _main() -> int:
    from fusedtomo.parallel import guarded

    try:
        comm = _ranks()
        with guarded(comm):
            app()
    except InputError as error:
        say.print(f"[bold red]error:[/bold red] {_escaped(error)}")
        return 75 if isinstance(error, TryAgain) else 2
    except KeyboardInterrupt:
        say.print("interrupted")
        return 130
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0


def _ranks():
    """The ranks that mpiexec started; all but the first are mute, but for the error that one of them has alone."""
    from fusedtomo.parallel import world

    comm = world()
    if comm.rank > 0:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, for good
    if comm.size > 1 and sys.argv[1:2] != ["reconstruct"]:
        comm.agree(InputError(f"{comm.size} ranks were started, but only `reconstruct` uses more than one; start one"))
    return comm


def _escaped(error: Exception) -> str:
    from rich.markup import escape

    return escape(str(error))


if __name__ == "__main__":
    main()
