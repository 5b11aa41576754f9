"""`fusedtomo inspect`: what is in a measured file, and under which names can a recipe ask for it?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from workflows.command.app import app, example, say
from workflows.saying import doing


@app.command(epilog=example("fusedtomo inspect DATA/bcf/-40.bcf"))
def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="file of a microscope, HDF5 or .npz")],
) -> None:
    """List what a measured file holds, by the names that a recipe of `fusedtomo import` uses.

    Sizes, units and angles are what the file says. Vendors' numbers are often wrong.
    """
    from fusedtomo.importing.formats import format_of, opened

    with doing(say, f"reading {file.name}"), opened(file) as reader:
        contents = reader.contents()
    table = Table("name", f"what the file says ({format_of(file).name})", box=None)
    for name, told in contents.items():
        table.add_row(name, told)
    Console().print(table)
