"""Reconstructions that the report shows are made by workers, once, of the best trials, and kept."""

import errno
import io
import json
import shutil
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module

import pytest
from rich.console import Console

from fusedtomo.errors import NoRoom, TryAgain
from fusedtomo.io import read_attributes, read_volume
from fusedtomo.score import score
from tests.workflows.tiny import baseline, config, fused
from workflows.campaign import Trial
from workflows.campaign.products import PRODUCTS
from workflows.control import run
from workflows.control.stopping import Stopped
from workflows.machines import Machine
from workflows.record.journal import Journal, best, replay
from workflows.record.state import read_state
from workflows.report import products
from workflows.report.product import Product
from workflows.trial import evaluate
from workflows.trial.bench import truth_of
from workflows.workers import start
from workflows.workers.lost import WorkersLost

CAMPAIGN = config(axes={"haadf_tilts": [4], "chemical_tilts": [3]}, methods=["fused", "poisson"], search__evaluations=2)
FUSED, POISSON = fused(4, 3), baseline("poisson", 3)


class Workers:
    """Workers in place of Parsl's: they alone may solve. `failing` fails the volumes of a condition."""

    def __init__(self):
        self.busy, self.volumes, self.failing, self.lost, self.starts = False, [], "", "", 0

    @contextmanager
    def start(self, *_machine_and_folder):
        self.starts += 1
        yield self

    def __call__(self, _function, trial: Trial) -> Future:
        future: Future = Future()
        self.busy = True
        if trial.keep:
            self.volumes.append(trial.condition.key)
        if trial.keep and self.lost:
            future.set_exception(RuntimeError("ManagerLost"))
        else:
            future.set_result(evaluate.evaluate(trial))
        self.busy = False
        return future

    def of(self, _ranks):
        """For trials of other ranks."""
        return self

    def broken(self) -> str:
        """As when all of them are killed, once `lost` says so and a volume was asked for."""
        return self.lost if self.volumes else ""


@pytest.fixture
def workers(monkeypatch):
    """A controller that must not reconstruct: neither while it steers nor for its products."""
    there, solve = Workers(), evaluate.solve

    def solved(*arguments, **more):
        assert there.busy, "the controller reconstructs"
        return solve(*arguments, **more)

    monkeypatch.setattr(evaluate, "solve", solved)
    # the module: `fusedtomo.reconstruct` is the function of that name
    monkeypatch.setattr(import_module("fusedtomo.reconstruct"), "solve", solved)
    monkeypatch.setattr(run, "workers", there.start)
    monkeypatch.setattr(run, "warm_up", lambda: 0.0)
    monkeypatch.setattr(run, "write_products", lambda folder, *_: folder.path / "report.html")
    for name in ("landscape", "slices", "cost"):
        PRODUCTS[name]  # looks built-in ones up
    return there


def ran(out, campaign=CAMPAIGN):
    """Run the command; return what it wrote and what it said."""
    console = Console(file=io.StringIO(), width=200)
    return run.run_campaign(campaign, Machine(name="m", workers=1), out, console), console.file.getvalue()


def winner(out, condition):
    return best([trial for trial in replay(out / "trials.jsonl") if trial.condition == condition.key])


def is_of_the_best(out, condition):
    """Whether the file is the reconstruction of the best trial, by what it says and by its score."""
    path, won = out / "volumes" / f"{condition.key}.h5", winner(out, condition)
    facts = read_attributes(path)
    said = (facts["condition"], facts["trial"], json.loads(facts["point"]), facts["fingerprint"])
    errors = score(read_volume(path), truth_of(CAMPAIGN, condition))
    return said == (condition.key, won.trial, won.point, CAMPAIGN.fingerprint()) and errors.nrmse == won.nrmse


def test_workers_make_what_products_need_once_and_of_the_best_trials(tmp_path, workers):
    assert ran(tmp_path)[0] == tmp_path / "report.html"
    assert sorted(workers.volumes) == ["fused-h4-c3", "poisson-c3"]  # each once, though two products show the first
    assert is_of_the_best(tmp_path, FUSED)
    assert is_of_the_best(tmp_path, POISSON)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("volumes/*")}
    assert ran(tmp_path)[0] == tmp_path / "report.html"
    assert workers.starts == 1  # there was nothing to compute
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("volumes/*")} == before
    assert len(replay(tmp_path / "trials.jsonl")) == 3  # a volume is no trial


def test_best_trials_are_computed_once_more_on_each_other_noise(tmp_path, workers):
    campaign = config(
        axes={"haadf_tilts": [4], "chemical_tilts": [3]},
        methods=["fused"],
        search__evaluations=2,
        report__noise_seeds=[7],
    )
    ran(tmp_path, campaign)
    (again,), won = replay(tmp_path / "again" / "7" / "trials.jsonl"), winner(tmp_path, FUSED)
    assert (again.condition, again.trial, again.point) == (won.condition, won.trial, won.point)
    assert again.nrmse != won.nrmse
    assert again.nrmse == pytest.approx(won.nrmse, rel=0.2)
    assert (tmp_path / "again" / "7" / "volumes" / "fused-h4-c3.h5").is_file()
    ran(tmp_path, campaign)
    assert workers.starts == 1  # there was nothing to compute
    ran(tmp_path, campaign.model_copy(update={"report": campaign.report.model_copy(update={"noise_seeds": (7, 9)})}))
    assert {path.name for path in (tmp_path / "again").iterdir()} == {"7", "9"}
    assert len(replay(tmp_path / "again" / "7" / "trials.jsonl")) == 1


def test_campaigns_one_after_another_have_the_same_workers(tmp_path, workers, monkeypatch):
    monkeypatch.setattr(start, "workers", workers.start)
    configs = [CAMPAIGN.model_copy(update={"name": name}) for name in ("one", "two")]
    console = Console(file=io.StringIO())

    def finish(folder, *_):
        return folder.path

    assert run.run_campaigns(configs, Machine(name="m", workers=1), tmp_path, console, finish)
    assert workers.starts == 1
    assert [len(replay(tmp_path / name / "trials.jsonl")) for name in ("one", "two")] == [3, 3]
    assert run.run_campaigns(configs, Machine(name="m", workers=1), tmp_path, console, finish)
    assert workers.starts == 1  # there was nothing to compute


def test_what_is_stopped_ends_the_campaigns_behind_it(tmp_path, workers, monkeypatch):
    def stopped(*_):
        raise Stopped

    monkeypatch.setattr(run, "make_volumes", stopped)
    monkeypatch.setattr(start, "workers", workers.start)
    configs = [CAMPAIGN.model_copy(update={"name": name}) for name in ("one", "two")]
    quiet = Console(file=io.StringIO())
    assert run.run_campaigns(configs, Machine(name="m", workers=1), tmp_path, quiet, lambda *_: tmp_path) is False
    assert (read_state(tmp_path / "one").phase, (tmp_path / "two").exists()) == ("stopped", False)


def test_a_better_trial_has_its_volume_made_and_the_others_stay(tmp_path, workers):
    ran(tmp_path)
    workers.volumes.clear()
    point = {"haadf": 0.02, "tv": 0.4}
    workers.busy = True
    better = replace(evaluate.evaluate(Trial(CAMPAIGN, FUSED, 2, point)), nrmse=0.01)
    workers.busy = False
    with Journal(tmp_path / "trials.jsonl") as journal:
        journal.append(better)
    ran(tmp_path)
    assert workers.volumes == ["fused-h4-c3"]
    facts = read_attributes(tmp_path / "volumes" / "fused-h4-c3.h5")
    assert (facts["trial"], json.loads(facts["point"])) == (2, point)
    assert workers.starts == 2


def test_products_are_drawn_from_what_workers_kept_and_a_volume_that_fails_costs_a_figure(
    tmp_path, workers, monkeypatch
):
    monkeypatch.setattr(run, "write_products", products.write_products)
    for name in set(PRODUCTS) - {"slices"}:  # drawing takes longer than all else
        monkeypatch.delitem(PRODUCTS._values, name)
    workers.failing = "poisson-c3"
    monkeypatch.setattr(evaluate, "solve", _failing_for_keeps(evaluate.solve, workers))
    report, said = ran(tmp_path)
    assert report == tmp_path / "report.html"
    assert "warning: the reconstruction of poisson-c3 for the report failed: MemoryError: no room" in said
    assert sorted(path.name for path in tmp_path.glob("volumes/*")) == ["fused-h4-c3.h5"]
    assert "poisson-c3" in report.read_text()  # the report says what it lacks
    assert (tmp_path / "slices-fused-h4-c3.png").exists()


def _failing_for_keeps(solve, workers):
    """A solver without memory for the second reconstruction of the failing condition."""

    def solved(dataset, method, *more, **settings):
        if workers.volumes and workers.volumes[-1] == workers.failing == f"{method}-c3":
            raise MemoryError("no room")
        return solve(dataset, method, *more, **settings)

    return solved


def test_the_loss_of_all_workers_is_no_failure_of_a_volume_and_the_same_command_finishes(tmp_path, workers):
    workers.lost = "killed"
    with pytest.raises(WorkersLost, match=r"all workers are lost \(killed\); .* run the same command again"):
        ran(tmp_path)
    assert list(tmp_path.glob("volumes/*")) == []
    workers.lost = ""
    report, said = ran(tmp_path)
    assert report == tmp_path / "report.html"
    assert "warning" not in said
    assert is_of_the_best(tmp_path, FUSED)
    assert is_of_the_best(tmp_path, POISSON)


def test_what_a_kill_left_of_the_volumes_is_made_again_by_the_same_command(tmp_path, workers):
    ran(tmp_path)
    torn, gone = (tmp_path / "volumes" / f"{one.key}.h5" for one in (FUSED, POISSON))
    torn.write_bytes(torn.read_bytes()[:1000])
    gone.unlink()
    workers.volumes.clear()
    ran(tmp_path)
    assert sorted(workers.volumes) == ["fused-h4-c3", "poisson-c3"]
    assert is_of_the_best(tmp_path, FUSED)
    assert is_of_the_best(tmp_path, POISSON)


@pytest.mark.parametrize("last", ["poisson-c3", "fused-h4-c3"])
def test_a_run_folder_that_is_moved_before_the_products_is_told_and_none_is_made(tmp_path, workers, monkeypatch, last):
    """Its map would be empty: under the old name there is no journal."""
    out, elsewhere, evaluated = tmp_path / "run", tmp_path / "elsewhere", evaluate.evaluate

    def moving(trial):
        if not elsewhere.exists() and (trial.keep or trial.number) and trial.condition.key == last:
            out.rename(elsewhere)
        return evaluated(trial)

    told = r"elsewhere/trials\.jsonl\. Put the run folder back, then run the same command again"
    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "evaluate", moving)
        with pytest.raises(TryAgain, match=told):
            ran(out)
    assert not (out / "report.html").exists()
    shutil.rmtree(out, ignore_errors=True)
    elsewhere.rename(out)
    assert ran(out)[0] == out / "report.html"
    assert len(replay(out / "trials.jsonl")) == 3


def test_a_disk_that_is_full_of_volumes_asks_for_room(tmp_path, workers, monkeypatch):
    kept = evaluate.write_reconstruction

    def full(*_arguments, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    def check_room(folder):
        assert folder == tmp_path
        raise NoRoom("make room")

    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "write_reconstruction", full)
        patch.setattr("workflows.control.volumes.check_room", check_room)
        with pytest.raises(NoRoom):
            ran(tmp_path)
    assert evaluate.write_reconstruction is kept
    assert ran(tmp_path)[0] == tmp_path / "report.html"


def test_a_stop_during_the_volumes_says_so_and_the_same_command_finishes(tmp_path, workers, monkeypatch):
    make = run.make_volumes

    def stopped(*_arguments):
        raise run.Stopped

    monkeypatch.setattr(run, "make_volumes", stopped)
    assert ran(tmp_path)[0] is None
    assert read_state(tmp_path).phase == "stopped"
    monkeypatch.setattr(run, "make_volumes", make)
    assert ran(tmp_path)[0] == tmp_path / "report.html"
    assert is_of_the_best(tmp_path, FUSED)


def test_products_decide_what_is_kept(tmp_path, workers, monkeypatch):
    for name in list(PRODUCTS):
        monkeypatch.delitem(PRODUCTS._values, name)
    ran(tmp_path)
    assert workers.volumes == []
    needs_it = Product("mine", lambda *_: None, volumes=lambda *_: [POISSON])
    monkeypatch.setitem(PRODUCTS._values, "mine", needs_it)
    ran(tmp_path)
    assert workers.volumes == ["poisson-c3"]
