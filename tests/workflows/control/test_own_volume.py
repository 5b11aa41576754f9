"""A campaign with the volume of a user's file as its truth: every command of a campaign, from first to last."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from fusedtomo.io import read_volume, write_volume
from fusedtomo.volume import ChemicalVolume
from tests.workflows.tiny import content, write_toml
from workflows.record.journal import replay

pytestmark = pytest.mark.slow
SMALL = {
    "phantom": {"volume": "mine.h5", "size": 16},
    "axes": {"chemical_tilts": [2, 3]},
    "acquisition__haadf": {"tilts": 4, "snr": 100.0},
    "methods": ["fused", "poisson"],
    "search": {**content()["search"], "evaluations": 2},
}


def fusedtomo(folder, *words):
    """The command in a folder; what it said, and its exit code."""
    command = [sys.executable, "-m", "workflows.command.cli", *map(str, words)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
    return " ".join((ended.stdout + ended.stderr).split()), ended.returncode


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A volume, a campaign of it, and its run, made from another folder."""
    made = tmp_path_factory.mktemp("own")
    (made / "elsewhere").mkdir()
    data = np.zeros((2, 32, 32, 32), np.float32)
    data[0, 8:24, 10:22, 8:24] = 1.0
    data[1, 12:20, 12:20, 12:20] = 0.5
    write_volume(ChemicalVolume(data, ("Fe", "Pt"), 0.5), made / "mine.h5")
    write_toml(made / "own.toml", **SMALL)
    said, code = fusedtomo(made / "elsewhere", "run", "../own.toml", "--workers", 1, "--out", "../run")
    assert code == 0, said
    return made


def test_check_and_plan_know_size_and_elements(folder):
    said, code = fusedtomo(folder / "elsewhere", "check", "../own.toml")
    assert (code, "'tiny': mine.h5 at 16³, 2 chemical tilts; fused, Poisson: 4 conditions" in said) == (0, True), said
    said, code = fusedtomo(folder / "elsewhere", "plan", "../own.toml", "--workers", 1)
    assert (code, "predicted time" in said) == (0, True), said


def test_trials_are_of_the_volume(folder):
    trials = replay(folder / "run" / "trials.jsonl")
    assert {trial.status for trial in trials} == {"ok"}
    assert {tuple(trial.nrmse_by_element) for trial in trials} == {("Fe", "Pt")}
    kept = [read_volume(path) for path in (folder / "run" / "volumes").glob("*.h5")]
    assert {(one.shape, one.voxel_nm, one.elements) for one in kept} == {((16, 16, 16), 1.0, ("Fe", "Pt"))}
    assert json.loads((folder / "run" / "campaign.json").read_text())["phantom"]["volume"] == str(folder / "mine.h5")


@pytest.mark.nightly
def test_status_report_and_merge_work_from_another_folder(folder):
    elsewhere = folder / "elsewhere"
    said, code = fusedtomo(elsewhere, "status", "../run")
    assert (code, "6/6" in said) == (0, True), said
    (folder / "run" / "report.html").unlink()
    said, code = fusedtomo(elsewhere, "report", "../run")
    assert (code, (folder / "run" / "report.html").exists()) == (0, True), said
    shutil.copytree(folder / "run", folder / "again")
    said, code = fusedtomo(elsewhere, "merge", "../run", "../again", "--out", "merged")
    assert (code, "6 trials of 2 runs" in said) == (0, True), said
    said, code = fusedtomo(elsewhere, "check", "merged/campaign.json")
    assert (code, "mine.h5 at 16³" in said) == (0, True), said


def test_a_run_does_not_go_on_with_another_volume(folder, tmp_path):
    changed = read_volume(folder / "mine.h5")
    changed.data[0, 16, 16, 16] = 0.25
    write_volume(changed, tmp_path / "mine.h5")
    write_toml(tmp_path / "own.toml", **SMALL)
    said, code = fusedtomo(tmp_path, "run", "own.toml", "--out", folder / "run")
    assert code == 2
    assert "holds another campaign; phantom.content was" in said
