"""`reproduce`: the paper's figures, made again."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from workflows.command.app import MachineName, Size, Workers, app, example, say
from workflows.saying import KERNELS, doing

if TYPE_CHECKING:
    from workflows.machines import Machine
    from workflows.paper.figure import PaperFigure
    from workflows.paper.reproduce import Reproduced, Wanted

_ALL = "all"
_MOST_DRAWING = 4  # processes: each takes 0.4 GB, on a login node too


@app.command(
    epilog=example(
        "fusedtomo reproduce --list --size 40",
        "fusedtomo reproduce --list --machine polaris",
        "fusedtomo reproduce fig4 --size 64",
        "fusedtomo reproduce all --size 40",
    )
)
def reproduce(
    figures: Annotated[
        list[str] | None, typer.Argument(metavar="FIGURE", help="names that --list shows, or all", show_default=False)
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="show the figures, their time and what was last found")] = False,
    size: Size = None,
    evaluations: Annotated[
        int | None, typer.Option(min=1, max=1000, help="trials of a fused cell, instead of the campaign files'")
    ] = None,
    machine: MachineName = "laptop",
    workers: Workers = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder of all runs and figures")] = Path("runs/paper"),
) -> None:
    """Make figures of the paper again: run or resume their campaigns, draw, and compare with the paper's numbers."""
    from workflows.machines import Wishes, load_machine, machine_here
    from workflows.paper.figure import PAPER
    from workflows.paper.reproduce import Wanted

    wanted, wishes = Wanted(size, evaluations, out), Wishes(workers=workers)
    names = list(PAPER) if not figures or _ALL in figures else figures
    chosen = [PAPER[name] for name in names]
    if list_:
        _list(chosen, wanted, wishes.applied(load_machine(machine)))
    elif not figures:
        raise typer.BadParameter("name figures, or all; --list shows them", param_hint="FIGURE")
    elif not _reproduced(chosen, wanted, machine_here(machine, wishes)):
        again = ["fusedtomo", "reproduce", *figures, *_options(wanted, machine), *wishes.options()]
        say.print(f"stopped; nothing is lost. Resume with:\n  {shlex.join(again)}", markup=False)


def _options(wanted: Wanted, machine: str) -> list[str]:
    given = {"--size": wanted.size, "--evaluations": wanted.evaluations, "--machine": machine, "--out": wanted.out}
    return [word for name, value in given.items() if value is not None for word in (name, str(value))]


def _list(figures: list[PaperFigure], wanted: Wanted, machine: Machine) -> None:
    with doing(say, f"measuring small trials ({KERNELS})"):
        from workflows.paper.listing import show, speed_here

        speed = speed_here(wanted, figures, machine)
    show(Console(), figures, wanted, machine, speed)


def _reproduced(figures: list[PaperFigure], wanted: Wanted, machine: Machine) -> bool:
    """Whether the campaigns are complete, so that the figures are made."""
    from workflows.paper.document import write_document
    from workflows.paper.measured import note
    from workflows.paper.reproduce import all_made_again, run_all

    if not run_all(figures, wanted, machine, say):
        return False
    with doing(say, "drawing") as progress:
        done = all_made_again(figures, wanted, min(_MOST_DRAWING, len(os.sched_getaffinity(0))), progress.update)
    for one in done:
        note(one, wanted.folder(one.figure))
    document = wanted.out / ("paper.html" if len(figures) > 1 else f"{wanted.folder(figures[0]).name}.html")
    write_document(document, done, wanted)
    _tell(done)
    say.print(f"document: {document}", markup=False)
    return True


def _tell(done: list[Reproduced]) -> None:
    console = Console()
    for one in done:
        console.print(f"\n{one.figure.paper}: {one.figure.title}", style="bold", markup=False)
        for says, found, verdict, _ in one.rows:
            console.print(f"  {says}: {found} ({verdict})", markup=False)
