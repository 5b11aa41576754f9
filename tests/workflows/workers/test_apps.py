"""What becomes of tasks that Parsl lost."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from parsl.jobs.states import JobState, JobStatus

from workflows.trial.solver_process import Handling
from workflows.workers import apps
from workflows.workers.apps import ALONE, ParslSubmit

PENDING, RUNNING = ({"0": JobStatus(state)} for state in (JobState.PENDING, JobState.RUNNING))


@pytest.fixture
def parsl(monkeypatch):
    """A Parsl that never answers by itself, and a clock: futures, blocks, now."""
    there = SimpleNamespace(futures=[], now=0.0)
    there.executor = SimpleNamespace(
        bad_state_is_set=False, interchange_proc=SimpleNamespace(poll=lambda: None), status_facade=RUNNING
    )

    def app(_packed):
        there.futures.append(Future())
        return there.futures[-1]

    monkeypatch.setattr("parsl.app.app.python_app", lambda *_, **__: app)
    monkeypatch.setattr(apps, "time", SimpleNamespace(monotonic=lambda: there.now))
    there.submit = ParslSubmit(SimpleNamespace(executors={ALONE: there.executor}), Handling(limit_s=100.0))
    return there


def test_tasks_that_nobody_answers_end_the_run_once_no_trial_may_take_so_long(parsl):
    parsl.now = 1000.0
    parsl.submit(print)
    parsl.now += Handling(limit_s=100.0).longest_s - 1
    assert parsl.submit.broken() == ""
    parsl.now += 2
    assert "none has answered for 1400 s" in parsl.submit.broken()


def test_an_answer_is_a_sign_of_life(parsl):
    for _ in range(2):
        parsl.submit(print)
    parsl.now = 1000.0
    parsl.futures[0].set_result(None)
    parsl.now = 2000.0
    assert parsl.submit.broken() == ""
    parsl.now = 3000.0
    assert parsl.submit.broken() != ""


def test_workers_in_a_queue_need_not_answer(parsl):
    parsl.submit(print)
    parsl.executor.status_facade = PENDING
    parsl.now = 1e6
    assert parsl.submit.broken() == ""
    parsl.executor.status_facade = RUNNING
    assert parsl.submit.broken() == ""  # they have only just started
    parsl.now += 1e4
    assert parsl.submit.broken() != ""
