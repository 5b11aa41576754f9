"""Whatever is killed or full, nothing is lost: the same command goes on, and ends with the same map.

test_any_kill.py kills at fifty moments more.
"""

import os
import random
import signal
import time

import psutil
import pytest

from fusedtomo.errors import InputError, NoRoom
from tests.disks import SmallDisk
from tests.workflows.running import (
    any_worker,
    busy_worker,
    facts,
    family,
    finish,
    start,
    titled,
    wait_for_trials,
    wait_until_running,
    write_machine,
)
from tests.workflows.stubs import eight, steered, stub_model, stub_trial
from tests.workflows.stubs import facts as steered_facts
from tests.workflows.tiny import write_toml
from tests.workflows.values import campaign as map_campaign
from tests.workflows.values import trial as map_trial
from workflows.control import steer
from workflows.maps.atlas import build_atlas, write_atlas
from workflows.maps.sampling_map import sampling_map
from workflows.record.journal import replay
from workflows.search import gp_hedge as search

# a clock that goes back by an hour two seconds after the start
CLOCK_BACK = """
import time
real, began = time.time, time.monotonic()
time.time = lambda: real() - (3600 if time.monotonic() > began + 2 else 0)
"""
VICTIMS = {
    "controller": lambda process: psutil.Process(process.pid),
    "interchange": lambda process: titled(family(process), "HTEX interchange")[-1],
    "manager": lambda process: titled(family(process), "workflows.workers.pool")[-1],
    "worker": any_worker,
    "busy worker": busy_worker,
}
_SAID = {"controller": "", "interchange": "interchange ended"}  # these two end the run


def disturbed(campaign, machine, out, victims, dice):
    """A run in which one after the other is killed at a moment of chance; return all its processes."""
    process, members = None, []
    for victim in victims:
        process = process or start(campaign, out, "--machine", machine)
        wait_for_trials(out, len(replay(out / "trials.jsonl")) + dice.randrange(1, 4), process)
        time.sleep(dice.uniform(0, 0.3))
        members += family(process)
        VICTIMS[victim](process).kill()
        if victim in _SAID:
            code, said = finish(process)
            assert code == (-signal.SIGKILL if victim == "controller" else 75), said
            assert _SAID[victim] in said
            assert "Traceback" not in said
            process = None
    code, said = finish(process or start(campaign, out, "--machine", machine, before=CLOCK_BACK))
    assert code == 0, said
    return members


def assert_none_left(members):
    left = psutil.wait_procs(members, timeout=60)[1]
    assert [process.cmdline() for process in left] == []


@pytest.mark.timeout(1200)  # beside other work on the machine
@pytest.mark.slow
def test_a_run_survives_everything_that_is_killed(tmp_path, campaign, undisturbed_facts):
    out, machine = tmp_path / "run", write_machine(tmp_path / "machine.toml")
    out.mkdir()
    victims = ["worker", "busy worker", "manager", "interchange", "controller"]
    members = disturbed(campaign, machine, out, victims, random.Random(5))
    assert facts(out) == undisturbed_facts
    assert_none_left(members)


@pytest.fixture
def endless(tmp_path):
    """A campaign whose trials take hours."""
    return write_toml(tmp_path / "endless.toml", solver={"max_iterations": 1_000_000, "tolerance": 0.0})


@pytest.mark.nightly
def test_sigusr1_abandons_what_does_not_end_within_the_drain(tmp_path, endless):
    out, machine = tmp_path / "run", write_machine(tmp_path / "machine.toml", "drain_min = 0.02")
    process = start(endless, out, "--machine", machine)
    wait_until_running(out, process)
    members = family(process)
    process.send_signal(signal.SIGUSR1)
    code, said = finish(process)
    assert code == 0, said
    assert "nothing is lost. Resume with" in said
    assert facts(out) == []
    assert_none_left(members)


@pytest.mark.nightly
def test_sigterm_ends_a_run_before_a_batch_system_kills_it(tmp_path, endless):
    out, machine = tmp_path / "run", write_machine(tmp_path / "machine.toml")
    process = start(endless, out, "--machine", machine)
    wait_until_running(out, process)
    members = family(process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=30)[1]  # so long most of them wait
    assert process.returncode == 0, said
    assert "nothing is lost. Resume with" in said
    assert_none_left(members)


def test_a_second_controller_is_refused_and_a_second_ctrl_c_ends_at_once_and_leaves_nothing(tmp_path, endless):
    machine = write_machine(tmp_path / "machine.toml")
    process = start(endless, tmp_path / "run", "--machine", machine)
    wait_until_running(tmp_path / "run", process)
    code, said = finish(start(endless, tmp_path / "run", "--machine", machine))
    assert code == 75
    assert "another run is working in this folder" in said
    members = family(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None  # it gives the trials the time of the drain
    process.send_signal(signal.SIGINT)
    code, said = finish(process)
    assert code == 130, said
    assert "Traceback" not in said
    assert_none_left(members)


@pytest.mark.nightly
def test_a_scratch_that_workers_cannot_write_is_one_clear_error(tmp_path, campaign):
    machine = write_machine(tmp_path / "machine.toml", 'scratch = "/proc/scratch"')
    code, said = finish(start(campaign, tmp_path / "run", "--machine", machine))
    assert code == 2
    assert "scratch '/proc/scratch' cannot be written on" in said
    assert "give another scratch in the machine profile" in said
    assert "Traceback" not in said
    assert facts(tmp_path / "run") == []


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MB."""
    with SmallDisk(tmp_path / "disk", 1024) as disk:
        yield disk


def test_a_disk_that_fills_up_costs_no_trial(small_disk, tmp_path, monkeypatch):
    disk, fill = small_disk.folder, small_disk.fill
    monkeypatch.setattr(search, "_gaussian_process", stub_model)

    def trial_that_fills_the_disk(trial):
        if trial.number == 3 and not (disk / "filler").exists():
            fill()
        return stub_trial(trial)

    monkeypatch.setattr(steer, "run_trial", trial_that_fills_the_disk)
    with pytest.raises(InputError, match=r"trials\.jsonl: cannot be written \(No space left on device\); make room"):
        steered(disk / "trials.jsonl", eight())
    assert replay(disk / "trials.jsonl")
    (disk / "filler").unlink()
    monkeypatch.setattr(steer, "run_trial", stub_trial)
    whole = steered(tmp_path / "whole.jsonl", eight())
    assert steered_facts(steered(disk / "trials.jsonl", eight())) == steered_facts(whole)


def test_a_disk_that_fills_up_harms_no_atlas(small_disk):
    disk, fill = small_disk.folder, small_disk.fill
    atlas = build_atlas(sampling_map(map_campaign(), [map_trial("fused-h5-c3", 0, 0.5, haadf=0.1)]), {"made": "here"})
    write_atlas(atlas, disk / "atlas.h5")
    before = (disk / "atlas.h5").read_bytes()
    fill(room=8192)
    with pytest.raises(NoRoom, match=r"No space left.*make room"):
        write_atlas(atlas, disk / "atlas.h5")
    assert (disk / "atlas.h5").read_bytes() == before
    assert sorted(os.listdir(disk)) == ["atlas.h5", "filler"]
    (disk / "filler").unlink()
    write_atlas(atlas, disk / "atlas.h5")
    assert (disk / "atlas.h5").read_bytes() == before
