"""`fusedtomo simulate`: how are the tilt series of a specimen simulated?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from fusedtomo.errors import InputError
from workflows.command.app import Out, Overwrite, app, example, say
from workflows.command.targets import check_target
from workflows.saying import KERNELS, doing

if TYPE_CHECKING:
    from fusedtomo.settings import Acquisition
    from fusedtomo.tilts import FusedDataset
    from fusedtomo.volume import ChemicalVolume

_USUAL_SNR = {"haadf": 2208.67, "chemical": 2.5}  # near those of the paper's Fig. 4


class Tilts(NamedTuple):
    """The options that say the tilts of one modality; exactly one of the first three is wanted."""

    count: int | None
    step_deg: float | None
    angles: str | None
    ends_deg: tuple[float, float]


@app.command(epilog=example("fusedtomo simulate nanocubes.h5 --haadf-tilts 47 --chemical-tilts 9 --out data.h5"))
def simulate(
    phantom: Annotated[Path, typer.Argument(metavar="PHANTOM", help="volume file")],
    out: Out = Path("data.h5"),
    n_haadf: Annotated[int | None, typer.Option("--haadf-tilts", help="number of HAADF tilts")] = None,
    haadf_step: Annotated[
        float | None, typer.Option("--haadf-increment", help="HAADF tilt increment in degrees")
    ] = None,
    haadf_list: Annotated[
        str | None, typer.Option("--haadf-angles", help="HAADF angles in degrees, comma-separated")
    ] = None,
    n_chemical: Annotated[int | None, typer.Option("--chemical-tilts", help="number of chemical tilts")] = None,
    chemical_step: Annotated[
        float | None, typer.Option("--chemical-increment", help="chemical tilt increment in degrees")
    ] = None,
    chemical_list: Annotated[
        str | None, typer.Option("--chemical-angles", help="chemical angles in degrees, comma-separated")
    ] = None,
    first: Annotated[float, typer.Option("--min-deg", help="first tilt angle")] = -70.0,
    last: Annotated[float, typer.Option("--max-deg", help="last tilt angle")] = 70.0,
    snr_haadf: Annotated[float | None, typer.Option("--haadf-snr", help="HAADF SNR, above 1")] = None,
    dose_haadf: Annotated[float | None, typer.Option("--haadf-dose", help="mean HAADF counts per pixel")] = None,
    snr_chemical: Annotated[
        str | None, typer.Option("--chemical-snr", help="chemical SNR above 1, or one each: Co=1.9,Cu=2.9")
    ] = None,
    dose_chemical: Annotated[
        float | None, typer.Option("--chemical-dose", help="mean chemical counts per pixel")
    ] = None,
    gamma: Annotated[float, typer.Option(help="HAADF contrast exponent, 1 to 2")] = 2.0,
    background: Annotated[float, typer.Option(help="vacuum level over the maximum")] = 0.15,
    fine: Annotated[bool, typer.Option("--fine", help="PHANTOM is twice as fine as the data")] = False,
    seed: Annotated[int, typer.Option(help="seed of the noise")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Simulate the HAADF and chemical tilt series of a specimen, with Poisson noise at a given SNR or dose."""
    ends = (first, last)
    settings = {
        "haadf": modality("haadf", Tilts(n_haadf, haadf_step, haadf_list, ends), snr_haadf, dose_haadf),
        "chemical": modality(
            "chemical", Tilts(n_chemical, chemical_step, chemical_list, ends), snr_of(snr_chemical), dose_chemical
        ),
        "gamma": gamma,
        "background_fraction": background,
        "grid": "fine" if fine else "same",
        "seed": seed,
    }
    _simulate(phantom, settings, out, overwrite)


def modality(name: str, tilts: Tilts, snr: float | Mapping[str, float] | None, dose: float | None) -> dict[str, Any]:
    """The settings of one modality from the command's options; angles as comma-separated text."""
    if tilts[:3] == (None, None, None):
        raise InputError(f"how many {name} tilts? give --{name}-tilts, --{name}-increment or --{name}-angles")
    scheme = {
        "min_deg": tilts.ends_deg[0],
        "max_deg": tilts.ends_deg[1],
        "count": tilts.count,
        "increment_deg": tilts.step_deg,
        "angles_deg": None if tilts.angles is None else _angles(f"--{name}-angles", tilts.angles),
    }
    usual = _USUAL_SNR[name] if snr is None and dose is None else snr
    return {"tilts": scheme, "snr": usual, "dose_counts": dose}


def snr_of(text: str | None) -> float | dict[str, float] | None:
    """A number, or ``Co=1.9,Cu=2.9``."""
    if text is None or "=" not in text:
        return None if text is None else _number("--chemical-snr", text)
    pairs = (part.partition("=") for part in text.split(","))
    return {element.strip(): _number("--chemical-snr", value) for element, _, value in pairs}


def _angles(option: str, text: str) -> list[float]:
    angles = [_number(option, part) for part in text.split(",")]
    if twice := [angle for angle in angles if angles.count(angle) > 1]:
        raise InputError(f"{option}: {twice[0]:g} is given twice; give each angle once")
    return angles


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{option}: '{text}' is not a number; write for example {option} 2.5") from None


def _simulate(path: Path, settings: Mapping[str, Any], out: Path, overwrite: bool) -> None:
    """Write a simulated data set with its truth inside."""
    from fusedtomo.io import read_attributes, write_dataset
    from fusedtomo.settings import Acquisition
    from fusedtomo.simulate import simulate as acquire
    from fusedtomo.toml import validated

    acquisition = validated(Acquisition, dict(settings), "simulate")
    check_target(out, overwrite)
    volume = _specimen(path)
    _check_memory(volume, acquisition)
    with doing(say, f"projecting and drawing counts ({KERNELS})"):
        dataset = acquire(volume, acquisition)
        truth = volume.binned(2) if acquisition.grid == "fine" else volume
        drawn = {name: text for name, text in read_attributes(path).items() if name == "phantom"}
        write_dataset(dataset, out, truth, {"acquisition": acquisition.model_dump_json(), **drawn}, overwrite)
    _tell(out, dataset)


def _check_memory(volume: ChemicalVolume, acquisition: Acquisition) -> None:
    from fusedtomo.memory import check_fits, series_gb

    n_haadf, n_chemical = (len(each.tilts.scheme()) for each in (acquisition.haadf, acquisition.chemical))
    needed = series_gb(len(volume.elements), n_haadf, n_chemical, volume.shape[1:])
    check_fits(f"simulating {n_haadf} HAADF and {n_chemical} chemical tilts", needed, "take fewer tilts")


def _specimen(path: Path) -> ChemicalVolume:
    from fusedtomo.io import read_volume

    volume = read_volume(path)
    for element in volume.elements:
        if (lowest := volume[element].min()) < 0:
            raise InputError(f"{path}: {element} has concentrations down to {lowest:g}; a specimen's are 0 or more")
    return volume


def _tell(out: Path, dataset: FusedDataset) -> None:
    say.print(f"{out}: {describe(dataset)}", markup=False)
    for series in (dataset.haadf, *dataset.chemical):
        snr = "no signal" if series.snr is None else f"SNR {series.snr:.4g} reached"
        say.print(f"  {series.name}: {snr}, background {series.background:.3g} counts per pixel")


def describe(dataset: FusedDataset) -> str:
    """A data set in a line."""
    ny, nx = dataset.haadf.counts.shape[1:]
    return (
        f"{len(dataset.haadf.scheme)} HAADF and {len(dataset.chemical_scheme)} chemical tilts of "
        f"{', '.join(dataset.elements)}; {ny} x {nx} pixels of {dataset.pixel_nm:.3g} nm (y, x)"
    )
