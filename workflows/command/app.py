"""What do all commands share? The app they join, the types of their options, and the console that they speak to."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},  # of every command: contexts inherit it
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
say = Console(stderr=True, soft_wrap=True, highlight=False)

Out = Annotated[Path, typer.Option("--out", "-o", help="file to write")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace the file if it exists")]
Config = Annotated[
    Path,
    typer.Argument(
        metavar="CAMPAIGN", help="campaign file, or a name: NAME.toml in the current folder, else the shipped NAME"
    ),
]
Size = Annotated[
    int | None, typer.Option("--size", "-s", help="voxels along each edge of the specimen, instead of the file's")
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="run folder")]
RunOut = Annotated[Path | None, typer.Option("--out", "-o", help="run folder; default: runs/<name>")]

MachineName = Annotated[str, typer.Option("--machine", "-m", help="profile of configs/machines, or a TOML file")]
Workers = Annotated[int | None, typer.Option("--workers", "-w", help="workers, instead of the profile's")]
Account = Annotated[str | None, typer.Option("--account", "-A", help="who is charged: project or allocation")]
Queue = Annotated[str | None, typer.Option("--queue", "-q", help="queue or partition")]
Nodes = Annotated[int | None, typer.Option("--nodes", "-N", help="nodes of a batch job")]
Walltime = Annotated[float | None, typer.Option("--walltime", help="minutes of a batch job")]


def campaign_file(given: Path) -> Path:
    """The campaign file that is meant; where a name was given, say which one that is."""
    from workflows.shipped import named_file

    path = named_file("campaigns", given)
    if path != given:
        say.print(f"{given}: {path}", markup=False)
    return path


def example(*lines: str) -> str:
    """The epilog of a command's help."""
    return "[bold]Example[/bold]\n\n" + "\n\n".join(f"[cyan]{line}[/cyan]" for line in lines)


def _version(wanted: bool) -> None:
    if wanted:
        from fusedtomo import __version__

        typer.echo(f"fusedtomo {__version__}")
        raise typer.Exit


@app.callback(epilog=example("fusedtomo run quickstart", "fusedtomo reconstruct -h"))
def fusedtomo(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="say which version this is")
    ] = False,
) -> None:
    """Fused multi-modal electron tomography: how many HAADF and chemical tilts, and with which weights?"""
