"""`fusedtomo resolution`: how fine are the details of a volume?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fusedtomo.errors import InputError
from workflows.command.app import Overwrite, app, example, say
from workflows.saying import doing

if TYPE_CHECKING:
    from fusedtomo.volume import ChemicalVolume

_COLUMNS = {
    "half_pitch_nm": "edge half-pitch",
    "noise_floor_nm": "noise floor",
    "half_bit_nm": "FSC half-bit",
    "fsc_0143_nm": "FSC 0.143",
}


@app.command(
    epilog=example(
        "fusedtomo resolution fused.h5 --against data.h5 --min-deg -70 --max-deg 70",
        "fusedtomo resolution half-a.h5 --against half-b.h5 --out resolution.png",
    )
)
def resolution(
    volume: Annotated[Path, typer.Argument(metavar="VOLUME", help="volume or reconstruction file")],
    against: Annotated[
        Path | None, typer.Option(help="the truth, or a reconstruction from other data: adds the shell correlation")
    ] = None,
    first: Annotated[float, typer.Option("--min-deg", help="first tilt angle of what was measured")] = -90.0,
    last: Annotated[float, typer.Option("--max-deg", help="last tilt angle")] = 90.0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="figure to write (PNG and SVG), and a CSV table beside it")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure the resolution of every element: edges, power spectrum, Fourier shell correlation; all lengths in nm.

    Along the axes (x is the tilt axis, z the beam), and for the directions that the tilts measured and missed.
    """
    from fusedtomo.io import read_volume
    from workflows.command.score import truth_or_volume
    from workflows.command.targets import check_target

    if not -90 <= first < last <= 90:
        raise InputError(f"tilts from {first:g} to {last:g} degrees; give --min-deg below --max-deg, within +-90")
    if out is not None:
        check_target(out, overwrite)
    measured = read_volume(volume)
    other = None if against is None else _like(measured, truth_or_volume(against), against)
    with doing(say, "measuring spectra and edges"):
        from fusedtomo.resolution import resolution as measure
        from workflows.figures.resolution import ResolutionInfo, table

        info = ResolutionInfo(
            {
                name: measure(measured[name], measured.voxel_nm, None if other is None else other[name], (first, last))
                for name in measured.elements
            }
        )
    _print(Console(), table(info), measured.voxel_nm)
    if out is not None:
        _write(out, info)


def _like(volume: ChemicalVolume, other: ChemicalVolume, path: Path) -> ChemicalVolume:
    if other.shape != volume.shape or not set(volume.elements) <= set(other.elements):
        raise InputError(
            f"{path}: holds {', '.join(other.elements)} at {other.shape} (z, y, x), the volume "
            f"{', '.join(volume.elements)} at {volume.shape}; compare volumes of the same elements and shape"
        )
    return other


def _print(console: Console, rows: list[dict[str, str | float]], voxel_nm: float) -> None:
    table = Table("element", "direction", *_COLUMNS.values(), box=None)
    for row in rows:
        table.add_row(f"{row['element']}", f"{row['region']}", *(_length(row[name]) for name in _COLUMNS))
    console.print(table)
    console.print(
        f"lengths in nm; voxels of {voxel_nm:.3g} nm resolve {2 * voxel_nm:.3g} nm at best; "
        "-: no edge, no noise floor, or agreement to the last frequency"
    )


def _length(value: str | float) -> str:
    return "-" if isinstance(value, str) or math.isnan(value) else f"{value:.2f}"


def _write(out: Path, info) -> None:
    import pandas as pd

    from fusedtomo.files import replacing
    from fusedtomo.plot.drawing import save_figure, to_figure
    from workflows.figures.resolution import draw_resolution, table

    written = save_figure(to_figure(draw_resolution, info), out)
    csv = written[0].with_suffix(".csv")
    with replacing(csv) as temporary:
        pd.DataFrame(table(info)).to_csv(temporary, index=False, float_format="%.6g")
    say.print(f"{', '.join(map(str, (*written, csv)))}", markup=False)
