"""`fusedtomo score`: how far is a reconstruction from the truth?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fusedtomo.errors import InputError
from workflows.command.app import app, example, say
from workflows.saying import KERNELS, doing

if TYPE_CHECKING:
    from fusedtomo.score import Score
    from fusedtomo.volume import ChemicalVolume


@app.command(epilog=example("fusedtomo score fused.h5 data.h5"))
def score(
    reconstruction: Annotated[Path, typer.Argument(metavar="RECONSTRUCTION", help="volume file")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="volume file, or a data set with its truth inside")],
) -> None:
    """Print NRMSE, RMSE and stoichiometry error of a reconstruction."""
    from fusedtomo.io import read_volume

    volume, true = read_volume(reconstruction), truth_or_volume(truth)
    with doing(say, f"comparing ({KERNELS})"):
        from fusedtomo.score import score as compare

        errors = compare(volume, true)
    print_score(Console(), errors)


def truth_or_volume(path: Path) -> ChemicalVolume:
    """What a file holds: the truth inside a data set, or a volume."""
    from fusedtomo.io import read_truth, read_volume

    try:
        inside = read_truth(path)
    except InputError:
        return read_volume(path)  # it says what is wrong when the file is neither
    if inside is None:
        raise InputError(f"{path}: the data set holds no truth; give the phantom's volume file")
    return inside


def print_score(console: Console, errors: Score) -> None:
    """The errors of each element and of all."""
    table = Table("element", "NRMSE", "RMSE", box=None)
    for element, value in errors.nrmse_by_element.items():
        table.add_row(element, f"{value:.3f}", f"{errors.rmse_by_element[element]:.4f}")
    table.add_row("mean", f"{errors.nrmse:.3f}", "")
    console.print(table)
    console.print(f"stoichiometry error {errors.stoichiometry_error:.3f} (RMS of atomic fractions in the specimen)")
