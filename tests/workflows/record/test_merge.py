"""Several runs of one campaign as one: every trial that fits, and what is said where they do not."""

import json
import os
import stat
import subprocess
import sys

import pytest
from rich.console import Console

from fusedtomo.errors import InputError
from tests.workflows.stubs import Inline, facts, run, stub_model, stub_trial
from tests.workflows.tiny import config
from workflows.control import steer
from workflows.record.journal import replay
from workflows.record.merge import merge
from workflows.record.runfolder import RunFolder
from workflows.record.sessions import codes, write_sessions
from workflows.record.state import Heartbeat
from workflows.search import gp_hedge as search

LEFT = config(axes={"haadf_tilts": [2], "chemical_tilts": [2, 3]}, methods=["fused", "poisson"])
RIGHT = config(
    axes={"haadf_tilts": [4], "chemical_tilts": [3, 5]},
    methods=["fused", "poisson-tv", "poisson"],
    search__evaluations=6,
    report={"slices": [[4, 5]]},
    name="right",
)


@pytest.fixture(autouse=True)
def _stubs(monkeypatch):
    monkeypatch.setattr(steer, "run_trial", stub_trial)
    monkeypatch.setattr(search, "_gaussian_process", stub_model)


def merged(capsys, *paths, out):
    """Merge; return the new folder's trials and what was said."""
    merge(Console(soft_wrap=True), paths, out)
    return replay(out / "trials.jsonl"), capsys.readouterr().out


def edited(path, **changes):
    """Alter trial 1 of fused-h2-c2 in a journal, and drop what was proposed after it."""
    lines = []
    for line in (path / "trials.jsonl").read_text().splitlines():
        trial = json.loads(line)
        if trial["condition"] == "fused-h2-c2" and trial["trial"] >= 1:
            if trial["trial"] > 1:
                continue
            trial |= changes
        lines.append(json.dumps(trial) + "\n")
    (path / "trials.jsonl").write_text("".join(lines))


def test_two_halves_of_a_map_are_the_whole_map(tmp_path, capsys):
    left = run(tmp_path / "left", config(axes__haadf_tilts=[2]))
    right = run(tmp_path / "right", config(axes__haadf_tilts=[4], methods=["fused"]))
    trials, said = merged(capsys, tmp_path / "left", tmp_path / "right", out=tmp_path / "whole")
    assert facts(trials) == facts([*left, *right]) == facts(run(tmp_path / "fresh", config()))
    assert "2 x 2 cells, complete" in said
    assert "fusedtomo report" in said
    before, worker = (tmp_path / "whole" / "trials.jsonl").read_bytes(), Inline()
    run(tmp_path / "whole", config(), worker)
    assert worker.submitted == []
    assert (tmp_path / "whole" / "trials.jsonl").read_bytes() == before


def test_axes_methods_budgets_and_reports_are_united(tmp_path, capsys):
    left, right = run(tmp_path / "left", LEFT), run(tmp_path / "right", RIGHT)
    trials, said = merged(capsys, tmp_path / "left", tmp_path / "right", out=tmp_path / "both")
    whole = RunFolder.read(tmp_path / "both").config
    assert whole.axes == {"haadf_tilts": (2, 4), "chemical_tilts": (2, 3, 5)}
    assert whole.methods == ("fused", "poisson", "poisson-tv")
    assert (whole.search.evaluations, whole.search.baseline_evaluations) == (6, 3)
    assert whole.report.slices == ((4, 5),)
    assert whole.name == "tiny"
    shared = {trial.condition for trial in left} & {trial.condition for trial in right}
    assert shared == {"poisson-c3"}
    assert len(trials) == len(left) + len(right) - 1
    # 6 cells of 6, 3 + 3 baselines of 3 and 1, less what is there
    assert f"{6 * 6 + 3 * 3 + 3 - len(trials)} of {6 * 6 + 3 * 3 + 3} trials to go" in said


def test_a_run_goes_on_with_what_was_merged_and_ends_as_if_it_had_been_one(tmp_path, capsys):
    run(tmp_path / "left", LEFT)
    run(tmp_path / "right", RIGHT)
    trials, said = merged(capsys, tmp_path / "left", tmp_path / "right", out=tmp_path / "both")
    assert f"fusedtomo run {tmp_path / 'both' / 'campaign.json'} --out {tmp_path / 'both'}" in said
    whole = RunFolder.read(tmp_path / "both").config
    finished = run(tmp_path / "both", whole)
    assert finished[: len(trials)] == trials
    assert facts(finished) == facts(run(tmp_path / "fresh", whole))


def test_parts_of_the_same_condition_complete_each_other(tmp_path, capsys):
    whole = run(tmp_path / "a", config(search__evaluations=6))
    run(tmp_path / "b", config(search__evaluations=6))
    lines = (tmp_path / "a" / "trials.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "a" / "trials.jsonl").write_text("".join(lines[: len(lines) // 2]) + '{"torn')
    (tmp_path / "b" / "trials.jsonl").write_text("".join(lines[len(lines) // 3 :]))
    trials, said = merged(capsys, tmp_path / "a", tmp_path / "b", out=tmp_path / "c")
    assert trials == whole
    assert "differ" not in said


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ({"status": "failed", "nrmse": None}, {}, "b"),
        ({}, {"status": "failed", "nrmse": None}, "a"),
        ({}, {"nrmse": 0.123}, "a"),
        ({"point": {"haadf": 0.5, "tv": 0.5}}, {}, "a"),
    ],
    ids=["a failed", "b failed", "another value", "another point"],
)
def test_a_condition_that_ended_differently_is_taken_whole_from_the_run_with_more_successes(
    tmp_path, capsys, first, second, taken
):
    whole = run(tmp_path / "a", config())
    run(tmp_path / "b", config())
    assert next(trial for trial in whole if (trial.condition, trial.trial) == ("fused-h2-c2", 1)).ok
    edited(tmp_path / "a", **first)
    edited(tmp_path / "b", **second)
    trials, said = merged(capsys, tmp_path / "a", tmp_path / "b", out=tmp_path / "c")
    found = [trial for trial in trials if trial.condition == "fused-h2-c2"]
    assert found == [t for t in replay(tmp_path / taken / "trials.jsonl") if t.condition == "fused-h2-c2"]
    assert f"fused-h2-c2: the runs differ; taken whole from {tmp_path / taken}\n" in said
    rest = [trial for trial in trials if trial.condition != "fused-h2-c2"]
    assert facts(rest) == facts([trial for trial in whole if trial.condition != "fused-h2-c2"])


def test_of_equals_the_first_is_taken_and_of_three_the_best(tmp_path, capsys):
    for name in "abc":
        run(tmp_path / name, config())
    edited(tmp_path / "a", nrmse=0.5)
    edited(tmp_path / "b", status="failed", nrmse=None)
    _, said = merged(capsys, *(tmp_path / name for name in "abc"), out=tmp_path / "d")
    assert f"fused-h2-c2: the runs differ; taken whole from {tmp_path / 'c'}\n" in said  # it has four trials


def test_where_when_and_how_fast_a_trial_ran_is_no_difference(tmp_path, capsys):
    run(tmp_path / "a", config())
    run(tmp_path / "b", config())
    text = (tmp_path / "b" / "trials.jsonl").read_text()
    (tmp_path / "b" / "trials.jsonl").write_text(text.replace('"seconds": 0.001', '"seconds": 3.5'))
    trials, said = merged(capsys, tmp_path / "a", tmp_path / "b", out=tmp_path / "c")
    assert "differ" not in said
    assert trials == replay(tmp_path / "a" / "trials.jsonl")


def test_runs_of_other_campaigns_are_refused_with_the_difference(tmp_path):
    run(tmp_path / "a", config())
    run(tmp_path / "b", config(seed=9, search__space__tv__high=7.0))
    with pytest.raises(InputError) as refused:
        merge(Console(quiet=True), [tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    for words in (
        f"search.space.tv.high is 5.0 in {tmp_path / 'a'} and 7.0 in {tmp_path / 'b'}; seed is 3 in",
        "results would mix",
        "Merge runs that differ in the values of axes, methods, budgets",
    ):
        assert words in str(refused.value)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_what_cannot_be_merged_is_refused_and_nothing_is_left(tmp_path):
    run(tmp_path / "a", config())
    run(tmp_path / "b", config())
    a, b = tmp_path / "a", tmp_path / "b"
    (tmp_path / "file").write_text("mine")
    for paths, out, why in [
        ([a], tmp_path / "c", "two run folders or more"),
        ([a, tmp_path / "none"], tmp_path / "c", "not a run folder"),
        ([a, b], a, "exists; give the name of a new folder"),
        ([a, b], tmp_path / "file", "exists; give the name of a new folder"),
        ([a, b], tmp_path / "file" / "c", "cannot be written"),
        ([a, b], tmp_path / ("x" * 300), "cannot be written"),
    ]:
        with pytest.raises(InputError, match=why):
            merge(Console(quiet=True), paths, out)
    with (b / "trials.jsonl").open("a") as journal:
        journal.write("no trial\n")
    with pytest.raises(InputError, match=r"trials\.jsonl:\d+: not a trial"):
        merge(Console(quiet=True), [a, b], tmp_path / "c")
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "file"]


def test_the_sources_stay_as_they_were_and_the_new_folder_has_the_users_mode(tmp_path, capsys):
    for name in "ab":
        run(tmp_path / name, config())
        write_sessions(tmp_path / name, [{"fusedtomo": "0.1.0", "commit": name}])
    before = {path: path.read_bytes() for path in tmp_path.glob("[ab]/*")}
    merged(capsys, tmp_path / "a", tmp_path / "b", out=tmp_path / "deep" / "c")
    assert {path: path.read_bytes() for path in tmp_path.glob("[ab]/*")} == before
    assert codes(tmp_path / "deep" / "c") == "0.1.0 (a), 0.1.0 (b)"
    (tmp_path / "made").mkdir()
    assert stat.S_IMODE((tmp_path / "deep" / "c").stat().st_mode) == stat.S_IMODE((tmp_path / "made").stat().st_mode)


def test_a_run_under_way_may_be_merged_and_is_named(tmp_path, capsys):
    for name in "ab":
        run(tmp_path / name, config())
    with Heartbeat(tmp_path / "b", "laptop") as heart:
        heart.update(phase="running")
        trials, said = merged(capsys, tmp_path / "a", tmp_path / "b", out=tmp_path / "c")
    assert f"{tmp_path / 'b'}: a run works in it" in said
    assert f"{tmp_path / 'a'}: a run works in it" not in said
    assert len(trials) == len(replay(tmp_path / "a" / "trials.jsonl"))
    assert not (tmp_path / "c" / "state.json").exists()


def test_the_command_merges_and_refuses_with_exit_code_2(tmp_path):
    run(tmp_path / "a", LEFT)
    run(tmp_path / "b", RIGHT)
    command = [sys.executable, "-m", "workflows.command.cli", "merge", str(tmp_path / "a"), str(tmp_path / "b")]
    done, again = (
        subprocess.run([*command, "--out", str(tmp_path / "c")], capture_output=True, text=True, check=False)
        for _ in range(2)
    )
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'c'}: 29 trials of 2 runs" in done.stderr
    assert again.returncode == 2
    assert "exists; give the name of a new folder as --out" in again.stderr
