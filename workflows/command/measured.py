"""`fusedtomo import`: how do measured tilt series come in?"""

from pathlib import Path
from typing import Annotated

import typer

from workflows.command.app import Out, Overwrite, app, example, say
from workflows.command.simulate import describe
from workflows.command.targets import check_target
from workflows.saying import doing


@app.command(
    name="import",
    epilog=example("fusedtomo import configs/imports/eds_haadf_particle.toml --data-dir DATA --out particle.h5"),
)
def import_(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="which stacks, angles and shifts make the data set")],
    data_dir: Annotated[Path | None, typer.Option(help="folder of the files; default: the recipe's")] = None,
    out: Out = Path("data.h5"),
    overwrite: Overwrite = False,
) -> None:
    """Make a data set of measured tilt series: shifted, turned to our tilt axis, backgrounds stated."""
    from fusedtomo.importing import import_dataset, read_recipe
    from fusedtomo.io import write_dataset

    check_target(out, overwrite)
    with doing(say, "reading and aligning"):
        dataset, notes = import_dataset(read_recipe(recipe), data_dir or recipe.parent)
        write_dataset(dataset, out, None, {"recipe": recipe.name}, overwrite)
    for note in notes:
        say.print(f"  {note}", markup=False)
    say.print(f"{out}: {describe(dataset)}", markup=False)
