"""`fusedtomo atlas`: its two tables, and what it refuses."""

import pytest
from typer.testing import CliRunner

from fusedtomo.errors import InputError
from tests.workflows.values import PROVENANCE, campaign, filled
from workflows.command.cli import app
from workflows.maps.atlas import build_atlas, write_atlas
from workflows.maps.sampling_map import sampling_map


@pytest.fixture
def path(tmp_path):
    write_atlas(build_atlas(sampling_map(campaign(), list(filled())), PROVENANCE), tmp_path / "atlas.h5")
    return tmp_path / "atlas.h5"


def call(*words):
    done = CliRunner().invoke(app, ["atlas", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0
    return " ".join(done.output.split())


def test_every_cell_is_shown_with_weights_ranges_and_nrmse(path):
    said = call("show", path)
    assert "HAADF tilts chemical tilts haadf chemical tv NRMSE" in said
    assert "5 3 0.05 (0.05–0.05) 1 10 (10–10) 0.125" in said
    assert "20 27 0.2 (0.2–0.2) 1 1.11 (1.1–1.1) 0.021" in said


def test_an_axis_is_named_by_the_beginning_of_its_name(path):
    assert "20 9 0.2 (0.2–0.2) 1 3.33 (3.3–3.3) 0.034" in call("lookup", path, "haadf=20", "chemical_tilts=9")


def test_it_does_not_extrapolate_in_silence(path):
    assert "warning" not in call("lookup", path, "haadf=20", "chemical=9", "--snr", 3)
    said = call("lookup", path, "haadf=500", "chemical=9", "--snr", 90)
    assert "warning: outside the atlas: 500 HAADF tilts (it has 5 to 20); its edge is used" in said
    assert "the data's chemical SNR 90 differs" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lookup", "haadf=20"], "has the axis 'chemical_tilts'; give a value"),
        (["lookup", "haadf=20", "chemical=x"], "chemical_tilts = 'x'"),
        (
            ["lookup", "tilts=20"],
            "'tilts=20' is not AXIS=VALUE; the axes of this atlas are haadf_tilts, chemical_tilts",
        ),
        (["lookup", "=20"], "'=20' is not AXIS=VALUE"),
        (["lookup", "haadf"], "'haadf' is not AXIS=VALUE"),
        (["show", "--method", "sirt"], "has no 'sirt'"),
    ],
)
def test_bad_words_are_named(path, words, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        call(words[0], path, *words[1:])
