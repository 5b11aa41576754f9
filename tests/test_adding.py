"""Does docs/adding.md tell the truth? Its examples are written into a folder and run, as plug-ins of a user."""

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.io import savemat

from fusedtomo.errors import InputError
from fusedtomo.exporting import EXPORTS, export
from fusedtomo.importing import import_dataset, read_recipe
from fusedtomo.importing.formats import FORMATS
from fusedtomo.io import read_dataset
from fusedtomo.methods import METHODS
from fusedtomo.reconstruct import reconstruct
from fusedtomo.registry import VARIABLE, load_plugins
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers.problem import Problem
from fusedtomo.volume import ChemicalVolume
from tests import pages
from tests.fusedtomo.reference import dense, finite_differences, project
from tests.pages import matched
from workflows.campaign import seed_of
from workflows.machines import load_machine
from workflows.machines.config import block_script

PAGE = pages.page("adding.md")
EXAMPLES = pages.examples(PAGE)
OF_THE_CAMPAIGN = ("gold_rods", "vacuum_level", "mlem", "random_search")
OF_A_PACKAGE = "search_progress"  # comes as an entry point of an installed package


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The examples as files, and one of them as an installed package."""
    made = tmp_path_factory.mktemp("adding")
    for name, content in EXAMPLES.items():
        (made / name).write_text(content, encoding="utf-8")
    installed = made / f"{OF_A_PACKAGE}-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {OF_A_PACKAGE}\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[fusedtomo.plugins]\n{OF_A_PACKAGE} = {OF_A_PACKAGE}\n")
    return made


def fusedtomo(folder, *arguments, plugins=OF_THE_CAMPAIGN):
    """The command as a user gives it, in the folder of the examples; what it printed, and its exit code."""
    command = [sys.executable, "-m", "workflows.command.cli", *arguments]
    paths = os.pathsep.join(map(str, (folder, pages.ROOT, os.environ["PYTHONPATH"])))
    found = {VARIABLE: ",".join(plugins), "PYTHONPATH": paths}
    environment = {**os.environ, **found, "COLUMNS": "160"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    return ended.stdout + ended.stderr, ended.returncode


@pytest.fixture
def plugged(folder, monkeypatch):
    """Imports an example here; at the end no registry knows it any more."""
    load_plugins()  # before the folder is known here: its package would stay registered
    monkeypatch.syspath_prepend(str(folder))
    for registry in (METHODS, FORMATS, EXPORTS):
        monkeypatch.setattr(registry, "_values", dict(registry._values))

    def plug(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return import_module(name)

    yield plug
    for name in EXAMPLES:
        sys.modules.pop(name.partition(".")[0], None)


def test_the_page_has_an_example_of_everything_that_can_be_added():
    assert set(EXAMPLES) == {
        *(f"{name}.py" for name in (*OF_THE_CAMPAIGN, OF_A_PACKAGE, "anscombe", "matlab", "numpy_export")),
        *("gold.toml", "lab_box.toml", "lab_cluster.toml", "particle.toml"),
    }
    fences = PAGE.count("\n```") // 2
    assert fences == len(EXAMPLES), "an example does not begin with a comment that names its file"


def test_every_file_that_the_page_names_is_there():
    named = {name for name in pages.files_named(PAGE) if "NAME" not in name}
    told_to_make = {"phantoms/gold_rods.py", "fusedtomo/solvers/mlem.py", "fusedtomo/importing/formats/matlab.py"}
    told_to_make |= {"workflows/search/random_search.py", "workflows/report/search_progress.py"}
    assert sorted(name for name in named - told_to_make if not (pages.ROOT / name).exists()) == []
    assert told_to_make <= named


# ------------------------------------------------------------------------------- five plug-ins in a campaign


@pytest.fixture(scope="module")
def run(folder) -> Path:
    """The run folder of the page's campaign, on the page's machine."""
    said, code = fusedtomo(folder, "run", "gold.toml", "--machine", "lab_box.toml", "--out", "run")
    assert code == 0, said
    return folder / "run"


@pytest.fixture(scope="module")
def trials(run) -> list[dict]:
    """The lines of its journal."""
    return [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_the_journal_has_specimen_axis_method_and_strategy(run, trials):
    assert {trial["status"] for trial in trials} == {"ok"}
    assert {tuple(trial["nrmse_by_element"]) for trial in trials} == {("Au", "Ni", "O")}  # the specimen
    cells = {f"v{vacuum}-c{tilts}" for vacuum in ("0.05", "0.3") for tilts in (3, 5)}  # the axis
    assert {trial["condition"] for trial in trials} == {f"{m}-{cell}" for m in ("mlem", "poisson-tv") for cell in cells}
    assert {trial["worker"] for trial in trials} != {f"{os.uname().nodename}:{os.getpid()}"}
    searched = [trial for trial in trials if trial["condition"].startswith("poisson-tv")]
    assert sorted(trial["trial"] for trial in searched) == sorted(3 * [0, 1, 2] + [0, 1, 2])
    for trial in searched:  # the strategy: what a condition's seed and the number of the trial give
        rng = np.random.default_rng([seed_of(0, trial["condition"]), trial["trial"]])
        assert trial["point"]["tv"] == pytest.approx(0.1 * 40 ** rng.random())
    assert not any(trial["search"] for trial in trials)  # and it keeps no state
    assert json.loads((run / "campaign.json").read_text())["search"]["strategy"] == "random"


@pytest.mark.slow
def test_the_status_has_axis_and_method(folder, run):
    said, code = fusedtomo(folder, "status", "run")
    assert code == 0, said
    assert "gold" in said
    assert "vacuum level" in said
    assert "MLEM" in said
    assert "16/16" in said
    assert all(f"{value:g}" in said for value in (0.05, 0.3))


@pytest.mark.slow
def test_the_map_has_specimen_axis_method_and_what_the_strategy_found(run, trials):
    with xr.open_dataset(run / "atlas.h5", engine="h5netcdf") as atlas:
        assert atlas.method_name.values.tolist() == ["poisson-tv", "mlem"]
        assert atlas.vacuum.values.tolist() == [0.05, 0.3]
        assert (atlas.vacuum.long_name, atlas.vacuum.units) == ("vacuum level", "1")
        assert atlas.element.values.tolist() == ["Au", "Ni", "O"]
        assert atlas.error.dims == ("method_name", "vacuum", "chemical_tilts")
        assert np.isfinite(atlas.error).all()
        cell = atlas.sel(method_name="poisson-tv", vacuum=0.3, chemical_tilts=5)
        own = [trial for trial in trials if trial["condition"] == "poisson-tv-v0.3-c5"]
        best = min(own, key=lambda trial: trial["nrmse"])
        assert cell.error == best["nrmse"]
        assert cell.tv == best["point"]["tv"]
        assert '"au_nio_rods"' in atlas.attrs["configuration"]
        assert atlas.attrs["plug-ins"].startswith(", ".join(OF_THE_CAMPAIGN))


@pytest.mark.slow
def test_the_report_has_all_five(run):
    page = (run / "report.html").read_text(encoding="utf-8")
    for told in ("au_nio_rods", "vacuum level", "MLEM", "&quot;random&quot;", "<h2>Search progress</h2>"):
        assert told in page
    for suffix in ("png", "svg", "csv"):
        assert f'href="search_progress.{suffix}"' in page
    (told,) = re.findall(r'alt="The lowest error: ([^"]*)"', page)
    number = r"0\.\d+"
    assert re.fullmatch(
        rf"Poisson \+ TV from {number} to {number} in 3 trials; MLEM from {number} to {number} in 1 trials\.", told
    )


@pytest.mark.slow
def test_the_product_is_drawn_from_the_trials(run, trials):
    table = pd.read_csv(run / "search_progress.csv")
    assert table.groupby("method").trial.apply(list).to_dict() == {"poisson-tv": [0, 1, 2], "mlem": [0]}
    first = np.mean([t["nrmse"] for t in trials if t["condition"].startswith("poisson-tv") and t["trial"] == 0])
    assert table.error[0] == pytest.approx(first)
    assert table.error[:3].is_monotonic_decreasing
    svg = (run / "search_progress.svg").read_text()
    assert all(text in svg for text in ("lowest error so far", "Poisson + TV", "MLEM"))


@pytest.mark.slow
@pytest.mark.nightly  # the run wrote one already
def test_the_report_can_be_written_again(folder, run):
    before = (run / "search_progress.csv").read_bytes()
    (run / "search_progress.csv").unlink()
    said, code = fusedtomo(folder, "report", "run")
    assert code == 0, said
    assert (run / "search_progress.csv").read_bytes() == before


@pytest.mark.slow
def test_every_file_of_the_run_is_on_the_page_of_formats(run):
    found = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    found = {re.sub(r"^parsl/(\d+)/.*", r"parsl/\1/file", name) for name in found}
    assert matched(found, set(pages.table(pages.page("formats.md"), "file")))[0] == set()


def test_without_their_lines_nothing_of_it_is_known(folder):
    said, code = fusedtomo(folder, "check", "gold.toml", plugins=())
    assert code == 2
    for told in ("no axis 'vacuum'", "no method 'mlem'", "no strategy 'random'"):
        assert told in said


# ------------------------------------------------------------------------------- a data term


def test_the_data_term_has_the_gradient_of_its_equation(plugged, tiny_dataset, rng):
    problem = Problem(tiny_dataset, Weights(), SolverSettings())
    loss = plugged("anscombe").Anscombe(problem)
    volume = rng.uniform(0.2, 1.2, problem.shape).astype(np.float32)
    matrix, counts = dense(problem.chemical_projector), tiny_dataset.chemical_counts.astype(np.float64)
    root = np.sqrt(counts.reshape(len(counts), -1, counts.shape[-1]) + 0.375)
    gain, background = (values[:, None, None] for values in (problem.gain, problem.background))

    def equation(x):
        return 2 * float(((root - np.sqrt(gain * project(matrix, x) + background + 0.375)) ** 2).sum())

    assert loss.value(loss.project(volume)) == pytest.approx(equation(volume.astype(np.float64)), rel=2e-5)
    found, expected = np.zeros_like(volume), finite_differences(equation, volume)
    loss.gradient(loss.project(volume), volume, 1.0, found)
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())
    loss.gradient(loss.project(volume), volume, 0.5, found, add=True)
    np.testing.assert_allclose(found, 1.5 * expected, atol=4e-4 * np.abs(expected).max())


def test_the_data_term_bounds_its_curvature(plugged, tiny_dataset, rng):
    problem = Problem(tiny_dataset, Weights(), SolverSettings())
    loss = plugged("anscombe").Anscombe(problem)
    volume, step = rng.uniform(0.5, 1.2, problem.shape).astype(np.float32), 0.05
    bound, below, above = (np.zeros_like(volume) for _ in range(3))
    loss.add_curvature(loss.project(volume), volume, 1.0, bound)
    for _ in range(5):
        way = rng.standard_normal(problem.shape).astype(np.float32)
        for sign, out in ((-1, below), (1, above)):
            moved = volume + np.float32(sign * step) * way
            loss.gradient(loss.project(moved), moved, 1.0, out)
        curvature = float((way * (above - below)).sum(dtype=np.float64)) / (2 * step)
        assert 0 < curvature < 1.05 * float((bound * way**2).sum(dtype=np.float64))


def test_the_data_term_is_minimised_with_its_method(plugged, tiny_dataset, tiny_phantom):
    plugged("anscombe")
    settings = SolverSettings(max_iterations=60)
    found = reconstruct(tiny_dataset, "anscombe-tv", Weights(tv=0.5), settings, truth=tiny_phantom)
    beside = reconstruct(tiny_dataset, "poisson-tv", Weights(tv=0.5), settings, truth=tiny_phantom)
    total = found.history["total"]
    assert total[-1] < 0.9 * total[0]
    assert all(after <= before * (1 + 1e-5) for before, after in zip(total[-10:], total[-9:], strict=False))
    assert (found.volume.data >= 0).all()
    assert found.history["nrmse"][-1] == pytest.approx(beside.history["nrmse"][-1], rel=0.1)


# ------------------------------------------------------------------------------- a machine


def test_the_machines_load_by_their_path(folder):
    box, cluster = (load_machine(str(folder / f"{name}.toml")) for name in ("lab_box", "lab_cluster"))
    assert (box.n_workers, cluster.n_workers) == (2, 32)
    with pytest.raises(InputError, match="machine 'lab_cluster' needs your account: give --account"):
        cluster.complete()


def test_the_cluster_is_asked_for_what_its_profile_says(folder, tmp_path):
    cluster = load_machine(str(folder / "lab_cluster.toml")).changed("here", account="em")
    lines = block_script(cluster.complete(), tmp_path / "parsl").splitlines()
    for line in ("#SBATCH --partition=tomography", "#SBATCH --account=em", "#SBATCH --time=120"):
        assert line in lines
    assert "module load python" in lines


# ------------------------------------------------------------------------------- a file format

ANGLES = (-40.0, 0.0, 25.0)


@pytest.fixture
def particle(folder):
    """The file that the page's recipe names."""
    images = np.random.default_rng(0).poisson(4, (len(ANGLES), 7, 9)).astype(float)
    savemat(folder / "particle.mat", {"haadf": 100 * images, "fe_counts": images, "angles": np.array([ANGLES])})
    return images


def test_the_format_is_imported_through_a_recipe(plugged, folder, particle):
    plugged("matlab")
    dataset, notes = import_dataset(read_recipe(folder / "particle.toml"), folder)
    np.testing.assert_array_equal(dataset.chemical[0].counts, particle)
    assert dataset.haadf.scheme.angles_deg == ANGLES
    assert any("from 'fe_counts'" in note for note in notes)


def test_the_format_names_what_it_cannot_read(plugged, folder, particle):
    plugged("matlab")
    recipe, path = read_recipe(folder / "particle.toml"), folder / "particle.mat"
    with pytest.raises(InputError, match=r"particle\.mat: array 'HADF' is missing; the file holds haadf, fe_counts"):
        import_dataset(recipe.model_copy(update={"haadf": "HADF"}), folder)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=r"particle\.mat: cannot be read as \.mat"):
        import_dataset(recipe, folder)


def test_the_export_writes_what_it_was_given(plugged, tmp_path):
    plugged("numpy_export")
    volume = ChemicalVolume(np.random.default_rng(1).random((2, 3, 4, 5), dtype=np.float32), ("Fe", "O"), 2.0)
    (path,) = export(volume, "npz", tmp_path / "out.npz")
    with np.load(path) as found:
        np.testing.assert_array_equal(found["O"], volume["O"].transpose())
        assert found["edge_nm"] == 2.0


def test_the_format_is_imported_by_the_command(folder, particle):
    said, code = fusedtomo(
        folder, "import", "particle.toml", "--out", "particle.h5", "--overwrite", plugins=("matlab",)
    )
    assert code == 0, said
    np.testing.assert_array_equal(read_dataset(folder / "particle.h5").chemical_counts[0], particle)
