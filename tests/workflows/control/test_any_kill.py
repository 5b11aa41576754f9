"""Whichever process of a run is killed, helpers too, it ends with its map or with a code that says: again.

`pytest -m nightly tests/workflows/control/test_any_kill.py` kills fifty of all kinds at any moment, and says which.
"""

import os
import random
import shutil
import signal
import time

import psutil
import pytest

from tests.workflows.running import facts, family, finish, start, titled, wait_for_trials, write_machine

# what the title of a process says it is, the first that fits
KINDS = {
    "HTEX interchange": "interchange",
    "setpriv": "interchange",
    "resource_tracker": "resource tracker",
    "solver_child": "solver",
    "workflows.workers.pool": "pool",
    "spawn_main": "worker or helper",
    "submit_scripts": "shell",
    "run": "controller",
}


def kind_of(process):
    """What a process of a run is; None when it has gone."""
    try:
        title = " ".join(process.cmdline())
    except psutil.Error:
        return None
    return next((kind for words, kind in KINDS.items() if words in title), "other") if title else None


def kill_one(process, dice):
    """Kill a process of a run, each kind as likely as any other; return what it was."""
    kinds = {}
    for one in family(process):
        kinds.setdefault(kind_of(one), []).append(one)
    kinds.pop(None, None)
    kind = dice.choice(sorted(kinds))
    victim = dice.choice(sorted(kinds[kind], key=lambda one: one.pid))
    victim.kill()
    return kind, victim.pid


def assert_survives(campaign, machine, out, moment, dice):
    """Kill one process at the moment; return its kind and how the run ended. The same command then completes it."""
    process = start(campaign, out, "--machine", machine)
    moment(process)
    members = family(process)
    kind, pid = kill_one(process, dice)
    code, said = finish(process)
    assert code in ((-signal.SIGKILL,) if pid == process.pid else (0, 75)), (kind, said)
    assert "Traceback" not in said
    if code:
        again, said = finish(start(campaign, out, "--machine", machine))
        assert again == 0, (kind, said)
    left = psutil.wait_procs(members, timeout=60)[1]
    assert [one.cmdline() for one in left] == [], kind
    return kind, code


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where the processes of a run put their temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.mark.timeout(900)
@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(50))
def test_a_run_survives_the_kill_of_any_process_at_any_moment(
    tmp_path, campaign, undisturbed_facts, temporary, seed, capsys
):
    dice = random.Random(seed)
    out, machine = tmp_path / "run", write_machine(tmp_path / "machine.toml")
    out.mkdir()

    def moment(process):
        if dice.random() < 0.7:
            wait_for_trials(out, dice.randrange(1, 20), process)
        else:
            time.sleep(dice.uniform(0.5, 15))

    kind, code = assert_survives(campaign, machine, out, moment, dice)
    with capsys.disabled():
        print(f"seed {seed}: {kind} killed, exit code {code}")
    assert facts(out) == undisturbed_facts
    assert os.listdir(temporary) == []


@pytest.mark.nightly
def test_a_run_survives_the_kill_of_the_helper_of_its_pool(tmp_path, campaign, undisturbed_facts, temporary):
    out, machine = tmp_path / "run", write_machine(tmp_path / "machine.toml")
    process = start(campaign, out, "--machine", machine)
    wait_for_trials(out, 3, process)
    pools = titled(family(process), "workflows.workers.pool")
    children = [one for one in titled(family(process), "spawn_main") if one.parent() in pools]
    min(children, key=lambda one: one.create_time()).kill()  # the first that a pool starts
    code, said = finish(process)
    assert code == 0, said
    assert facts(out) == undisturbed_facts
    assert os.listdir(temporary) == []


NO_INTERCHANGE = """
import workflows.machines.config
workflows.machines.config._interchange_command = lambda: ["sleep", "0.3"]
"""


def test_an_interchange_that_ends_while_it_starts_ends_the_run_at_once_to_be_tried_again(tmp_path, campaign):
    out = tmp_path / "run"
    code, said = finish(start(campaign, out, "--workers", 1, before=NO_INTERCHANGE))
    assert code == 75, said
    assert "all workers are lost (Parsl's interchange ended with 0)" in said
    assert "Traceback" not in said


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(6))
def test_an_interchange_that_is_killed_while_workers_start_is_no_error_of_the_user(tmp_path, campaign, seed):
    process = start(campaign, tmp_path / "run", "--workers", 1)
    while not (found := [one for one in family(process) if kind_of(one) == "interchange"]):
        assert process.poll() is None
    time.sleep(random.Random(seed).uniform(0, 2))
    members = family(process)
    found[0].kill()
    code, said = finish(process)
    assert code == 75, said
    assert "all workers are lost (Parsl's interchange ended with -9)" in said
    assert "Traceback" not in said
    assert psutil.wait_procs(members, timeout=60)[1] == []


@pytest.mark.nightly
@pytest.mark.parametrize("limit", ["", "ulimit -v 1500000", "ulimit -v 3000000"])
def test_nothing_outlives_a_controller_by_long_though_its_folder_is_gone_and_memory_is_short(tmp_path, campaign, limit):
    out, machine = tmp_path / "run", write_machine(tmp_path / "machine.toml", f'worker_init = "{limit}"')
    process = start(campaign, out, "--machine", machine)
    while not titled(family(process), "workflows.workers.pool"):
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(3)
    process.kill()
    finish(process)
    shutil.rmtree(out, ignore_errors=True)
    end = time.monotonic() + 60
    while (left := family(process)) and time.monotonic() < end:
        time.sleep(0.5)
    assert [one.cmdline() for one in left] == []
