"""`fusedtomo export`: how do volumes and data sets get into other programs?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflows.command.app import Overwrite, app, example, say
from workflows.saying import doing

if TYPE_CHECKING:
    from fusedtomo.tilts import FusedDataset
    from fusedtomo.volume import ChemicalVolume


@app.command(
    epilog=example(
        "fusedtomo export fused.h5 --to tomviz",
        "fusedtomo export data.h5 --to hyperspy --out series/particle.hspy",
    )
)
def export(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="volume, reconstruction or data set file")],
    to: Annotated[str, typer.Option("--to", help="tomviz, hyperspy, imagej, mrc, ome-zarr, vtk, or a plug-in's")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="file to write; default: FILE with the suffix of the format")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a volume or a data set in a format that other programs open, with axes, units and element names.

    A data set becomes two files, HAADF and maps, which have angles of their own. Values are not changed.
    """
    from fusedtomo.exporting import EXPORTS
    from fusedtomo.exporting import export as write

    chosen = EXPORTS[to]
    content = _read(source)
    target = out or source.with_name(f"{source.stem}{chosen.suffix}")
    with doing(say, f"writing for {chosen.programs}"):
        files = write(content, to, target, overwrite)
    for file in files:
        say.print(f"{file}: for {chosen.programs}", markup=False)


def _read(path: Path) -> ChemicalVolume | FusedDataset:
    from fusedtomo.io import kind_of, read_dataset, read_volume

    return read_dataset(path) if kind_of(path) == "dataset" else read_volume(path)
