"""`fusedtomo reconstruct`: what may be asked of a reconstruction?"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fusedtomo.errors import InputError
from workflows.command.app import Out, Overwrite, app, example, say


@app.command(
    epilog=example(
        "fusedtomo reconstruct data.h5 --out fused.h5",
        "fusedtomo reconstruct data.h5 --weights weights.json --out fused.h5",
        "fusedtomo reconstruct data.h5 --atlas runs/quickstart/atlas.h5 --out fused.h5",
        "mpiexec -n 4 fusedtomo reconstruct data.h5 --out fused.h5",
    )
)
def reconstruct(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="data set of `simulate` or `import`")],
    out: Out = Path("reconstruction.h5"),
    method: Annotated[
        str,
        typer.Option(
            help="fused(-without-tv, -weighted), poisson(-tv), sirt, fista-tv, gradient-descent, haadf-sirt or haadf-tv"
        ),
    ] = "fused",
    haadf: Annotated[float | None, typer.Option(help="weight of the HAADF term")] = None,
    chemical: Annotated[float | None, typer.Option(help="weight of the chemical term")] = None,
    tv: Annotated[float | None, typer.Option(help="weight of total variation")] = None,
    atlas: Annotated[Path | None, typer.Option(help="take the weights from this atlas, by tilt counts and SNR")] = None,
    found: Annotated[Path | None, typer.Option("--weights", help="take the weights that `weights` found")] = None,
    gamma: Annotated[float | None, typer.Option(help="HAADF exponent; default: the data set's, else 1.7")] = None,
    eps: Annotated[float | None, typer.Option(help="counts inside the logarithm; default: the background")] = None,
    iterations: Annotated[int, typer.Option(help="cap on outer iterations")] = 200,
    tolerance: Annotated[float, typer.Option(help="stop when the volume moves by less than this fraction")] = 3e-4,
    depth: Annotated[int | None, typer.Option(help="voxels along the beam; default: as many as across")] = None,
    tv_kind: Annotated[str, typer.Option(help="isotropic or anisotropic total variation")] = "isotropic",
    tv_iterations: Annotated[int | None, typer.Option(help="inner TV iterations; default: as many as needed")] = None,
    pace: Annotated[str, typer.Option(help="steady, or fast: the same problem in fewer passes")] = "steady",
    chemical_term: Annotated[str, typer.Option(help="poisson, or least-squares for high counts")] = "poisson",
    factors: Annotated[
        list[str] | None, typer.Option("--factor", help="on one element's term, such as Au.tv=2 or O.chemical=0.5")
    ] = None,
    mask: Annotated[str, typer.Option(help="none, cylinder, or a volume file that is 0 where nothing is")] = "none",
    initial: Annotated[Path | None, typer.Option(help="volume file to start from")] = None,
    device: Annotated[str, typer.Option(help="cpu or gpu")] = "cpu",
    half: Annotated[bool, typer.Option("--half", help="keep TV's dual field in half precision (GPU)")] = False,
    picture: Annotated[bool, typer.Option(help="also write slices and cost curves as PNG beside the file")] = True,
    compare: Annotated[
        bool, typer.Option("--compare", help="show Poisson alone (of HAADF: SIRT) beside it in the slices")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Reconstruct the concentration of every element from a data set; on several ranks where mpiexec started them."""
    from fusedtomo.parallel import world
    from workflows.command.reconstruction import ReconstructionRequest, reconstruct_file

    weights = {"haadf": haadf, "chemical": chemical, "tv": tv}
    settings = {
        "gamma": gamma,
        "eps": eps,
        "max_iterations": iterations,
        "tolerance": tolerance,
        "depth": depth,
        "tv": tv_kind,
        "tv_iterations": tv_iterations,
        "pace": pace,
        "chemical_term": chemical_term,
        **factors_of(factors or []),
    }
    request = ReconstructionRequest(
        data=data,
        out=out,
        method=method,
        weights={name: value for name, value in weights.items() if value is not None},
        atlas=atlas,
        found=found,
        settings=settings,
        mask=mask,
        initial=initial,
        device=device,
        half=half,
        picture=picture,
        compare=compare,
        overwrite=overwrite,
    )
    reconstruct_file(say, request, world())


def factors_of(given: Sequence[str]) -> dict[str, dict[str, float]]:
    """Settings from factors on single elements' terms, each such as ``Au.tv=2``."""
    found: dict[str, dict[str, float]] = {"chemical_by_element": {}, "tv_by_element": {}}
    for text in given:
        match = re.fullmatch(r"([A-Z][a-z]?)\.(tv|chemical)=([0-9.eE+-]+)", text)
        try:
            found[f"{match[2]}_by_element"][match[1]] = float(match[3])
        except (TypeError, ValueError):
            raise InputError(f"factor '{text}' is not ELEMENT.tv=NUMBER or ELEMENT.chemical=NUMBER") from None
    return found
