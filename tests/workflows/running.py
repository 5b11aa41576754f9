"""`fusedtomo run` as a child process, for tests that kill something of it; and the tiny campaign that they run."""

import os
import subprocess
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path

import psutil

from tests.workflows.tiny import config, content, fused
from workflows.campaign import Trial
from workflows.record.journal import replay
from workflows.record.state import RUNNING, read_state

WHOLE_COMMAND = """
from workflows.command.cli import main
main()
"""
# the command of a user, but for the figures, which take longer than the campaign
COMMAND = f"""
import workflows.control.run
workflows.control.run.write_products = lambda folder, *_: folder.path / "report.html"
{WHOLE_COMMAND}"""
CHANGES = {
    "axes": {"haadf_tilts": [2, 4], "chemical_tilts": [2, 3]},
    "search": {**content()["search"], "evaluations": 4, "initial_points": 2, "pending": 2},
    "methods": ["fused", "poisson-tv"],
    "solver": {"max_iterations": 60, "tolerance": 0.0},  # long enough to be killed in the middle
}
ENDLESS = {"solver__max_iterations": 1_000_000, "solver__tolerance": 0.0}
SECRET = "sesame-6f3a91"  # in the environment of every run
N_TRIALS = 4 * 4 + 2 * 3


def facts(path):
    """What must not depend on workers and interruptions."""
    trials = replay(path / "trials.jsonl")
    return sorted((t.condition, t.trial, t.status, sorted(t.point.items()), t.nrmse) for t in trials)


def tiny_trial(**changes):
    """A trial of the tiny campaign, which may be changed."""
    return Trial(config(**changes), fused(4, 3), 5, {"haadf": 0.05, "tv": 0.7})


def scores(result):
    """What must not depend on where a trial ran."""
    return replace(result, seconds=0.0, started=0.0, worker="", ranks=1)


def write_machine(path: Path, *lines: str) -> Path:
    """A profile that notices a lost worker soon."""
    common = ['name = "test"', "workers = 2", "heartbeat_period_s = 1", "heartbeat_threshold_s = 5"]
    path.write_text("\n".join([*common, *lines]) + "\n")
    return path


def start(campaign, out, *options, before="", command=COMMAND):
    """`fusedtomo run` in its own session, as from a terminal of its own; `before` is Python that runs first."""
    command = [sys.executable, "-c", before + command, "run", str(campaign), *map(str, options), "--out", str(out)]
    # Parsl detaches its workers and gives them other titles: this mark is how `family` finds them
    mark = {"FUSEDTOMO_TEST": uuid.uuid4().hex, "SPT_NOENV": "1", "API_TOKEN": SECRET}
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, **mark}
    )
    process.mark = mark["FUSEDTOMO_TEST"]
    return process


def finish(process):
    """Wait for a command; return its exit code and what it said."""
    said = process.communicate(timeout=240)[1]
    return process.returncode, said


def wait_for_trials(path, count, process, timeout_s=200):
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


def wait_until_running(path, process, timeout_s=250):
    """Return once workers are ready and trials are handed out."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and process.poll() is None:
        state = read_state(path)
        if state and state.phase == RUNNING and state.progress.running:
            return
        time.sleep(0.1)
    raise AssertionError(f"it never ran; {finish(process)}")


def busy_solver(process, timeout_s=250):
    """A solver process that computes right now."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        for solver in titled(family(process), "solver_child"):
            if solver.status() == psutil.STATUS_RUNNING:
                return solver
    raise AssertionError("no solver was ever busy")


def busy_worker(process):
    """A worker whose solver computes right now."""
    return busy_solver(process).parent()


def any_worker(process, timeout_s=250):
    """A worker, busy or waiting for its next task."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        pools = titled(family(process), "workflows.workers.pool")
        workers = [one for one in titled(family(process), "spawn_main") if one.parent() in pools]
        # of a pool's children, the last ones started are workers; before them comes the process that shares its queues
        if len(workers) > 1:
            return workers[-1]
    raise AssertionError("no worker was ever there")
