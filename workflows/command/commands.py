"""What the commands do: read, call one function of the library, write, say what was done."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from fusedtomo.errors import InputError, nearest
from fusedtomo.importing import import_dataset, read_recipe
from fusedtomo.io import read_dataset, read_truth, read_volume, write_dataset, write_reconstruction, write_volume
from fusedtomo.parallel import SERIAL, Comm, agreed
from fusedtomo.placement import Placement, placed
from fusedtomo.reconstruct import METHODS, Reconstruction
from fusedtomo.reconstruct import reconstruct as run_method
from fusedtomo.score import score as compare_volumes
from fusedtomo.settings import Acquisition, SolverSettings, Weights
from fusedtomo.simulate import simulate as acquire
from fusedtomo.tilts import FusedDataset
from fusedtomo.toml import validated
from fusedtomo.volume import ChemicalVolume
from phantoms.registry import PhantomSpec, list_phantoms, make_phantom, phantom_rng
from workflows.campaign import load_campaign
from workflows.machines import Wishes, machine_here
from workflows.machines.monitoring import warning_of
from workflows.record.runfolder import RunFolder


def phantom(say: Console, name: str, size: int, seed: int, out: Path, overwrite: bool) -> None:
    """Write a phantom, or list the families."""
    if name == "list":
        table = Table("name", "elements", "field of view", "specimen", box=None)
        for family in list_phantoms().values():
            table.add_row(family.name, " ".join(family.elements), f"{family.field_of_view_nm:g} nm", family.description)
        Console().print(table)
        return
    spec = validated(PhantomSpec, {"name": name, "size": size, "seed": seed}, "phantom")
    check_target(out, overwrite)
    with say.status(f"making {name} at {size}^3"):
        volume = make_phantom(spec, phantom_rng(spec))
        write_volume(volume, out, {"phantom": spec.model_dump_json()}, overwrite)
    say.print(f"{out}: {', '.join(volume.elements)} on {size}^3 voxels of {volume.voxel_nm:.3g} nm")


def modality(name: str, ends: tuple[float, float], tilts: tuple, snr, dose: float | None) -> dict:
    """The settings of one modality from the command's options; angles as comma-separated text."""
    count, increment, angles = tilts
    if all(value is None for value in tilts):
        raise InputError(f"how many {name} tilts? give --{name}-tilts, --{name}-increment or --{name}-angles")
    listed = None if angles is None else [_number(f"--{name}-angles", text) for text in angles.split(",")]
    if listed and (twice := [angle for angle in listed if listed.count(angle) > 1]):
        raise InputError(f"--{name}-angles: {twice[0]:g} is given twice; give each angle once")
    scheme = {
        "min_deg": ends[0],
        "max_deg": ends[1],
        "count": count,
        "increment_deg": increment,
        "angles_deg": listed,
    }
    if snr is None and dose is None:
        snr = {"haadf": 2208.67, "chemical": 2.5}[name]  # near those of the paper's Fig. 4
    return {"tilts": scheme, "snr": snr, "dose_counts": dose}


def snr_of(text: str | None) -> float | dict[str, float] | None:
    """A number, or ``Co=1.9,Cu=2.9``."""
    if text is None or "=" not in text:
        return None if text is None else _number("--chemical-snr", text)
    pairs = (part.partition("=") for part in text.split(","))
    return {element.strip(): _number("--chemical-snr", value) for element, _, value in pairs}


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{option}: '{text}' is not a number; write for example {option} 2.5") from None


def simulate(say: Console, path: Path, settings: Mapping, out: Path, overwrite: bool) -> None:
    """Write a simulated data set with its truth inside."""
    acquisition = validated(Acquisition, dict(settings), "simulate")
    check_target(out, overwrite)
    volume = read_volume(path)
    for element in volume.elements:
        if (lowest := volume[element].min()) < 0:
            raise InputError(f"{path}: {element} has concentrations down to {lowest:g}; a specimen's are 0 or more")
    with say.status("projecting and drawing counts"):
        dataset = acquire(volume, acquisition)
        truth = volume.binned(2) if acquisition.grid == "fine" else volume
        write_dataset(dataset, out, truth, {"acquisition": acquisition.model_dump_json()}, overwrite)
    say.print(f"{out}: {describe(dataset)}")
    for series in (dataset.haadf, *dataset.chemical):
        snr = "no signal" if series.snr is None else f"SNR {series.snr:.4g} reached"
        say.print(f"  {series.name}: {snr}, background {series.background:.3g} counts per pixel")


def import_(say: Console, recipe: Path, data_dir: Path, out: Path, overwrite: bool) -> None:
    """Write a measured data set and say what was read."""
    check_target(out, overwrite)
    with say.status("reading and aligning"):
        dataset, notes = import_dataset(read_recipe(recipe), data_dir)
        write_dataset(dataset, out, None, {"recipe": recipe.name}, overwrite)
    for note in notes:
        say.print(f"  {note}", markup=False)
    say.print(f"{out}: {describe(dataset)}")


def describe(dataset: FusedDataset) -> str:
    """A data set in a line."""
    ny, nx = dataset.haadf.counts.shape[1:]
    return (
        f"{len(dataset.haadf.scheme)} HAADF and {len(dataset.chemical_scheme)} chemical tilts of "
        f"{', '.join(dataset.elements)}; {ny} x {nx} pixels of {dataset.pixel_nm:.3g} nm (y, x)"
    )


@dataclass(frozen=True)
class Start:
    """Where a reconstruction starts and runs, as the options say it."""

    mask: str = "none"
    initial: Path | None = None
    device: str = "cpu"
    half: bool = False


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


def reconstruct(
    say: Console,
    path: Path,
    method: str,
    weights: Mapping[str, float | None],
    atlas: Path | None,
    settings: Mapping,
    start: Start,
    out: Path,
    overwrite: bool,
    picture: bool,
    compare: bool,
    comm: Comm = SERIAL,
) -> None:
    """Write a reconstruction, its slices and its cost curves; of several ranks, each reads and keeps its columns."""
    with agreed(comm):
        if comm.rank == 0:
            check_target(out, overwrite)
        dataset, truth = read_dataset(path, comm.columns), read_truth(path, comm.columns)
        chosen = _weights(say, dataset, weights, atlas)
        named = {"mask": start.mask} if start.mask in ("none", "cylinder") else {}
        solver = validated(SolverSettings, {**settings, **named}, "reconstruct")
        more = {
            "mask": None if named else read_volume(Path(start.mask), comm.columns).data.any(axis=0),
            "initial": None if start.initial is None else _initial(start.initial, dataset, comm),
        }
    with agreed(comm):
        more["place"] = _placement(start, comm)
    if comm.size > 1:
        widths = comm.widths(dataset.haadf.counts.shape[-1])
        say.print(f"{comm.size} ranks with {', '.join(map(str, widths))} columns of x")
    result = _with_progress(say, dataset, method, chosen, solver, truth, **more)
    attributes = {
        "method": method,
        "weights": chosen.model_dump_json(),
        "settings": solver.model_dump_json(),
        "stopped": result.stopped,
        "data": path.name,
    }
    with agreed(comm):
        _check_finite(path, result)
    write_reconstruction(out, result.volume, result.history, attributes, overwrite, comm=comm)
    say.print(f"{out}: {method}, {result.iterations} iterations in {result.seconds:.1f} s, stopped by {result.stopped}")
    if truth is not None:
        _print_score(say, result.volume, truth, comm)
    if picture:
        others = {}
        if compare and method != "poisson":
            others["poisson"] = _with_progress(say, dataset, "poisson", chosen, solver, truth, **more)
        _pictures(say, out, truth, {**others, method: result}, comm)


def _check_finite(path: Path, result: Reconstruction) -> None:
    if result.stopped == "not finite":
        raise InputError(f"{path}: the cost became infinite after {result.iterations} iterations; lower the weights")


def _weights(say: Console, dataset: FusedDataset, given: Mapping[str, float | None], atlas: Path | None) -> Weights:
    """Weights from the atlas, where one is given, and from the options, which win."""
    content = {}
    if atlas is not None:
        from workflows.maps.atlas import WEIGHTS, read_atlas

        known = [series.snr for series in dataset.chemical if series.snr]
        snr = sum(known) / len(known) if known else None
        tilts = len(dataset.haadf.scheme), len(dataset.chemical_scheme)
        lookup = read_atlas(atlas).weights_for(*tilts, snr)
        content = {name: lookup.weights[name] for name in WEIGHTS}
        if lookup.warning:
            say.print(f"[yellow]warning:[/yellow] {lookup.warning}")
    content |= {name: value for name, value in given.items() if value is not None}
    weights = validated(Weights, content, "weights")
    shown = ", ".join(f"{name} {value:.3g}" for name, value in weights.model_dump().items())
    say.print(f"weights: {shown}{f' (from {atlas})' if atlas else ''}", markup=False)
    return weights


def _initial(path: Path, dataset: FusedDataset, comm: Comm) -> np.ndarray:
    volume = read_volume(path, comm.columns)
    if volume.elements != dataset.elements:
        raise InputError(
            f"{path}: holds {', '.join(volume.elements)} but the data set {', '.join(dataset.elements)}; "
            f"start from a volume of the same elements in the same order"
        )
    return volume.data


def _placement(start: Start, comm: Comm) -> Placement:
    if start.device not in ("cpu", "gpu"):
        raise InputError(f"there is no device '{start.device}'; {nearest(start.device, ['cpu', 'gpu'])}")
    return placed(start.device, comm, half=start.half)


def _with_progress(say: Console, dataset, method: str, weights, solver, truth, **more) -> Reconstruction:
    if method not in METHODS:  # before the bar appears
        return run_method(dataset, method, weights, solver)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=say, transient=True) as progress:
        task = progress.add_task(method, total=solver.max_iterations)

        def advance(iteration: int, _volume) -> dict:
            progress.update(task, completed=iteration)
            return {}

        return run_method(dataset, method, weights, solver, truth=truth, callback=advance, **more)


def _pictures(
    say: Console, out: Path, truth: ChemicalVolume | None, results: Mapping[str, Reconstruction], comm: Comm
) -> None:
    from workflows.figures.drawing import save_figure, to_figure
    from workflows.figures.slices import draw_history, draw_slices, history_info, slices_info

    names = {"poisson": "Poisson alone", "poisson-tv": "Poisson + TV", "fused": "Fused"}
    volumes = {} if truth is None else {"Truth": truth}
    volumes |= {names.get(method, method): result.volume for method, result in results.items()}
    slices, cost = out.with_suffix(".slices.png"), out.with_suffix(".cost.png")
    depth, width, nx_local = next(iter(volumes.values())).shape
    plane = "zy" if 2 * depth > width else "yx"  # across a slab there is little to see
    if truth is not None:
        info = slices_info(volumes, plane=plane, comm=comm)
    else:  # the middle, scaled by the last volume: truncated edges and noise would set both otherwise
        middle = (depth if plane == "yx" else sum(comm.widths(nx_local))) // 2
        info = slices_info(volumes, plane=plane, index=middle, scaled_by=list(volumes)[-1], brightest=0.995, comm=comm)
    if comm.rank > 0:
        return
    save_figure(to_figure(draw_slices, info), slices)
    history = {name: values for name, values in list(results.values())[-1].history.items() if max(values) > 0}
    save_figure(to_figure(draw_history, history_info(history)), cost)
    say.print(f"{slices}, {cost}")


def score(console: Console, reconstruction: Path, truth: Path) -> None:
    """Print the errors of a reconstruction."""
    _print_score(console, read_volume(reconstruction), _truth(truth))


def _truth(path: Path) -> ChemicalVolume:
    try:
        inside = read_truth(path)
    except InputError:
        return read_volume(path)  # it says what is wrong when the file is neither
    if inside is None:
        raise InputError(f"{path}: the data set holds no truth; give the phantom's volume file")
    return inside


def _print_score(console: Console, volume: ChemicalVolume, truth: ChemicalVolume, comm: Comm = SERIAL) -> None:
    errors = compare_volumes(volume, truth, comm=comm)
    table = Table("element", "NRMSE", "RMSE", box=None)
    for element, value in errors.nrmse_by_element.items():
        table.add_row(element, f"{value:.3f}", f"{errors.rmse_by_element[element]:.4f}")
    table.add_row("mean", f"{errors.nrmse:.3f}", "")
    console.print(table)
    console.print(f"stoichiometry error {errors.stoichiometry_error:.3f} (RMS of atomic fractions in the specimen)")


def check(console: Console, path: Path) -> None:
    """Validate a campaign and sum it up."""
    config = load_campaign(path)
    conditions = config.conditions()
    trials = sum(config.evaluations(condition) for condition in conditions)
    fused = sum(condition.method == "fused" for condition in conditions)
    console.print(
        f"{path}: valid. '{config.name}': {config.phantom.name} at {config.phantom.size}^3, {fused} cells "
        f"({len(config.grid.haadf_tilts)} x {len(config.grid.chemical_tilts)}) and {len(conditions) - fused} baseline "
        f"conditions, {trials} trials by {config.search.strategy} over {', '.join(config.search.space)}."
    )


def run(say: Console, path: Path, machine_name: str, wishes: Wishes, out: Path | None) -> None:
    """Start or resume a campaign."""
    from workflows.control.run import run_campaign

    config = load_campaign(path)
    machine = machine_here(machine_name, wishes)
    folder = out or Path("runs") / config.name
    if warning := warning_of(machine, folder):
        say.print(f"[yellow]warning:[/yellow] {warning}")
    report_path = run_campaign(config, machine, folder, say)
    if report_path is None:
        options = [] if machine_name == "laptop" else ["--machine", machine_name]
        command = shlex.join(["fusedtomo", "run", str(path), *options, *wishes.options(), "--out", str(folder)])
        say.print(f"stopped; nothing is lost. Resume with:\n  {command}", markup=False)
        return
    say.print(f"report: {report_path}", markup=False)


def report(say: Console, path: Path) -> None:
    """Write the products of a run again."""
    from workflows.control.provenance import provenance
    from workflows.report.products import write_products

    folder = RunFolder.read(path)
    with say.status("writing the report") as progress:
        written = write_products(folder, provenance(folder.config), progress.update)
    say.print(f"report: {written}", markup=False)


def check_target(out: Path, overwrite: bool) -> None:
    """Refuse a target that cannot be written before any work is done."""
    try:
        exists, is_folder = out.exists(), out.is_dir()
    except OSError as error:  # a name that is too long, a folder that may not be searched
        raise InputError(f"{out}: cannot be written ({error.strerror}); give another --out") from None
    if is_folder:
        raise InputError(f"{out}: is a folder; give the name of a file inside it")
    if exists and not overwrite:
        raise InputError(f"{out} exists; pass --overwrite, or another --out")
    if not out.parent.is_dir():
        raise InputError(f"{out}: there is no folder '{out.parent}'; make it, or give another --out")
