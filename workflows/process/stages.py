"""Which steps lead from a recipe to a report, and what does each of them write?"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from fusedtomo.alignment import align, aligned, quality_of
from fusedtomo.binning import binned
from fusedtomo.exporting import EXPORTS, export
from fusedtomo.exporting.write import files_of
from fusedtomo.files import replacing
from fusedtomo.held_out import tilts_predicted
from fusedtomo.importing import ImportRecipe, import_dataset
from fusedtomo.io import read_dataset, read_volume, write_dataset, write_reconstruction
from fusedtomo.memory import check_fits, solver_gb
from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import save_figure, to_figure
from fusedtomo.reconstruct import reconstruct, solve
from fusedtomo.resolution import resolution
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.slabs import cut, in_units_of, middle_columns
from fusedtomo.solvers.problem import TYPICAL_GAMMA
from fusedtomo.suspicions import haadf_model, suspicions
from fusedtomo.thinning import thinned
from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume
from fusedtomo.weighing import STEPS, read_weighed, weigh
from workflows.figures.alignment import AlignmentInfo, draw_alignment
from workflows.figures.resolution import ResolutionInfo, draw_resolution, table
from workflows.process.report import write_report
from workflows.process.steps import Steps, files_digest

_MOST_FOLDS = 3  # of tilts that are held out: each method is solved for each


@dataclass(eq=False)
class Process:
    """A recipe, its files, and the folder that it fills.

    Attributes:
        recipe: what `read_recipe` returned.
        source: the recipe's file.
        data_dir: folder of its files.
        steps: of the run folder.
        say: told of everything.
    """

    recipe: ImportRecipe
    source: Path
    data_dir: Path
    steps: Steps
    say: Console

    def path(self, name: str) -> Path:
        """A file of the run folder."""
        return self.steps.folder / name

    @property
    def settings(self) -> SolverSettings:
        """Of every reconstruction."""
        asked = self.recipe.process
        return SolverSettings(
            max_iterations=asked.iterations, tolerance=asked.tolerance, depth=asked.depth, gamma=asked.gamma
        )

    @property
    def methods(self) -> tuple[str, ...]:
        """What is reconstructed, the result first."""
        return self.recipe.process.methods

    def weights(self, method: str) -> Weights:
        """Those that were found for a method; the defaults of one without any."""
        return read_weighed(self.path(f"weights-{method}.json")).weights if _searched(method) else Weights()


def process(recipe: ImportRecipe, source: Path, data_dir: Path, out: Path, say: Console) -> Path:
    """Run all steps; the path of the report.

    Raises:
        InputError: a method, a format, a file or a value cannot be used, or the volume does not fit the memory.
    """
    for name in recipe.process.methods:
        _ = METHODS[name]
    for name in recipe.process.exports:
        EXPORTS[name].check_installed()
    run = Process(recipe, source, data_dir, Steps(out, say), say)
    data, last = _data(run)
    _check_memory(run, data)
    for method in run.methods:
        _reconstruct(run, method, data, last)
    solved = {method: run.steps.digest(method) for method in run.methods}
    _checks(run, data, solved)
    _held_out(run, data, solved)
    _resolution(run, data, solved)
    _export(run, solved)
    return _report(run, data, solved)


def _write(path: Path, content: Any) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def _searched(method: str) -> bool:
    return bool(set(STEPS) & set(METHODS[method].searched))


def _data(run: Process) -> tuple[FusedDataset, str]:
    """Import, and align where that is asked for: the data set, and the digest of the step that made it."""
    content = {"recipe": run.recipe.model_dump(mode="json", exclude={"process"}), "files": _files(run)}
    content["bin"] = run.recipe.process.bin

    def work() -> None:
        dataset, notes = import_dataset(run.recipe, run.data_dir)
        if (factor := run.recipe.process.bin) > 1:
            dataset = binned(dataset, factor)
            size = " x ".join(map(str, dataset.haadf.counts.shape[:0:-1]))
            notes.append(
                f"bin: {factor} x {factor} pixels put together, counts summed, HAADF averaged: {size} pixels of "
                f"{dataset.pixel_nm:.4g} nm; backgrounds times {factor**2}, gains times {factor**3}"
            )
        for note in notes:
            run.say.print(f"  {note}", markup=False)
        write_dataset(dataset, run.path("data.h5"), None, {"recipe": run.source.name}, overwrite=True)
        _write(run.path("import.json"), notes)

    run.steps.step("import", content, ["data.h5", "import.json"], work)
    if not run.recipe.process.align:
        return read_dataset(run.path("data.h5")), run.steps.digest("import")
    files = ["aligned.h5", "moves.json", "alignment.png"]
    run.steps.step("align", {"from": run.steps.digest("import")}, files, lambda: _align(run))
    return read_dataset(run.path("aligned.h5")), run.steps.digest("align")


def _files(run: Process) -> list[list[Any]]:
    recipe = run.recipe
    names = [recipe.file, recipe.haadf_file or "", recipe.shifts.file if recipe.shifts else ""]
    found = [path for name in names if name for path in run.data_dir.glob(name.replace("{angle}", "*"))]
    return files_digest(found)


def _align(run: Process) -> None:
    before = read_dataset(run.path("data.h5"))
    series = before.haadf
    found = align(series.counts, series.scheme.angles_deg, series.background, lambda t: run.say.print(f"  {t}"))
    after = aligned(before, found.moves)
    write_dataset(after, run.path("aligned.h5"), None, {"aligned_from": "data.h5"}, overwrite=True)
    measures = {name: vars(quality_of(one.haadf)) for name, one in (("before", before), ("after", after))}
    _write(run.path("moves.json"), found.moves.told() | measures)
    info = AlignmentInfo(before.haadf, after.haadf, found.moves)
    save_figure(to_figure(draw_alignment, info), run.path("alignment.png"))


def _check_memory(run: Process, dataset: FusedDataset) -> None:
    """Before anything is solved; what would fit is said."""
    width, length = dataset.haadf.counts.shape[1:]
    depth = run.settings.depth or width
    sizes = len(dataset.haadf.scheme), len(dataset.chemical_scheme)
    needed = solver_gb(len(dataset.elements), (depth, width, length), *sizes, weighted="fused-weighted" in run.methods)
    what = f"{run.source}: the reconstruction of {depth} x {width} x {length} voxels"
    check_fits(what, needed, "lower process.depth, or raise process.bin or crop_px")


def _reconstruct(run: Process, method: str, dataset: FusedDataset, last: str) -> None:
    """Weights of the method, then the method."""
    asked, settings = run.recipe.process, run.settings
    inputs: dict[str, Any] = {"from": last, "settings": settings.model_dump(mode="json"), "method": method}

    def find() -> None:
        search = {"folds": asked.folds, "seed": asked.seed, "solves": asked.solves}
        found = weigh(dataset, method, None, settings, **search, say=lambda t: run.say.print(f"  {t}", markup=False))
        with replacing(run.path(f"weights-{method}.json")) as temporary:
            temporary.write_text(found.model_dump_json(indent=1) + "\n")

    if _searched(method):
        search = asked.model_dump(mode="json", include={"folds", "seed", "solves"})
        run.steps.step(f"weights of {method}", {**inputs, **search}, [f"weights-{method}.json"], find)
    weights = run.weights(method)

    def work() -> None:
        result = reconstruct(dataset, method, weights, settings)
        told = {"method": method, "weights": weights.model_dump_json(), "stopped": result.stopped}
        told |= {"settings": settings.model_dump_json()}
        write_reconstruction(run.path(f"{method}.h5"), result.volume, result.history, told, overwrite=True)
        run.say.print(f"  {result.iterations} iterations, stopped by {result.stopped}", markup=False)

    run.steps.step(method, {**inputs, "weights": weights.model_dump()}, [f"{method}.h5"], work)


def _checks(run: Process, dataset: FusedDataset, solved: dict[str, str]) -> None:
    main = run.methods[0]

    def work() -> None:
        volume = read_volume(run.path(f"{main}.h5"))
        gamma = run.settings.gamma or TYPICAL_GAMMA
        model = haadf_model(volume, dataset.haadf.scheme.angles_deg, gamma) if METHODS[main].uses("haadf") else None
        found = suspicions(dataset, model)
        for one in found:
            run.say.print(f"  warning: {one.text}", markup=False)
        _write(run.path("checks.json"), [vars(one) for one in found])

    run.steps.step("checks", {"from": solved[main]}, ["checks.json"], work)


def _slab(run: Process, dataset: FusedDataset, method: str) -> tuple[FusedDataset, Weights, SolverSettings]:
    """The middle columns, and weights and settings that mean there what they mean in the whole."""
    slab = cut(dataset, slice(*middle_columns(dataset, run.settings)))
    return slab, *in_units_of(dataset, slab, run.weights(method), run.settings)


def _held_out(run: Process, dataset: FusedDataset, solved: dict[str, str]) -> None:
    chemical = [method for method in run.methods if METHODS[method].uses("chemical")]

    def work() -> None:
        found = {}
        for method in chemical:
            halves = tilts_predicted(*_arguments(method), min(_MOST_FOLDS, len(dataset.chemical_scheme)))
            found[method] = (2 * halves).tolist()
            run.say.print(f"  {method}: deviance {2 * halves.sum():.0f} of tilts that it did not see", markup=False)
        columns = middle_columns(dataset, run.settings)
        pixels = dataset.haadf.counts.shape[1] * (columns[1] - columns[0])
        _write(run.path("held-out.json"), {"columns": columns, "pixels": pixels, "deviances": found})

    def _arguments(method: str) -> tuple[FusedDataset, str, Weights, SolverSettings]:
        slab, weights, settings = _slab(run, dataset, method)
        return slab, method, weights, settings

    if chemical:
        run.steps.step("held-out tilts", solved, ["held-out.json"], work)


def _resolution(run: Process, dataset: FusedDataset, solved: dict[str, str]) -> None:
    main = run.methods[0]

    def work() -> None:
        slab, weights, settings = _slab(run, dataset, main)
        halves = thinned(slab, 2, np.random.default_rng(run.recipe.process.seed))
        volumes = [solve(half.fitted, main, weights, settings).volume for half in halves]
        names, angles = METHODS[main].channels(dataset.elements), dataset.chemical_scheme.angles_deg
        tilts = min(angles), max(angles)
        pairs = zip(names, *volumes, strict=True)
        info = ResolutionInfo({name: resolution(a, dataset.pixel_nm, b, tilts) for name, a, b in pairs})
        save_figure(to_figure(draw_resolution, info), run.path("resolution.png"))
        _write(run.path("resolution.json"), table(info))

    run.steps.step("resolution", {"from": solved[main]}, ["resolution.json", "resolution.png"], work)


def _export(run: Process, solved: dict[str, str]) -> None:
    main = run.methods[0]
    formats = run.recipe.process.exports

    def target(name: str) -> Path:
        return run.path(f"{main}-{name}{EXPORTS[name].suffix}")

    volume: ChemicalVolume = read_volume(run.path(f"{main}.h5"))
    files = [path.name for name in formats for path in files_of(volume, name, target(name))]

    def work() -> None:
        for name in formats:
            export(volume, name, target(name), overwrite=True)

    if formats:
        run.steps.step("export", {"from": solved[main], "formats": list(formats)}, files, work)


def _report(run: Process, dataset: FusedDataset, solved: dict[str, str]) -> Path:
    path = run.path("report.html")
    asked = {"recipe": run.source.read_text(encoding="utf-8"), "process": run.recipe.process.model_dump(mode="json")}

    def work() -> None:
        write_report(path, run.recipe, run.source, dataset, run.methods, run.steps.seconds())

    run.steps.step("report", {**solved, **asked, "checks": run.steps.digest("checks")}, [path.name], work)
    run.say.print(f"{path}", markup=False)
    return path
