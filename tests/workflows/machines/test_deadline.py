"""A controller inside a job is told to stop before the job's end."""

import os
import signal
import time

import pytest

from workflows.machines import Machine
from workflows.machines.deadline import deadline


@pytest.fixture
def told(monkeypatch):
    """The signals that this process would get."""
    signals = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid == os.getpid(), number)))
    return signals


def wait_for(told, seconds):
    end = time.monotonic() + seconds
    while not told and time.monotonic() < end:
        time.sleep(0.01)


def test_the_signal_comes_when_only_the_drain_is_left(told):
    with deadline(Machine(name="m", walltime_min=1e-9, drain_min=0)):
        wait_for(told, 20)
    assert told == [(True, signal.SIGUSR1)]


@pytest.mark.parametrize("fields", [{}, {"walltime_min": 60}, {"provider": "slurm", "workers": 1, "walltime_min": 60}])
def test_no_signal_without_a_limit_before_it_or_where_blocks_have_their_own(told, fields):
    with deadline(Machine(name="m", **fields)):
        wait_for(told, 0.1)
    assert told == []
