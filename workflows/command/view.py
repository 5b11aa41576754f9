"""`fusedtomo view`: what does one reconstruction look like? A page of slices and surfaces, beside truth and others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fusedtomo.errors import InputError
from workflows.command.app import app, example, say
from workflows.saying import doing

if TYPE_CHECKING:
    from fusedtomo.volume import ChemicalVolume


@app.command(
    epilog=example(
        "fusedtomo view fused.h5",
        "fusedtomo view fused.h5 --truth phantom.h5 --compare poisson.h5 --out look.html",
    )
)
def view(
    volume: Annotated[Path, typer.Argument(metavar="VOLUME", help="volume or reconstruction file")],
    truth: Annotated[Path | None, typer.Option(help="volume file, or a data set with its truth inside")] = None,
    compare: Annotated[list[Path] | None, typer.Option(help="another volume; give it again for more")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="page to write; default: VOLUME with the suffix .html")
    ] = None,
) -> None:
    """Write a page to look at a reconstruction: slices in three planes, surfaces that turn, histograms.

    It is one file, which a browser opens without a server or a network.
    """
    from fusedtomo.io import read_attributes
    from workflows.report.one_volume import write_view

    target = out or volume.with_suffix(".html")
    if target.suffix.lower() not in (".html", ".htm"):  # an older page may be replaced, a volume never
        raise InputError(f"--out {target}: a page's name ends in .html")
    with doing(say, "reading and packing volumes"):
        write_view(target, _volumes(volume, truth, compare or []), {"file": volume, **read_attributes(volume)})
    say.print(f"page: {target}", markup=False)


def _volumes(volume: Path, truth: Path | None, others: list[Path]) -> dict[str, ChemicalVolume]:
    """By label, the truth first; files of one name are told apart by their folders."""
    from fusedtomo.io import read_volume
    from workflows.command.score import truth_or_volume
    from workflows.report.one_volume import TRUTH

    files = [volume, *others]
    names = [path.stem if [one.stem for one in files].count(path.stem) == 1 else str(path) for path in files]
    found = {} if truth is None else {TRUTH: truth_or_volume(truth)}
    return found | {name: read_volume(path) for name, path in zip(names, files, strict=True)}
