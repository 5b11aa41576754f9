"""An audit searches cells densely, goes on where it was stopped, and says whether what was stated holds."""

import math
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from fusedtomo.errors import InputError
from tests.workflows.stubs import Inline
from tests.workflows.tiny import config, fused, write_toml
from workflows.command.cli import main
from workflows.control import audit as module
from workflows.control import steer
from workflows.control.audit import Audited, audit, chosen_cells, dense_search, share_held, table
from workflows.machines import Machine
from workflows.record.journal import Journal, TrialResult, replay
from workflows.record.runfolder import RunFolder

CELLS = [fused(2, 2), fused(4, 3)]


def valley(trial):
    """An error of 0.3 at haadf 0.1 and tv 1, higher elsewhere."""
    away = math.log(trial.point["haadf"] / 0.1) ** 2 + math.log(trial.point["tv"]) ** 2
    error = 0.3 * math.exp(0.05 * away)
    return TrialResult(trial.condition.key, trial.number, "ok", trial.point, nrmse=error, seconds=0.001)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder with a trial in each of two cells, 8 % and 0.1 % above the least; workers take no time."""
    monkeypatch.setattr(steer, "run_trial", valley)
    monkeypatch.setattr(module, "run_trial", valley, raising=False)
    monkeypatch.setattr(module, "warm_up", lambda: 0.0)
    monkeypatch.setattr(module, "workers", lambda *_: nullcontext(module_worker(monkeypatch)))
    campaign = config(search__strategy="map", methods=["fused"])
    with RunFolder(tmp_path / "run", campaign) as folder, Journal(folder.journal) as journal:
        for order, (cell, error) in enumerate(zip(CELLS, (0.326, 0.3003), strict=True)):
            point = {"haadf": 0.3, "tv": 1.0}
            journal.append(TrialResult(cell.key, 0, "ok", point, order=order, nrmse=error, search={}))
    return RunFolder.read(tmp_path / "run")


WORKERS = SimpleNamespace(last=None)


def module_worker(_monkeypatch):
    WORKERS.last = Inline()
    return WORKERS.last


def audited(run, points=60):
    return audit(run, [one.key for one in CELLS], 2, points, Machine(name="m"), Console(quiet=True))


def test_the_dense_search_finds_the_least_and_compares(run):
    worse, better = audited(run)
    assert (worse.condition, better.condition) == tuple(CELLS)
    assert worse.found == pytest.approx(0.08, abs=0.003)
    assert 0 <= better.found < 0.002
    trials = replay(run.path / "audit" / "trials.jsonl")
    assert {trial.fidelity for trial in trials} == {1.0}
    assert len(trials) == 2 * 60


def test_what_is_refined_comes_nearer_than_the_sequence_alone(run):
    audited(run)
    for cell in CELLS:
        errors = [trial.nrmse for trial in replay(run.path / "audit" / "trials.jsonl") if trial.condition == cell.key]
        assert min(errors[48:]) < min(errors[:48])
        assert min(errors[48:]) < 0.3005


def test_an_audit_goes_on_with_its_trials(run):
    first = audited(run)
    path = run.path / "audit" / "trials.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:70]))
    assert audited(run) == first
    assert len(WORKERS.last.submitted) == 50
    WORKERS.last = None
    assert audited(run) == first
    assert WORKERS.last is None  # nothing was left to do


def test_cells_are_corners_the_middle_and_others():
    wide = config(axes={"haadf_tilts": [2, 3, 4], "chemical_tilts": [2, 3, 4]}, methods=["fused"])
    trials = [TrialResult(one.key, 0, "ok", {}, nrmse=0.5) for one in wide.conditions()]
    keys = [one.key for one in chosen_cells(wide, trials, (), 6)]
    assert set(keys[:4]) == {"fused-h2-c2", "fused-h2-c4", "fused-h4-c2", "fused-h4-c4"}
    assert keys[4] == "fused-h3-c3"
    assert len(set(keys)) == 6


def test_what_has_no_result_cannot_be_audited():
    cheap = [replace(TrialResult(one.key, 0, "ok", {}, nrmse=0.5), fidelity=0.5) for one in config().conditions()]
    with pytest.raises(InputError, match=r"no trial of the run has a result yet.*run the campaign first"):
        chosen_cells(config(), cheap, (), 4)
    one = [TrialResult("fused-h2-c2", 0, "ok", {}, nrmse=0.5)]
    with pytest.raises(InputError, match=r"--condition fused-h2-c3: the run has no result of it; .*fused-h2-c2"):
        chosen_cells(config(), one, ["fused-h2-c3"], 4)


def test_what_is_stated_is_held_against_what_is_found():
    low, high, silent = (Audited(CELLS[0], 0.5, 0.49, stated) for stated in (0.01, 0.03, None))
    assert [one.holds for one in (low, high, silent)] == [False, True, None]
    assert share_held([low, high, silent]) == 0.5
    assert table([high])[0] == ("fused-h2-c2", "0.5000", "0.4900", "2.00%", "3.00%", "yes")
    assert dense_search(config(), 60).search.strategy == "audit"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "{tiny}", "--until-regret", "0.01"], "'gp_hedge' has no certificate"),
        (["audit", "{run}"], "no trial of the run has a result yet"),
    ],
)
def test_what_cannot_be_is_told_in_one_message(tmp_path, monkeypatch, capsys, words, said):
    tiny, folder = write_toml(tmp_path / "tiny.toml"), tmp_path / "run"
    with RunFolder(folder, config()):
        pass
    monkeypatch.setattr("sys.argv", ["fusedtomo", *(word.format(tiny=tiny, run=folder) for word in words)])
    monkeypatch.setattr("workflows.workers.ending.leave", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
