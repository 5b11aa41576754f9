"""`fusedtomo phantom`: which specimens are there, and how is one made?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from workflows.command.app import Out, Overwrite, app, example, say
from workflows.command.targets import check_target
from workflows.saying import doing

if TYPE_CHECKING:
    from phantoms.spec import PhantomSpec


@app.command(epilog=example("fusedtomo phantom cuo_coo_nanocubes --size 64 --out nanocubes.h5"))
def phantom(
    name: Annotated[str, typer.Argument(help="specimen family; 'list' shows them all")],
    out: Out = Path("phantom.h5"),
    size: Annotated[int, typer.Option(help="voxels along each edge, 16 to 1024")] = 64,
    seed: Annotated[int, typer.Option(help="another seed is another specimen")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Make a synthetic specimen: a ground truth with exact stoichiometry."""
    if name == "list":
        Console().print(_families())
    else:
        _make(name, size, seed, out, overwrite)


def _families() -> Table:
    from phantoms.registry import list_phantoms

    table = Table("name", "elements", "field of view", "specimen", box=None)
    for family in list_phantoms().values():
        table.add_row(family.name, " ".join(family.elements), f"{family.field_of_view_nm:g} nm", family.description)
    return table


def _make(name: str, size: int, seed: int, out: Path, overwrite: bool) -> None:
    from fusedtomo.io import write_volume
    from fusedtomo.toml import validated
    from phantoms.registry import PhantomSpec, make_phantom, phantom_rng

    spec = validated(PhantomSpec, {"name": name, "size": size, "seed": seed}, "phantom")
    check_target(out, overwrite)
    _check_memory(spec)
    with doing(say, f"making {name} at {size}^3"):
        volume = make_phantom(spec, phantom_rng(spec))
        write_volume(volume, out, {"phantom": spec.model_dump_json()}, overwrite)
    say.print(f"{out}: {', '.join(volume.elements)} on {size}^3 voxels of {volume.voxel_nm:.3g} nm", markup=False)


def _check_memory(spec: PhantomSpec) -> None:
    from fusedtomo.memory import SPECIMEN_VOLUMES, check_fits, volume_gb
    from phantoms.registry import list_phantoms

    families = list_phantoms()
    if spec.name in families:  # if not, `make_phantom` says so
        needed = SPECIMEN_VOLUMES * volume_gb(len(families[spec.name].elements), (spec.size, spec.size, spec.size))
        check_fits(f"{spec.name} at {spec.size}^3", needed, "give a smaller --size")
