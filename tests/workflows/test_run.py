"""Campaigns on Parsl for real: the same map on one worker and on two, and after kill -9 of anything."""

import os
import random
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from tests.workflows.tiny import config, content, write_toml
from workflows import run
from workflows.journal import replay
from workflows.machines import Machine

# the command of a user, but for the figures, which take longer than the campaign
_COMMAND = """
import workflows.run
workflows.run.write_products = lambda folder, *_: folder.path / "report.html"
from workflows.cli import main
main()
"""
CHANGES = {
    "grid": {"haadf_tilts": [2, 4], "chemical_tilts": [2, 3]},
    "search": {**content()["search"], "evaluations": 4, "initial_points": 2, "pending": 2},
    "baselines": ["poisson-tv"],
}
N_TRIALS = 4 * 4 + 2 * 3


def facts(path):
    """What must not depend on workers and interruptions."""
    trials = replay(path / "trials.jsonl")
    return sorted((t.condition, t.trial, t.status, sorted(t.point.items()), t.nrmse) for t in trials)


def start(campaign, out, workers=2):
    """`fusedtomo run` in its own session, as from a terminal of its own."""
    command = [sys.executable, "-c", _COMMAND, "run", str(campaign), "--workers", str(workers), "--out", str(out)]
    # Parsl detaches its workers and gives them other titles: this mark is how `family` finds them
    mark = {"FUSEDTOMO_TEST": uuid.uuid4().hex, "SPT_NOENV": "1"}
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, **mark}
    )
    process.mark = mark["FUSEDTOMO_TEST"]
    return process


def finish(process):
    """Wait for a command; return its exit code and what it said."""
    said = process.communicate(timeout=120)[1]
    return process.returncode, said


def wait_for_trials(path, count, process, timeout_s=90):
    """Return once the journal has so many lines."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and process.poll() is None:
        if len(replay(path / "trials.jsonl")) >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{len(replay(path / 'trials.jsonl'))} of {count} trials; {finish(process)}")


def family(process):
    """The process and everything that was started by it, whatever session it is in now."""

    def marked(one):
        try:
            return one.environ().get("FUSEDTOMO_TEST") == process.mark
        except psutil.Error:
            return False

    return [one for one in psutil.process_iter() if marked(one)]


def titled(processes, *words):
    """Those that run and whose title holds the words."""
    return [one for one in processes if one.is_running() and all(word in " ".join(one.cmdline()) for word in words)]


def busy_worker(process, timeout_s=30):
    """A worker that computes right now; an idle one may hold the lock of its pool's queue."""
    # the pool starts its manager of shared values first, then its workers
    workers = sorted(titled(family(process), "spawn_main"), key=lambda one: one.create_time())[-2:]
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        for worker in workers:
            if worker.status() == psutil.STATUS_RUNNING:
                return worker
    raise AssertionError("no worker was ever busy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def campaign(folder):
    return write_toml(folder / "tiny.toml", **CHANGES)


@pytest.fixture(scope="module")
def undisturbed(folder, campaign):
    """The facts of a run on one worker, to the end."""
    code, said = finish(start(campaign, folder / "undisturbed", workers=1))
    assert code == 0, said
    return facts(folder / "undisturbed")


@pytest.fixture(scope="module")
def orphans():
    """Processes that outlived the controller that was killed; the last test waits for their end."""
    return []


def test_one_worker_runs_every_trial(undisturbed):
    assert len(undisturbed) == N_TRIALS
    assert {status for _, _, status, _, _ in undisturbed} == {"ok"}


@pytest.mark.slow
def test_kill_9_of_the_controller_then_of_everything_then_the_same_command_ends_with_the_same_map(
    folder, campaign, undisturbed, orphans
):
    out, moments = folder / "killed", random.Random(5)
    first, second = moments.randrange(1, 8), moments.randrange(10, 16)

    process = start(campaign, out)
    wait_for_trials(out, first, process)
    members = family(process)
    orphans += [one for one in members if one.pid != process.pid]
    assert titled(orphans, "interchange")
    assert titled(orphans, "process_worker_pool")
    process.kill()
    finish(process)

    process = start(campaign, out)
    wait_for_trials(out, second, process)
    for member in family(process):
        member.kill()
    finish(process)
    begun = facts(out)
    assert second <= len(begun) < N_TRIALS
    assert set(map(str, begun)) < set(map(str, undisturbed))  # no false failure among what was recorded

    with (out / "trials.jsonl").open("ab") as journal:
        journal.write(b'{"condition": "fused-h4')  # torn in the middle of a write
    code, said = finish(start(campaign, out))
    assert code == 0, said
    assert facts(out) == undisturbed


@pytest.mark.slow
def test_workers_that_are_killed_make_no_failed_trial(folder, campaign, undisturbed):
    """The interchange, then the pool of workers, then one worker: the first two end the run, the last does not."""
    out = folder / "workers"
    for count, title, reason in (
        (1, "HTEX interchange", "interchange ended"),
        (4, "process_worker_pool.py", "no block"),
    ):
        process = start(campaign, out)
        wait_for_trials(out, count, process)
        for one in titled(family(process), title):
            one.kill()
        code, said = finish(process)
        assert code == 75, said
        assert "all workers are lost" in said
        assert reason in said
        assert "run the same command again" in said
        assert "Traceback" not in said

    process = start(campaign, out)
    wait_for_trials(out, len(facts(out)) + 1, process)
    busy_worker(process).kill()
    code, said = finish(process)
    assert code == 0, said
    assert facts(out) == undisturbed


def test_sigterm_lets_trials_end_and_says_how_to_resume(folder, campaign, undisturbed):
    out = folder / "stopped"
    process = start(campaign, out)
    wait_for_trials(out, 3, process)
    members = [one for one in family(process) if one.pid != process.pid]
    process.send_signal(signal.SIGTERM)
    code, said = finish(process)
    assert code == 0, said
    assert "nothing is lost" in said
    command = re.search(r"^ *fusedtomo run .*$", said, re.MULTILINE).group().split()
    assert command == ["fusedtomo", "run", str(campaign), "--workers", "2", "--out", str(out)]
    assert 3 <= len(facts(out)) < N_TRIALS
    assert set(map(str, facts(out))) < set(map(str, undisturbed))
    assert psutil.wait_procs(members, timeout=20)[1] == []


def test_a_finished_run_starts_no_workers(folder, campaign, undisturbed, monkeypatch):
    monkeypatch.setattr(run, "write_products", lambda folder, *_: folder.path / "report.html")
    monkeypatch.setattr(run, "workers", None)
    written = run.run_campaign(config(**CHANGES), Machine(name="m"), folder / "undisturbed", Console(quiet=True))
    assert written == folder / "undisturbed" / "report.html"


def test_a_worker_that_never_joins_is_an_error_with_its_last_words(tmp_path, campaign):
    machine = tmp_path / "broken.toml"
    machine.write_text(
        'name = "broken"\nworkers = 1\nstart_timeout_s = 3\nworker_init = "echo no module system >&2; exit 3"\n'
    )
    command = ["run", str(campaign), "--machine", str(machine), "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    for words in ("no worker joined", "machine 'broken'", "no module system", "fusedtomo doctor"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_nothing_of_a_killed_run_stays_behind(orphans):
    """The interchange ends with its controller; workers notice by its silence, within 30 s (heartbeat_threshold)."""
    assert titled(orphans, "interchange") == []
    left = psutil.wait_procs(orphans, timeout=60)[1]
    assert [process.cmdline() for process in left] == []


def test_the_folder_of_parsl_is_inside_the_run(folder, undisturbed):
    assert (folder / "undisturbed" / "parsl").is_dir()
    assert not Path("runinfo").exists()
    assert os.listdir(folder / "undisturbed" / "parsl") == ["000"]


def test_the_log_of_parsl_does_not_grow_with_the_trials(folder, undisturbed):
    lines = (folder / "undisturbed" / "parsl" / "000" / "parsl.log").read_text().splitlines()
    assert any("INFO" in line for line in lines)
    per_task = [line for line in lines if re.search(r"\b[Tt]ask \d+", line)]
    assert per_task == []
