"""`fusedtomo weights`: which weights does the data itself ask for?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from workflows.command.app import Overwrite, app, example, say
from workflows.command.targets import check_target
from workflows.saying import KERNELS, doing

if TYPE_CHECKING:
    from fusedtomo.weighing import Weighed


@app.command(
    epilog=example(
        "fusedtomo weights particle.h5 --depth 64",
        "fusedtomo reconstruct particle.h5 --depth 64 --weights weights.json --out fused.h5",
    )
)
def weights(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="data set of `simulate` or `import`, with raw counts")],
    out: Annotated[Path, typer.Option("--out", "-o", help="file to write")] = Path("weights.json"),
    method: Annotated[str, typer.Option(help="whose weights: fused, fused-weighted, poisson-tv, ...")] = "fused",
    atlas: Annotated[
        Path | None, typer.Option(help="begin with this atlas's weights; default: haadf 0.1, tv 1")
    ] = None,
    folds: Annotated[int, typer.Option(help="parts of the counts; each is held out once")] = 5,
    solves: Annotated[int, typer.Option(help="reconstructions of a part, at most")] = 25,
    seed: Annotated[int, typer.Option(help="of the thinning")] = 0,
    depth: Annotated[int | None, typer.Option(help="voxels along the beam; default: as many as across")] = None,
    gamma: Annotated[float | None, typer.Option(help="HAADF exponent; default: the data set's, else 1.7")] = None,
    iterations: Annotated[int, typer.Option(help="cap on outer iterations")] = 100,
    overwrite: Overwrite = False,
) -> None:
    """Find weights without truth: what is fitted to a part of the counts and tilts must predict the rest.

    Of weights that predict the counts equally well, within a standard error, those nearest to the prior are taken.
    Large data are searched in their middle columns.
    """
    from fusedtomo.files import replacing
    from fusedtomo.io import read_dataset
    from fusedtomo.settings import SolverSettings, Weights
    from fusedtomo.tilts import check_signal
    from fusedtomo.toml import validated
    from fusedtomo.weighing import weigh
    from workflows.command.reconstruction import from_atlas

    check_target(out, overwrite)
    dataset = read_dataset(data)
    check_signal(dataset)
    settings = {"max_iterations": iterations, "depth": depth, "gamma": gamma}
    prior = None if atlas is None else validated(Weights, from_atlas(say, method, atlas, data, dataset, gamma), atlas)
    with doing(say, f"finding weights ({KERNELS})") as told:
        found = weigh(
            dataset,
            method,
            prior,
            validated(SolverSettings, settings, "weights"),
            folds=folds,
            seed=seed,
            solves=solves,
            say=told.update,
        )
    with replacing(out) as temporary:
        temporary.write_text(found.model_dump_json(indent=1) + "\n")
    print_weighed(Console(), found)
    say.print(f"{out}: --weights {out} of `fusedtomo reconstruct` takes them", markup=False)


def print_weighed(console: Console, found: Weighed) -> None:
    """What was tried, best first, and what was taken."""
    from fusedtomo.weighing import STEPS

    names = [name for name in STEPS if any(getattr(t.weights, name) != getattr(found.prior, name) for t in found.tried)]
    table = Table("", *names, "folds", "held-out counts", "held-out HAADF", box=None)
    for row in found.tried:
        mark = "*" if row.weights == found.weights else ""
        shown = [f"{getattr(row.weights, name):.3g}" for name in names]
        table.add_row(mark, *shown, f"{row.folds}", f"{row.deviance:+.1f}", f"{row.haadf:+.1f}")
    console.print(table)
    console.print(told_of(found), markup=False, highlight=False, soft_wrap=True)


def told_of(found: Weighed) -> str:
    """What was taken and why, in a line."""
    ended = "" if found.ended else "; the search ended with its solves: give more"
    taken = ", ".join(f"{name} {value:.3g}" for name, value in found.weights.model_dump().items())
    return (
        f"taken (*): {taken}: of what is within a standard error ({found.standard_error:.1f}) of the least, nearest to "
        f"haadf {found.prior.haadf:.3g}, tv {found.prior.tv:.3g}; half deviances of a fold, beyond the best; "
        f"{found.solves} solves of columns {found.columns[0]} to {found.columns[1]}{ended}"
    )
