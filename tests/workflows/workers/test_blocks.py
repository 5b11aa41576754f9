"""Blocks of workers that a killed controller left are ended by the next one, and nothing else is."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from workflows.workers.blocks import BLOCKS, Blocks


@pytest.fixture
def group():
    """A process group that does not end by itself, as a block on this host: the shell and what it started."""
    shell = subprocess.Popen(["bash", "-c", "sleep 100 & wait"], start_new_session=True)
    yield shell
    if shell.poll() is None:
        os.killpg(shell.pid, 9)
    shell.wait()


@pytest.fixture
def said(tmp_path, monkeypatch):
    """What schedulers' commands were told; each fails, as for a job that has ended."""
    log = tmp_path / "said"
    log.touch()
    for name in ("scancel", "qdel", "bkill"):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f'#!/bin/sh\necho {name} "$@" >> {log}\nexit 35\n')
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return lambda: log.read_text().splitlines()


def submitted(folder, label, *jobs):
    """Blocks of a controller that was killed then."""
    for job in jobs:
        Blocks(folder).note(label, job)


def test_a_block_on_this_host_is_ended_with_all_that_it_started(tmp_path, group):
    submitted(tmp_path, "local", str(group.pid))
    children = psutil.Process(group.pid).children()
    assert Blocks(tmp_path).end() == 1
    assert group.wait(10) == -9
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert not (tmp_path / BLOCKS).exists()
    assert Blocks(tmp_path).end() == 0


def test_what_outlives_a_block_is_ended_too(tmp_path):
    """As Parsl's helpers outlive their pool of workers."""
    sleeper = "import time; time.sleep(100)"
    shell = subprocess.Popen(["bash", "-c", f"'{sys.executable}' -c '{sleeper}' & wait"], start_new_session=True)
    submitted(tmp_path, "local", str(shell.pid))
    while not (children := psutil.Process(shell.pid).children()):
        time.sleep(0.01)
    shell.kill()
    shell.wait()
    time.sleep(0.3)  # until it is Python
    Blocks(tmp_path).end()
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_a_later_process_of_the_same_id_is_left_alone(tmp_path, group):
    submitted(tmp_path, "local", str(group.pid))
    noted = tmp_path / BLOCKS
    began = psutil.Process(group.pid).create_time()
    noted.write_text(noted.read_text().replace(repr(began), repr(began - 100)))
    assert Blocks(tmp_path).end() == 0
    assert group.poll() is None


def test_a_process_of_another_host_is_left_alone(tmp_path, group):
    submitted(tmp_path, "local", str(group.pid))
    noted = tmp_path / BLOCKS
    noted.write_text(noted.read_text().replace(os.uname().nodename, "another"))
    assert Blocks(tmp_path).end() == 0
    assert group.poll() is None


@pytest.mark.parametrize(
    ("label", "command"), [("slurm", "scancel"), ("pbspro", "qdel"), ("lsf", "bkill")], ids=lambda word: word
)
def test_batch_jobs_are_cancelled_one_by_one_by_their_scheduler(tmp_path, said, label, command):
    submitted(tmp_path, label, "11", "12.pbs")
    assert Blocks(tmp_path).end() == 2
    assert said() == [f"{command} 11", f"{command} 12.pbs"]
    assert Blocks(tmp_path).end() == 0


def test_a_scheduler_that_is_not_there_stops_nothing(tmp_path, monkeypatch, caplog):
    submitted(tmp_path, "slurm", "11")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Blocks(tmp_path).end() == 0
    assert "scancel 11" in caplog.text
    assert "cancel this job yourself" in caplog.text


def test_a_torn_line_hides_no_other(tmp_path, said):
    submitted(tmp_path, "slurm", "11")
    with (tmp_path / BLOCKS).open("a") as noted:
        noted.write('{"scheduler": "slu')
    assert Blocks(tmp_path).end() == 1
    assert said() == ["scancel 11"]


def test_a_full_disk_does_not_cost_the_block(tmp_path, caplog):
    (tmp_path / BLOCKS).mkdir()
    submitted(tmp_path, "slurm", "11")
    assert "cannot be written" in caplog.text
