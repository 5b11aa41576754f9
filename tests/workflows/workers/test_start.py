"""Workers that cannot be had end a run with the reason that helps."""

import pytest
from rich.console import Console

from fusedtomo.errors import NoRoom
from tests.disks import file_size_limit
from workflows.machines import Machine
from workflows.workers import start
from workflows.workers.lost import WorkersLost


def started(folder):
    return start.workers(Machine(name="m"), folder, Console(quiet=True))


@pytest.fixture
def lost(monkeypatch):
    """Parsl whose interchange ends at once."""

    def load(_config):
        raise WorkersLost("killed")

    monkeypatch.setattr(start, "load", load)


def test_lost_workers_are_the_reason_where_there_is_room(lost, tmp_path):
    with pytest.raises(WorkersLost, match=r"all workers are lost \(killed\)"), started(tmp_path):
        pass


def test_a_full_disk_is_the_reason_whatever_fails(lost, tmp_path):
    with pytest.raises(NoRoom, match="make room"), file_size_limit(4096), started(tmp_path):
        pass
