"""A Slurm cluster for the tests of this folder, started once."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.lab import HERE, Cluster, missing

_STANDINS = {"pbs": ("qsub", "qstat", "qdel", "pbs_tmrsh"), "lsf": ("bsub", "bjobs", "bkill", "blaunch")}
_LIVE = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED")  # COMPLETING: has ended, its node is being cleaned


@pytest.fixture(scope="session")
def slurm(tmp_path_factory) -> Iterator[Cluster]:
    """Four nodes of two cores, shared by all tests; skips where there is no Slurm."""
    if reason := missing():
        pytest.skip(reason)
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def standins(slurm) -> Path:
    """A folder for PATH with the commands of PBS and of LSF, which run jobs through the cluster."""
    folder = slurm.folder / "bin"
    folder.mkdir()
    for scheduler, commands in _STANDINS.items():
        for command in commands:
            program = [sys.executable, "-ES", str(HERE / "standins" / f"{scheduler}.py"), str(slurm.folder), command]
            (folder / command).write_text(f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n')
            (folder / command).chmod(0o755)
    return folder


@pytest.fixture
def cluster(slurm) -> Iterator[Cluster]:
    """The cluster with every node up and an empty queue; a test that leaves a job in the queue fails."""
    slurm.wait_for(lambda: slurm.idle() == slurm.nodes, "all nodes idle")
    yield slurm
    left = slurm.jobs(_LIVE)
    slurm.run("scancel", *left) if left else None
    slurm.wait_for(lambda: slurm.jobs() == [], "the queue is empty")
    assert left == [], "jobs that the test left in the queue"
