"""`fusedtomo atlas`: which weights did a campaign find, and which are best under other conditions?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from workflows.command.app import app, example, say
from workflows.command.words import values_of

if TYPE_CHECKING:
    import xarray as xr

    from workflows.campaign import Value
    from workflows.maps.lookup import AtlasLookup

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
    from workflows.maps.atlas import read_atlas
    from workflows.maps.lookup import filled_cells, lookups

    found = read_atlas(path)
    cells = filled_cells(found, method)
    _print(list(zip(cells, lookups(found, cells, method), strict=True)))


@atlas.command(
    epilog=example(
        "fusedtomo atlas lookup runs/quickstart/atlas.h5 haadf=40 chemical=9",
        "fusedtomo atlas lookup runs/quickstart/atlas.h5 haadf_tilts=40 chemical_tilts=9 --snr 3",
    )
)
def lookup(
    path: Atlas,
    at: Annotated[
        list[str] | None,
        typer.Argument(metavar="AXIS=VALUE", help="a value of every axis; the beginning of its name will do"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="data set of `simulate` or `import`: its place, and what it has of its own")
    ] = None,
    snr: Annotated[float | None, typer.Option(help="mean SNR of the chemical maps, held against the atlas's")] = None,
    method: Method = "fused",
) -> None:
    """Give the weights for your conditions, from where to where the best may lie, and what they may lose.

    Beyond its cells an atlas knows nothing: there the weights of its edge are given, with a warning. So is what differs
    from what the atlas was made for, as far as the data or the options tell.
    """
    from workflows.maps.atlas import read_atlas
    from workflows.maps.lookup import weights_for
    from workflows.maps.sampling_map import axes_of

    found = read_atlas(path)
    conditions = values_of(axes_of(found), at or [], "this atlas")
    estimated, unlike = False, list[str]()
    if data is not None:
        conditions, snr, estimated, unlike = _of_data(found, data, conditions, snr)
    answer = weights_for(found, conditions, snr, method, estimated=estimated)
    _print([(conditions, answer)])
    for warning in filter(None, (answer.warning, *unlike)):
        say.print(f"warning: {warning}", style="yellow", markup=False)


def _of_data(
    atlas: xr.Dataset, path: Path, given: dict[str, Value], snr: float | None
) -> tuple[dict[str, Value], float, bool, list[str]]:
    """Where a data set stands, its SNR and whether that is an estimate, and what it has of its own."""
    from fusedtomo.io import read_attributes, read_dataset
    from fusedtomo.snr import snr_of_maps
    from workflows.maps.likeness import against, specimen_of
    from workflows.maps.lookup import conditions_of

    dataset = read_dataset(path)
    found, estimated = snr_of_maps(dataset) if snr is None else (snr, False)
    if estimated:
        say.print(f"{path}: chemical SNR {found:.3g}, estimated from the counts", markup=False)
    unlike = against(atlas, dataset, specimen=specimen_of(read_attributes(path)))
    return conditions_of(atlas, dataset, given), found, estimated, unlike


def _print(rows: list[tuple[dict[str, Value], AtlasLookup]]) -> None:
    """A line for the conditions and weights of each row."""
    from workflows.campaign import AXES

    conditions, answer = rows[0]
    by_model = any(answer.likely for _, answer in rows)
    titles = [*(AXES[name].label for name in conditions), *answer.weights, "NRMSE", *(["loss"] if by_model else [])]
    table = Table(*titles, box=None)
    for conditions, answer in rows:
        weights = (_said(name, value, answer) for name, value in answer.weights.items())
        loss = [f"{answer.loss:.1%}, at most {answer.loss_bound:.1%}"] if by_model else []
        table.add_row(*map(str, conditions.values()), *weights, f"{answer.nrmse:.3f}", *loss)
    console = Console()
    console.print(table)
    if by_model:
        console.print("in brackets: where the best weights lie, with 95 %")
        console.print("loss: error beyond that of the best weights, expected and at most (95 %)")
    elif any(answer.ranges for _, answer in rows):
        console.print("in brackets: from where to where trials have an error at most 5 % above the lowest")


def _said(name: str, value: float, answer: AtlasLookup) -> str:
    ends = (answer.likely or answer.ranges).get(name)
    return f"{value:.3g}" + (f" ({ends[0]:.2g}–{ends[1]:.2g})" if ends else "")
