"""A Slurm cluster for the tests of this folder, started once."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.campaigns import facts, write_campaign, write_command
from tests.cluster.lab import HERE, Cluster, missing

_STANDINS = {"pbs": ("qsub", "qstat", "qdel", "pbs_tmrsh"), "lsf": ("bsub", "bjobs", "bkill", "blaunch")}


@pytest.fixture(scope="session")
def slurm(tmp_path_factory) -> Iterator[Cluster]:
    """Four nodes of two cores, shared by all tests; skips where there is no Slurm."""
    if reason := missing():
        pytest.skip(reason)
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def commands(slurm) -> Path:
    """A folder for PATH with the commands of PBS and of LSF, which run jobs through the cluster."""
    folder = slurm.folder / "bin"
    folder.mkdir()
    for scheduler, names in _STANDINS.items():
        for command in names:
            program = [sys.executable, "-ES", str(HERE / "standins" / f"{scheduler}.py"), str(slurm.folder), command]
            (folder / command).write_text(f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n')
            (folder / command).chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def folder(slurm, tmp_path_factory) -> Path:
    """A folder on every node."""
    return tmp_path_factory.mktemp("campaigns")


@pytest.fixture(scope="session")
def fusedtomo(folder) -> Path:
    """The command, of this checkout and without its figures."""
    return write_command(folder / "fusedtomo")


@pytest.fixture(scope="session")
def campaign(folder) -> Path:
    """The campaign's file."""
    return write_campaign(folder)


@pytest.fixture(scope="session")
def undisturbed(slurm, folder, fusedtomo, campaign):
    """The facts of the campaign, run on this machine without a scheduler."""
    command = [fusedtomo, "run", campaign, "--out", folder / "undisturbed"]
    subprocess.run(command, check=True, timeout=600, env=slurm.env)
    return facts(folder / "undisturbed")


@pytest.fixture
def cluster(slurm) -> Iterator[Cluster]:
    """The cluster with every node up and an empty queue; a test that leaves a job in the queue fails."""
    slurm.wait_for(lambda: slurm.idle() == slurm.nodes, "all nodes idle")
    yield slurm
    try:
        slurm.wait_for(lambda: slurm.jobs() == [], "the test left no job in the queue", timeout_s=120)
    finally:
        slurm.run("scancel", "--user=root")


@pytest.fixture
def standins(cluster, commands):
    """The environment in which PBS and LSF are found; with a defect of OpenPBS (issue 2672)."""
    return {"PATH": f"{commands}:{cluster.env['PATH']}", "QSTAT_ONLY_FIRST": "1"}
