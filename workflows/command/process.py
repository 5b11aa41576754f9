"""`fusedtomo process`: from the files of a microscope to 3D chemistry and a report, in one command."""

from pathlib import Path
from typing import Annotated

import typer

from workflows.command.app import app, example, say


@app.command(epilog=example("fusedtomo process configs/imports/eds_haadf_particle_bcf.toml --data-dir DATA --out run"))
def process(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="recipe of `import`, or the name of a shipped one")],
    data_dir: Annotated[Path | None, typer.Option(help="folder of the files; default: the recipe's")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="run folder; one that is there is gone on with")] = Path(
        "run"
    ),
) -> None:
    """Import, align, find weights, reconstruct by several methods, judge by what was held out, export and report.

    Every step leaves its files in the run folder. The same command goes on where it was stopped. What the steps do is
    said in the table `process` of the recipe; all of it has a default.
    """
    from fusedtomo.importing import read_recipe
    from workflows.process.stages import process as run
    from workflows.shipped import named_file

    path = named_file("imports", recipe)
    run(read_recipe(path), path, data_dir or path.parent, out, say)
