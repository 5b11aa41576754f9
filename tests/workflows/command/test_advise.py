"""`fusedtomo advise`: its table, sentences, JSON and figure, and what it warns of and refuses."""

import json

import pytest
from typer.testing import CliRunner

from fusedtomo.errors import InputError
from tests.workflows.values import over, trial
from workflows.command.cli import app
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder

ERRORS = {3: 0.5, 9: 0.4}


def make(path, seeds, missing=()):
    """A run of two cells; doses are 39980 of HAADF and 4.5 or 13.5 of maps."""
    repeats = {"repeats": {"noise_seed": seeds}} if seeds else {}
    config = over({"chemical_tilts": list(ERRORS)}, methods=["fused", "poisson"], **repeats)
    with RunFolder(path, config) as folder, Journal(folder.journal) as journal:
        for condition in config.conditions():
            n = dict(condition.at)["chemical_tilts"]
            offset = 0.01 * dict(condition.at).get("noise_seed", 0) + (1 if condition.method == "poisson" else 0)
            for number in range(config.evaluations(condition)):
                if condition.key not in missing:
                    journal.append(trial(condition.key, number, ERRORS[n] + offset, haadf=0.1, tv=1.0))
    return path


@pytest.fixture
def run(tmp_path):
    return make(tmp_path / "run", [1, 2])


def call(*words):
    done = CliRunner().invoke(app, ["advise", *map(str, words)], catch_exceptions=False, env={"COLUMNS": "200"})
    assert done.exit_code == 0
    return done.output


def test_front_split_noise_and_conventional_are_told(run):
    said = " ".join(call(run, "--dose-budget", 5e4).split())
    assert "fused, 3 chemical tilts 3.998e+04 over 20 tilts 4.5 over 3 tilts 3.998e+04 0.515 ± 0.007" in said
    assert "* fused, 9 chemical tilts" in said
    assert (
        "best within the budget: fused, 9 chemical tilts: HAADF 3.998e+04 over 20 tilts, chemical 13.5 over 9" in said
    )
    assert "NRMSE 0.415 ± 0.007: mean and standard deviation of 2 seeds" in said
    assert "Poisson: NRMSE 1.415 ± 0.007 for 13.5, its dearest cells cost no more; no cell is as good" in said
    assert "warning: the budget of 5e+04 lies above the dearest cell" in said


def test_one_seed_knows_no_noise(tmp_path):
    assert "NRMSE 0.400: one seed, its noise is not known" in call(make(tmp_path / "one", []), "-D", 4e4)


def test_prices_change_what_fits(run):
    said = call(run, "-D", 1000, "--haadf-count", 0.01, "--chemical-count", 100)
    assert "best within the budget: fused, 3 chemical tilts: HAADF 399.8 over 20 tilts, chemical 450" in said
    assert "unit of the budget" in said


def test_json_holds_everything_and_nothing_else_is_printed(run):
    done = CliRunner().invoke(app, ["advise", str(run), "-D", "39990", "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert found["best"]["cell"] == "fused-c3"
    assert found["best"]["split"]["chemical"] == {"tilts": 3, "counts": 4.5, "dose": 4.5}
    assert found["best"]["deviation"] == pytest.approx(0.00707, abs=1e-5)
    assert [cell["cell"] for cell in found["front"]] == ["fused-c3", "fused-c9"]
    assert found["others"][0]["at_dose"]["cell"] == "poisson-c9"
    assert found["others"][0]["as_good"] is None
    assert any("edge of the map" in said for said in found["warnings"])


def test_a_budget_below_the_map_gets_no_cell(run):
    said = " ".join(call(run, "-D", 10).split())
    assert "best within" not in said
    assert (
        "warning: the budget of 10 lies below the cheapest cell of the map, 3.998e+04: nothing is known there" in said
    )


def test_a_run_that_is_not_finished_is_named(tmp_path):
    assert "trials are missing; cells may still" in call(make(tmp_path / "part", [], missing={"fused-c9"}), "-D", 4e4)


def test_several_runs_are_one_map_and_the_figure_is_written(run, tmp_path):
    other = make(tmp_path / "other", [3, 4])
    said = call(run, other, "-D", 4e4, "--figure", tmp_path / "front.png")
    assert (tmp_path / "front.svg").exists()
    assert (tmp_path / "front.png").stat().st_size > 10_000
    assert "NRMSE 0.415" in said  # the lower of both
    with pytest.raises(InputError, match="is not AXIS=VALUE; the axes of these runs are chemical_tilts"):
        call(run, "-D", 4e4, "--at", "size=3")
