"""A Slurm cluster for the tests of this folder, started once."""

from collections.abc import Iterator

import pytest

from tests.cluster.lab import Cluster, missing

_LIVE = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED")  # COMPLETING: has ended, its node is being cleaned


@pytest.fixture(scope="session")
def slurm(tmp_path_factory) -> Iterator[Cluster]:
    """Four nodes of two cores, shared by all tests; skips where there is no Slurm."""
    if reason := missing():
        pytest.skip(reason)
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def cluster(slurm) -> Iterator[Cluster]:
    """The cluster with every node up and an empty queue; a test that leaves a job in the queue fails."""
    slurm.wait_for(lambda: slurm.idle() == slurm.nodes, "all nodes idle")
    yield slurm
    left = slurm.jobs(_LIVE)
    slurm.run("scancel", *left) if left else None
    slurm.wait_for(lambda: slurm.jobs() == [], "the queue is empty")
    assert left == [], "jobs that the test left in the queue"
