"""`fusedtomo atlas`: which weights did a campaign find, and which are best under other conditions?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from workflows.command.app import app, example, say
from workflows.command.words import values_of

if TYPE_CHECKING:
    from workflows.campaign import Value
    from workflows.maps.atlas import AtlasLookup

atlas = typer.Typer(
    no_args_is_help=True,
    help="Look into the atlas of a campaign: weights of its cells, and between.",
    epilog=example("fusedtomo atlas show runs/quickstart/atlas.h5"),
    rich_markup_mode="rich",
)
app.add_typer(atlas, name="atlas")

Atlas = Annotated[Path, typer.Argument(metavar="ATLAS", help="atlas.h5 of a run folder")]
Method = Annotated[str, typer.Option(help="whose weights")]


@atlas.command(epilog=example("fusedtomo atlas show runs/quickstart/atlas.h5"))
def show(path: Atlas, method: Method = "fused") -> None:
    """Show the weights of every cell, each with the range that costs at most 5 % of the error, and the NRMSE."""
    from workflows.maps.atlas import filled_cells, read_atlas, weights_for

    found = read_atlas(path)
    _print((cell, weights_for(found, cell, method=method)) for cell in filled_cells(found, method))


@atlas.command(
    epilog=example(
        "fusedtomo atlas lookup runs/quickstart/atlas.h5 haadf=40 chemical=9",
        "fusedtomo atlas lookup runs/quickstart/atlas.h5 haadf_tilts=40 chemical_tilts=9 --snr 3",
    )
)
def lookup(
    path: Atlas,
    at: Annotated[
        list[str], typer.Argument(metavar="AXIS=VALUE", help="a value of every axis; the beginning of its name will do")
    ],
    snr: Annotated[float | None, typer.Option(help="mean SNR of the chemical maps, held against the atlas's")] = None,
    method: Method = "fused",
) -> None:
    """Give the weights for your conditions, interpolated between cells, their range and the NRMSE to expect.

    Beyond its cells an atlas knows nothing: there the weights of its edge are given, with a warning.
    """
    from workflows.maps.atlas import read_atlas, weights_for
    from workflows.maps.sampling_map import axes_of

    found = read_atlas(path)
    conditions = values_of(axes_of(found), at, "this atlas")
    answer = weights_for(found, conditions, snr, method)
    _print([(conditions, answer)])
    if answer.warning:
        say.print(f"warning: {answer.warning}", style="yellow", markup=False)


def _print(rows: Iterable[tuple[dict[str, Value], AtlasLookup]]) -> None:
    """A line for the conditions and weights of each row."""
    from workflows.campaign import AXES

    filled = list(rows)
    conditions, answer = filled[0]
    table = Table(*(AXES[name].label for name in conditions), *answer.weights, "NRMSE", box=None)
    for conditions, answer in filled:
        weights = (_said(value, answer.ranges.get(name)) for name, value in answer.weights.items())
        table.add_row(*map(str, conditions.values()), *weights, f"{answer.nrmse:.3f}")
    console = Console()
    console.print(table)
    if any(answer.ranges for _, answer in filled):
        console.print("in brackets: from where to where trials have an error at most 5 % above the lowest")


def _said(value: float, tolerated: tuple[float, float] | None) -> str:
    return f"{value:.3g}" + (f" ({tolerated[0]:.2g}–{tolerated[1]:.2g})" if tolerated else "")
