"""What do all commands share? The app they join, the types of their options, and the console that they speak to."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

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
RunOut = Annotated[Path | None, typer.Option("--out", "-o", help="run folder; default: runs/<name>")]

MachineName = Annotated[str, typer.Option("--machine", "-m", help="profile of configs/machines, or a TOML file")]
Workers = Annotated[int | None, typer.Option("--workers", "-w", help="workers, instead of the profile's")]
Account = Annotated[str | None, typer.Option("--account", "-A", help="who is charged: project or allocation")]
Queue = Annotated[str | None, typer.Option("--queue", "-q", help="queue or partition")]
Nodes = Annotated[int | None, typer.Option("--nodes", "-N", help="nodes of a batch job")]
Walltime = Annotated[float | None, typer.Option("--walltime", help="minutes of a batch job")]


def example(*lines: str) -> str:
    """The epilog of a command's help."""
    return "[bold]Example[/bold]\n\n" + "\n\n".join(f"[cyan]{line}[/cyan]" for line in lines)
