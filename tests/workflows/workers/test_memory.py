"""Workers that a node has no memory for are refused, with how many or which size would fit."""

import pytest

from fusedtomo.errors import InputError
from tests.workflows.tiny import config
from workflows.control.run import run_campaign
from workflows.machines import Machine
from workflows.workers import memory
from workflows.workers.memory import most_host_gb, too_large

LARGE = config(phantom__size=256)  # 3.3 GB a worker


@pytest.mark.parametrize(("free_gb", "cure"), [(1000.0, ""), (8.0, "take --workers 2"), (1.0, "lower phantom.size to")])
def test_workers_of_this_machine_share_what_is_free(monkeypatch, free_gb, cure):
    monkeypatch.setattr(memory, "available_gb", lambda: free_gb)
    fault = too_large(Machine(name="m", workers=4), LARGE)
    assert fault.endswith(cure) if free_gb > 1 else cure in fault
    assert bool(fault) == bool(cure)


def test_the_size_that_is_named_fits(monkeypatch):
    monkeypatch.setattr(memory, "available_gb", lambda: 1.0)
    size = int(too_large(Machine(name="m", workers=1), LARGE).rsplit(" ", 1)[1])
    assert most_host_gb(config(phantom__size=size)) < 1.0 < most_host_gb(config(phantom__size=size + 20))


def test_of_a_batch_job_counts_what_the_profile_asks_for(monkeypatch):
    monkeypatch.setattr(memory, "available_gb", lambda: 0.1)  # this machine is not asked
    job = {"name": "m", "provider": "slurm", "workers": 4, "walltime_min": 60}
    assert not too_large(Machine(**job), LARGE)  # nobody knows
    assert "a node has 8 GB; take --workers 2" in too_large(Machine(**job, memory_per_node_gb=8), LARGE)
    assert not too_large(Machine(**job, memory_per_node_gb=64), LARGE)


def test_a_run_that_does_not_fit_starts_no_worker(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "available_gb", lambda: 0.01)
    with pytest.raises(
        InputError, match=r"machine 'm': 2 workers with trials of 16.3 need .* GB, but a node has 0.01 GB"
    ):
        run_campaign(config(), Machine(name="m", workers=2), tmp_path / "run", None)
    assert not (tmp_path / "run" / "parsl").exists()
