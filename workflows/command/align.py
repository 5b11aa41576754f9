"""`fusedtomo align`: which images of a series were moved, and how does the tilt axis lie in them?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from workflows.command.app import Out, Overwrite, app, example, say
from workflows.command.targets import check_target
from workflows.saying import KERNELS, doing

if TYPE_CHECKING:
    from fusedtomo.alignment import Aligned
    from fusedtomo.tilts import FusedDataset


@app.command(epilog=example("fusedtomo align particle.h5 --out aligned.h5"))
def align(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="data set file, its tilt axis roughly along x")],
    out: Out = Path("aligned.h5"),
    overwrite: Overwrite = False,
) -> None:
    """Find shifts and tilt axis on the HAADF images, move HAADF and maps alike, and write the aligned data set.

    HAADF is interpolated; counts of maps are taken from the nearest pixel, so that none are mixed. Beside the data set
    lie a figure and the moves as JSON.
    """
    from fusedtomo.alignment import align as search
    from fusedtomo.alignment import aligned
    from fusedtomo.io import read_dataset, write_dataset

    check_target(out, overwrite)
    before = read_dataset(data)
    series = before.haadf
    with doing(say, f"aligning ({KERNELS})"):
        found = search(series.counts, series.scheme.angles_deg, series.background, _tell)
    after = aligned(before, found.moves)
    write_dataset(after, out, None, {"aligned_from": data.name}, overwrite)
    files = [out, *_beside(before, after, found, out)]
    _print(before, after, found)
    say.print(", ".join(map(str, files)), markup=False)


def _tell(text: str) -> None:
    say.print(f"  {text}", markup=False)


def _beside(before: FusedDataset, after: FusedDataset, found: Aligned, out: Path) -> list[Path]:
    """The figure, and the moves as numbers."""
    from fusedtomo.files import replacing
    from fusedtomo.plot.drawing import save_figure, to_figure
    from workflows.figures.alignment import AlignmentInfo, draw_alignment

    with replacing(out.with_suffix(".moves.json")) as temporary:
        temporary.write_text(json.dumps(found.moves.told(), indent=1) + "\n")
    info = AlignmentInfo(before.haadf, after.haadf, found.moves)
    figures = save_figure(to_figure(draw_alignment, info), out.with_suffix(".alignment.png"))
    return [out.with_suffix(".moves.json"), *figures]


def _print(before: FusedDataset, after: FusedDataset, found: Aligned) -> None:
    from fusedtomo.alignment import quality_of

    table = Table("", "before", "after", box=None)
    measures = [quality_of(one.haadf) for one in (before, after)]
    table.add_row("correlation of neighbouring images", *(f"{one.correlation:.4f}" for one in measures))
    table.add_row("reprojection error", *(f"{one.reprojection_error:.4f}" for one in measures))
    console = Console()
    console.print(table)
    shifts = abs(found.moves.shifts_px)
    ended = "images moved no more" if found.settled else "images still moved: look at the figure"
    console.print(
        f"tilt axis {found.moves.axis_deg:+.2f} degrees from x; shifts up to {shifts[:, 0].max():.1f} (y) and "
        f"{shifts[:, 1].max():.1f} (x) pixels; {found.rounds} rounds of projection matching, {ended}",
        markup=False,
        highlight=False,
    )
