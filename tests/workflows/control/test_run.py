"""Campaigns on Parsl for real: the same map on one worker and on two, and after kill -9 of anything."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from rich.console import Console

from tests.workflows.running import CHANGES, COMMAND, N_TRIALS, SECRET, facts, family, finish, start, wait_for_trials
from tests.workflows.tiny import config, content, write_toml
from workflows.control import run
from workflows.machines import Machine
from workflows.record.journal import replay
from workflows.record.state import read_state
from workflows.watch.listing import log_of


def test_one_worker_runs_every_trial(undisturbed_facts):
    assert len(undisturbed_facts) == N_TRIALS
    assert {status for _, _, status, _, _ in undisturbed_facts} == {"ok"}


def test_sigterm_lets_trials_end_and_says_how_to_resume(tmp_path, campaign, undisturbed_facts):
    out = tmp_path / "stopped"
    process = start(campaign, out, "--workers", 2)
    wait_for_trials(out, 3, process)
    members = [one for one in family(process) if one.pid != process.pid]
    process.send_signal(signal.SIGTERM)
    code, said = finish(process)
    assert code == 0, said
    assert "nothing is lost" in said
    command = re.search(r"^ *fusedtomo run .*$", said, re.MULTILINE).group().split()
    assert command == ["fusedtomo", "run", str(campaign), "--workers", "2", "--out", str(out)]
    assert 3 <= len(facts(out)) < N_TRIALS
    assert set(map(str, facts(out))) < set(map(str, undisturbed_facts))
    assert psutil.wait_procs(members, timeout=20)[1] == []


def test_a_finished_run_starts_no_workers(undisturbed, tmp_path, monkeypatch):
    copy = shutil.copytree(undisturbed, tmp_path / "copy")  # the next tests read the first controller's last word
    monkeypatch.setattr(run, "write_products", lambda folder, *_: folder.path / "report.html")
    monkeypatch.setattr(run, "workers", None)
    written = run.run_campaign(config(**CHANGES), Machine(name="m"), copy, Console(quiet=True))
    assert written == copy / "report.html"


_PLUGIN = """
from dataclasses import replace
from fusedtomo.methods import METHODS
from workflows.campaign import STRATEGIES, Strategy
from workflows.search.propose import Proposal

def middle(asked):
    condition, space = list(asked.conditions.items())[-1 - asked.trial % len(asked.conditions)]
    point = {name: (each.low * each.high) ** 0.5 for name, each in space.items()}
    return Proposal(point, {}, 0.5**asked.trial, condition)

METHODS.register(replace(METHODS["fused"], name="mine", label="mine"))
STRATEGIES.register(Strategy("middle", middle, sees="campaign", needs_model=lambda asked: True))
"""


def test_plug_ins_reach_the_workers_of_a_run_and_volumes_are_theirs(tmp_path, monkeypatch):
    """A method, and a strategy that sees the campaign and makes cheap trials: both are known in all processes."""
    (tmp_path / "plug").mkdir()
    (tmp_path / "plug" / "my_plug_in.py").write_text(_PLUGIN)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'plug'}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("FUSEDTOMO_PLUGINS", "my_plug_in")
    search = {**content()["search"], "strategy": "middle", "evaluations": 1, "minimise": "rmse"}
    changes = {
        "methods": ["mine"],
        "axes": {"chemical_tilts": [2, 3]},
        "acquisition__haadf__tilts": 4,
        "search": search,
    }
    process = start(write_toml(tmp_path / "mine.toml", **changes), tmp_path / "run", "--workers", 1)
    code, said = finish(process)
    assert code == 0, said
    trials = replay(tmp_path / "run" / "trials.jsonl")
    assert [(trial.condition, trial.order, trial.status, trial.fidelity) for trial in trials] == [
        ("mine-c3", 0, "ok", 1.0),
        ("mine-c2", 1, "ok", 0.5),
    ]
    assert not any("fallback" in trial.search for trial in trials)
    assert [path.name for path in (tmp_path / "run" / "volumes").iterdir()] == ["mine-c3.h5"]  # of the whole trial


def test_a_worker_that_never_joins_is_an_error_with_its_last_words(tmp_path, campaign):
    machine = tmp_path / "broken.toml"
    machine.write_text(
        'name = "broken"\nworkers = 1\nstart_timeout_s = 3\nworker_init = "echo no module system >&2; exit 3"\n'
    )
    command = ["run", str(campaign), "--machine", str(machine), "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *command], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 2
    for words in ("no worker joined", "machine 'broken'", "no module system", "fusedtomo doctor"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_folder_of_parsl_is_inside_the_run(undisturbed):
    assert (undisturbed / "parsl").is_dir()
    assert not Path("runinfo").exists()
    assert os.listdir(undisturbed / "parsl") == ["000"]


def test_the_log_of_parsl_does_not_grow_with_the_trials(undisturbed):
    lines = (undisturbed / "parsl" / "000" / "parsl.log").read_text().splitlines()
    assert any("INFO" in line for line in lines)
    per_task = [line for line in lines if re.search(r"\b[Tt]ask \d+", line)]
    assert per_task == []


def test_nothing_of_the_environment_enters_the_run_folder(undisturbed):
    files = [path for path in undisturbed.rglob("*") if path.is_file()]
    assert {"trials.jsonl", "state.json", "parsl.log", "interchange.log", "worker_0.log"} <= {
        path.name for path in files
    }
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_the_controller_s_last_word_stays_in_the_run_folder(undisturbed):
    state = read_state(undisturbed)
    assert (state.phase, state.over) == ("finished", True)
    assert state.progress.workers == 1
    assert 0 < state.progress.utilisation <= 1
    logs = {log_of(undisturbed, trial.worker) for trial in replay(undisturbed / "trials.jsonl")}
    assert len(logs) == 1
    assert None not in logs  # what its worker said can be found
