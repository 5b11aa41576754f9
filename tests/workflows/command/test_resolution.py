"""`fusedtomo resolution`: its table, its figure, and what it refuses."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from fusedtomo.errors import InputError
from fusedtomo.io import write_volume
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng
from workflows.command.cli import app


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resolution")
    for name, size, seed in (("a", 24, 0), ("b", 24, 1), ("larger", 32, 0)):
        spec = PhantomSpec(name="conio_nanotube", size=size, seed=seed)
        write_volume(make_phantom(spec, phantom_rng(spec)), folder / f"{name}.h5")
    return folder


def call(*words):
    return CliRunner().invoke(app, ["resolution", *map(str, words)], catch_exceptions=False)


def test_a_row_for_every_element_and_direction_and_a_figure(files, tmp_path):
    against = ("--against", files / "a.h5", "--min-deg", -70, "--max-deg", 70)
    done = call(files / "a.h5", *against, "--out", tmp_path / "r.png")
    assert done.exit_code == 0
    table = pd.read_csv(tmp_path / "r.csv")
    assert list(table.element.unique()) == ["Co", "Ni", "O"]
    assert list(table.region.unique()) == ["all", "measured", "missing", "x", "y", "z"]
    assert table.half_bit_nm.isna().all()  # a volume agrees with itself to the last frequency
    assert table.half_pitch_nm.notna().any()
    assert (tmp_path / "r.png").stat().st_size > 10_000
    assert "Co measured" in " ".join(done.output.split())


def test_another_specimen_does_not_agree_and_a_whole_range_has_no_wedge(files, tmp_path):
    assert call(files / "a.h5", "--against", files / "b.h5", "--out", tmp_path / "r.png").exit_code == 0
    table = pd.read_csv(tmp_path / "r.csv")
    assert "missing" not in set(table.region)
    assert table[table.region == "all"].half_bit_nm.notna().all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--against", "larger.h5"], r"larger.h5: holds Co, Ni, O at \(32, 32, 32\)"),
        (["--min-deg", "70", "--max-deg", "-70"], "tilts from 70 to -70 degrees"),
        (["--out", "a.h5"], "a.h5 exists"),
    ],
)
def test_what_cannot_be_measured_is_refused(files, monkeypatch, words, said):
    monkeypatch.chdir(files)
    with pytest.raises(InputError, match=said):
        call("a.h5", *words)
