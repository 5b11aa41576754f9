"""The whole way: does one command lead from files to a report, and is nothing done twice?"""

import json

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from fusedtomo import memory
from fusedtomo.errors import InputError
from fusedtomo.io import read_attributes, read_volume
from fusedtomo.settings import Acquisition, Weights
from fusedtomo.simulate import simulate
from fusedtomo.weighing import read_weighed
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng
from workflows.command.cli import app
from workflows.process import stages
from workflows.process.report import held_out_rows
from workflows.process.steps import Steps

RECIPE = """
file = "maps.h5"
haadf = "HAADF"
angles_deg = "angles"
chemical_angles_deg = "map_angles"
pixel_nm = 2.0
tilt_axis = "x"
haadf_background = {haadf}
chemical_background = {maps}
chemical_gain = 9.0
elements = {{ Co = "Co", Cu = "Cu" }}
process = {{ iterations = {iterations}, folds = 2, solves = 11{more} }}
"""
ORDER = [
    "import",
    "weights of fused",
    "fused",
    "poisson",
    "weights of poisson-tv",
    "poisson-tv",
    "checks",
    "held-out tilts",
    "resolution",
    "export",
    "report",
]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder with the file of a simulated series, and the numbers of its recipe."""
    folder = tmp_path_factory.mktemp("recorded")
    spec = PhantomSpec(name="cuo_coo_nanocubes", size=16, seed=1)
    acquisition = {"haadf": {"tilts": {"count": 7}, "snr": 500.0}, "chemical": {"tilts": {"count": 5}, "snr": 5.0}}
    data = simulate(make_phantom(spec, phantom_rng(spec)), Acquisition.model_validate(acquisition))
    with h5py.File(folder / "maps.h5", "w") as file:
        file["angles"], file["map_angles"] = data.haadf.scheme.angles_deg, data.chemical_scheme.angles_deg
        for series in (data.haadf, *data.chemical):
            file[series.name] = series.counts
    numbers = {"haadf": data.haadf.background, "maps": data.chemical[0].background}
    return folder, lambda **more: RECIPE.format(**{"iterations": 2, "more": ""} | numbers | more)


def _run(folder, recipe, out):
    (folder / "recipe.toml").write_text(recipe)
    return CliRunner().invoke(app, ["process", str(folder / "recipe.toml"), "--out", str(out)])


@pytest.fixture(scope="module")
def done(recorded, tmp_path_factory):
    """A run that went through, and what it said."""
    folder, recipe = recorded
    out = tmp_path_factory.mktemp("done") / "run"
    ended = _run(folder, recipe(), out)
    assert ended.exit_code == 0, (ended.output, ended.exception)
    return out, ended.output


def test_one_command_leads_from_files_to_a_report(done):
    out, said = done
    assert list(json.loads((out / "steps.json").read_text())) == ORDER
    page = (out / "report.html").read_text()
    for heading in ("What was assumed", "Checks", "Weights", "Result", "Tilts that were held out", "Resolution"):
        assert f"{heading}</h2>" in page
    assert page.count("<img ") == 4  # recorded, slices, resolution, cost
    assert "background" in page
    assert "from &#x27;angles&#x27;" in page  # the notes of the import
    assert said.count(" ...\n") == len(ORDER)
    for method in ("fused", "poisson", "poisson-tv"):
        assert read_volume(out / f"{method}.h5").elements == ("Co", "Cu")
    assert read_attributes(out / "poisson.h5")["weights"] == Weights().model_dump_json()
    found = read_weighed(out / "weights-fused.json")
    assert read_attributes(out / "fused.h5")["weights"] == found.weights.model_dump_json()
    assert (out / "fused-tomviz.emd").exists()


def test_what_is_done_is_not_done_again(recorded, done):
    folder, recipe = recorded
    out, _ = done
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir() if path.suffix in (".h5", ".json", ".emd")}
    again = _run(folder, recipe(), out)
    assert again.exit_code == 0, again.output
    assert again.output.count("as before") == len(ORDER)
    assert {name: (out / name).stat().st_mtime_ns for name in before} == before


@pytest.fixture
def no_page(monkeypatch):
    """Pages take as long as all the rest; one test looks at one."""
    monkeypatch.setattr(stages, "write_report", lambda path, *_: path.write_text("a page"))
    monkeypatch.setattr(stages, "save_figure", lambda _, path: path.write_bytes(b""))


def test_a_run_that_was_stopped_goes_on_with_the_step_that_was_not_whole(recorded, tmp_path, monkeypatch, no_page):
    folder, recipe = recorded
    solved, real = [], stages.reconstruct

    def stopping(dataset, method, *rest):
        solved.append(method)
        if solved == ["fused", "poisson"]:
            raise KeyboardInterrupt
        return real(dataset, method, *rest)

    monkeypatch.setattr(stages, "reconstruct", stopping)
    assert _run(folder, recipe(more=", exports = []"), tmp_path / "run").exit_code != 0
    went_on = _run(folder, recipe(more=", exports = []"), tmp_path / "run")
    assert went_on.exit_code == 0, went_on.output
    assert solved == ["fused", "poisson", "poisson", "poisson-tv"]
    assert went_on.output.count("as before") == 3  # import, weights of fused, fused
    assert (tmp_path / "run/report.html").exists()


def test_haadf_alone_and_other_input_do_what_depends_on_it_again(recorded, tmp_path, no_page):
    folder, recipe = recorded
    alone = ', methods = ["haadf-sirt"], exports = []'
    assert _run(folder, recipe(more=alone), tmp_path / "run").exit_code == 0
    told = _run(folder, recipe(more=alone, iterations=3), tmp_path / "run").output
    assert "import: as before" in told
    assert "haadf-sirt ...\n" in told
    assert read_volume(tmp_path / "run/haadf-sirt.h5").elements == ("HAADF",)
    assert not (tmp_path / "run/held-out.json").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (', methods = ["fusd"]', "there is no method 'fusd'; did you mean 'fused'?"),
        (', exports = ["tomvis"]', "there is no format to export to 'tomvis'; did you mean 'tomviz'?"),
        (", depht = 3", "depht"),
    ],
)
def test_a_recipe_that_asks_for_what_is_not_there_is_refused_before_any_work(recorded, tmp_path, more, message):
    folder, recipe = recorded
    ended = _run(folder, recipe(more=more), tmp_path / "run")
    assert isinstance(ended.exception, InputError)
    assert message in str(ended.exception)
    assert not (tmp_path / "run/data.h5").exists()


def test_a_volume_that_does_not_fit_is_refused_before_it_is_solved(recorded, tmp_path, monkeypatch):
    folder, recipe = recorded
    monkeypatch.setattr(memory, "available_gb", lambda: 1e-4)
    ended = _run(folder, recipe(), tmp_path / "run")
    assert isinstance(ended.exception, InputError)
    assert "16 x 16 x 16 voxels needs about" in str(ended.exception)
    assert "lower process.depth" in str(ended.exception)
    assert not (tmp_path / "run/weights-fused.json").exists()


def test_a_step_is_done_again_where_its_output_or_its_input_changed(tmp_path):
    from rich.console import Console

    calls = []

    def run(inputs):
        steps = Steps(tmp_path / "run", Console(quiet=True))
        steps.step("one", inputs, ["one.txt"], lambda: calls.append(steps.folder.joinpath("one.txt").write_text("1")))
        return steps.digest("one")

    first = run({"a": 1})
    assert (run({"a": 1}), len(calls)) == (first, 1)
    assert run({"a": 2}) != first
    assert len(calls) == 2
    (tmp_path / "run/one.txt").unlink()
    run({"a": 2})
    assert len(calls) == 3
    (tmp_path / "run/steps.json").write_text("[]")
    with pytest.raises(InputError, match=r"is not the steps.json of a run; move it away"):
        run({"a": 2})


def test_rows_say_by_how_much_a_method_predicts_worse_than_the_first():
    better, worse = np.full((2, 3), 50.0), 50.0 + np.arange(6.0).reshape(2, 3)
    first, second = held_out_rows({"fused": better, "poisson": worse}, pixels=100)
    assert first == ("fused", "300", 0.5, "+0", "0")
    assert second[:2] == ("Poisson", "315")
    assert second[3:] == ("+15", f"{np.sqrt(6) * np.arange(6).std(ddof=1):.0f}")
