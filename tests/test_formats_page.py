"""Does docs/formats.md name all that is in our files, and nothing else? Its tables are compared with real files."""

import csv
import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from fusedtomo.importing import ImportRecipe
from tests import pages
from tests.pages import matched
from tests.workflows.tiny import config
from workflows.campaign import CampaignConfig, Trial
from workflows.campaign.products import PRODUCTS
from workflows.command.cli import app
from workflows.control.provenance import provenance
from workflows.machines import load_machine
from workflows.maps.atlas import read_atlas
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder
from workflows.record.sessions import add_session
from workflows.record.state import Heartbeat
from workflows.report.products import volumes_to_make, write_products
from workflows.trial.evaluate import evaluate
from workflows.workers.blocks import Blocks

PAGE = pages.page("formats.md")
OF_SCALES = {"CLASS", "NAME", "DIMENSION_LIST", "DIMENSION_LABELS", "REFERENCE_LIST", "units", "long_name"}
IMAGES = np.random.default_rng(0).poisson(4, (3, 9, 9)).astype(float)
RECIPE = """
file = "maps.npz"
haadf = "haadf"
elements = { Fe = "fe" }
angles_deg = [-40, 0, 25]
pixel_nm = 2
tilt_axis = "y"
haadf_background = 0
chemical_background = 0
chemical_gain = 1
"""


def table(heading: str) -> dict[str, list[str]]:
    """A table of the page."""
    return pages.table(PAGE, heading)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """What the commands write, from a phantom to a reconstruction, and an import."""
    folder = tmp_path_factory.mktemp("files")
    np.savez(folder / "maps.npz", haadf=IMAGES, fe=IMAGES)
    (folder / "recipe.toml").write_text(RECIPE)

    def command(*arguments):
        ended = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        assert ended.exit_code == 0

    tilts = ("--haadf-tilts", 4, "--chemical-tilts", 3)
    command("phantom", "conio_nanotube", "--size", 16, "--out", folder / "phantom.h5")
    command("simulate", folder / "phantom.h5", *tilts, "--out", folder / "data.h5")
    command("reconstruct", folder / "data.h5", "--iterations", 2, "--out", folder / "fused.h5", "--no-picture")
    command("import", folder / "recipe.toml", "--out", folder / "imported.h5")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run folder with repeats and every searchable parameter, its trials evaluated here, without Parsl."""
    space = {name: {"low": 0.1, "high": 2.0} for name in ("haadf", "chemical", "tv", "eps")}
    space["gamma"] = {"low": 1.2, "high": 2.0, "scale": "linear"}
    also = {"also": [name for name, product in PRODUCTS.items() if not product.usual]}
    made = config(methods=["fused", "poisson"], repeats={"noise_seed": [1, 2]}, search__space=space, report=also)
    point = {"haadf": 0.2, "chemical": 1.0, "tv": 0.5, "eps": 0.4, "gamma": 1.7}
    with RunFolder(tmp_path_factory.mktemp("run"), made) as folder, Journal(folder.journal) as journal:
        for number, condition in enumerate(made.conditions()):
            searched = {name: point[name] + 0.01 * number for name in made.space(condition)}  # or no atlas is drawn
            journal.append(evaluate(Trial(made, condition, 0, searched)))
        machine = load_machine("laptop")
        add_session(folder.path, provenance(made, machine))
        with Heartbeat(folder.path, machine.name):
            assert all(evaluate(trial).ok for trial in volumes_to_make(folder))
        write_products(folder, provenance(made, machine))
        Blocks(folder.path).note("slurm", "17")
    return folder.path


def lines(path: Path) -> list[dict]:
    """The objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


# ------------------------------------------------------------------------------- HDF5 files of ours


def content(*paths: Path) -> dict[str, list[str] | None]:
    """Attributes and arrays of files, named as on the page; of an array its axes, type and unit."""
    found = {}
    for path in paths:
        with h5py.File(path) as file:
            found |= {f"/@{name}": None for name in file.attrs}
            names: list[str] = []
            file.visit(names.append)
            for name in names:
                found |= _of(f"/{name}", file[name])
    return found


def _of(name, item):
    attributes = {f"{name}@{one}": None for one in set(item.attrs) - OF_SCALES}
    if isinstance(item, h5py.Group):
        return attributes
    text = h5py.check_string_dtype(item.dtype) is not None
    axes = [name.rpartition("/")[2]] if item.is_scale else [dimension.label for dimension in item.dims]
    return {**attributes, name: [", ".join(axes), "text" if text else item.dtype.name, item.attrs.get("units", "")]}


FILES = {
    "volume file": ["phantom.h5"],
    "reconstruction file": ["fused.h5"],
    "data set file": ["data.h5", "imported.h5"],
}


@pytest.mark.parametrize("kind", FILES)
def test_the_page_has_all_of_a_file_and_no_more(files, run, kind):
    kept = [*(run / "volumes").iterdir()] if kind == "reconstruction file" else []
    found = content(*(files / name for name in FILES[kind]), *kept)
    named = {**table("root"), **table(kind)}
    if kind == "reconstruction file":
        named |= {name: row for name, row in table("volume file").items() if name != "/@phantom"}
    assert matched(set(found), set(named)) == (set(), set())


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in FILES.items() for name in names])
def test_axes_types_and_units_are_those_of_the_page(files, kind, name):
    for array, told in content(files / name).items():
        if told is not None and not array.startswith("/history"):
            where = "volume file" if array.startswith("/volume") else kind
            assert table(where)[array][:3] == told, array


def test_every_axis_has_its_scale(files):
    with h5py.File(files / "data.h5") as file:
        for array in ("haadf/counts", "chemical/counts", "chemical/gain", "truth/data"):
            data = file[array]
            assert [dimension[0].name for dimension in data.dims] == [
                f"{data.parent.name}/{dimension.label}" for dimension in data.dims
            ]
            assert [len(dimension[0]) for dimension in data.dims] == list(data.shape)


def test_the_histories_are_series_of_the_iterates(files):
    with h5py.File(files / "fused.h5") as file:
        assert {(one.dtype.name, one.shape) for one in file["history"].values()} == {("float64", (3,))}
        assert set(file["history"]) == {"haadf", "chemical", "tv", "total", "nrmse"}
        assert all(f'"{name}"' in table("reconstruction file")["/history/<term>"][3] for name in file["history"])


# ------------------------------------------------------------------------------- the run folder

NEEDS_WORKERS = {
    "again/<seed>/<file>",
    "logs/<host>-<pid>.log",
    "parsl/<number>/<file>",
    "parsl/monitoring.db",
    "job.sh",
}


def test_the_page_has_every_file_of_a_run(run):
    found = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert matched(found, set(table("file"))) == (set(), NEEDS_WORKERS)


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("field of a trial", "trials.jsonl"),
        ("field of a session", "sessions.jsonl"),
        ("field of a block", "blocks.jsonl"),
    ],
)
def test_the_page_has_every_field_of_a_line(run, heading, name):
    written = lines(run / name)
    assert written
    assert all(set(line) == set(table(heading)) for line in written)


def test_the_page_has_every_field_of_the_state(run):
    state = json.loads((run / "state.json").read_text())
    found = {*state, *(f"progress.{name}" for name in state["progress"])} - {"progress"}
    assert found == set(table("field of the state"))


def test_the_campaign_is_that_of_the_page(run):
    assert set(json.loads((run / "campaign.json").read_text())) == set(table("key of a campaign"))


def test_the_page_has_every_variable_of_the_atlas(run):
    named, atlas = table("atlas file"), read_atlas(run / "atlas.h5")
    axes = ("haadf_tilts", "chemical_tilts")
    assert set(map(str, atlas.variables)) == set(named) - {"<axis>"} | set(axes)
    for name, variable in atlas.variables.items():
        dims, kind, unit = named["<axis>" if name in axes else name][:3]
        told = dims.replace("`<axes>`", ", ".join(axes)).replace("`<axis>`", name)
        assert ", ".join(variable.dims) == told, name
        if name not in axes:
            assert ("text" if variable.dtype.kind in "OUT" else variable.dtype.name) == kind, name
            assert variable.attrs.get("units", "") == unit, name
        else:
            assert variable.attrs["units"] == "tilts"
    assert atlas.identical(xr.open_dataset(run / "atlas.h5", engine="h5netcdf").load())


def test_the_page_has_every_attribute_of_the_atlas(run):
    (told,) = re.findall(r"The attributes of the file are (.*?)\n\n", PAGE, re.DOTALL)
    named = set(re.findall(r"`(\w+)`", told)) - {"units", "long_name"}
    assert set(read_atlas(run / "atlas.h5").attrs) == named | set(table("field of a session"))


def test_the_page_has_the_columns_of_every_table(run):
    named = table("table")
    found = {path.name: next(csv.reader(path.read_text().splitlines())) for path in run.glob("*.csv")}
    assert matched(set(found), set(named)) == (set(), set())
    elements, searched = ("Co", "Ni", "O"), ["haadf", "chemical", "tv", "gamma", "eps"]
    parameters = [f"{name}{end}" for name in searched for end in ("", "_low", "_high")]
    measures, spread = ("nrmse", "rmse", "stoichiometry_error"), ("expected", "median", "mean", "deviation")
    of_no_cell = ("method_name", "element", "modality", "<axis>")
    variables = [name for name, row in table("atlas file").items() if name not in of_no_cell and row[0] != "trial"]
    with_deviations = set(variables) - {*parameters, "repeats", "nrmse_by_element", "rmse_by_element", "snr"}
    expected = {
        "sampling_map": {"method", "haadf_tilts", "chemical_tilts", *with_deviations},
        "atlas": {"method", "haadf_tilts", "chemical_tilts", *parameters},
        "landscape": {"trial", *searched, *measures, "fidelity", "status"},
        "slices": {"method", "condition", *measures}
        | {f"{kind}_{element}" for kind in ("nrmse", "rmse") for element in elements},
        "stoichiometry": {"method", "element", "voxels", "in_vacuum", *spread}
        | {f"fraction_{name}" for name in spread},
        "cost": {"iteration", "haadf", "chemical", "tv", "total"},
        "pareto": {"trial", *searched, "haadf_term", "chemical_term", "tv_term", "nrmse", "on_front", "inflection"},
        "views": {"row", "element", "level", "overlap"},
        "bodies": {
            *("method", "element", "bodies", "specks", "thickness_nm", "edge_nm"),
            *("mean_diameter_nm", "diameter_deviation_nm"),
        },
        "concentrations": {
            *("method", "haadf_tilts", "chemical_tilts", "element", "voxels", "in_vacuum"),
            *spread,
            *(f"fraction_{name}" for name in spread),
        },
        "resolution": {
            *("method", "element", "wedge_loss", "noise_floor_measured_nm"),
            *(f"half_pitch_{axis}_nm" for axis in "xyz"),
            *(f"edges_{axis}" for axis in "xyz"),
            *(f"{kind}_{region}_nm" for kind in ("half_bit", "fsc_0143") for region in ("measured", "missing")),
        },
        "resolutions": {"method", "haadf_tilts", "chemical_tilts", "resolution_nm"},
    }
    assert {name.partition("-")[0].removesuffix(".csv"): set(columns) for name, columns in found.items()} == expected


# ------------------------------------------------------------------------------- what a user writes


@pytest.mark.parametrize(
    ("heading", "model"), [("key of a campaign", CampaignConfig), ("key of a recipe", ImportRecipe)]
)
def test_the_page_has_every_key(heading, model):
    assert list(table(heading)) == list(model.model_fields)


def test_earlier_names_of_keys_are_told():
    assert "`grid`" in table("key of a campaign")["axes"][0]
    assert "`baselines`" in table("key of a campaign")["methods"][0]


def test_every_file_and_model_that_the_page_names_is_there():
    assert [name for name in pages.files_named(PAGE) if not (pages.ROOT / name).exists()] == []
