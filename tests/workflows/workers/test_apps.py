"""Who gets which task, and what becomes of those that Parsl lost?"""

import pickle
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import pytest
from parsl.jobs.states import JobState, JobStatus

from tests.workflows.tiny import config, fused
from workflows.campaign import Trial
from workflows.trial.solver_process import Handling
from workflows.workers import apps
from workflows.workers.apps import ALONE, ON_RANKS, ParslSubmit, run_trial
from workflows.workers.start import kinds

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


SMALL, LARGE = (Trial(config(), fused(4, chemical), 0, {"haadf": 0.1, "tv": 1.0}) for chemical in (2, 3))


@pytest.fixture
def submitted(monkeypatch):
    """What a Parsl with such conditions gets: (label of its executor, ranks) of every trial."""

    def submitted(ranks, *trials):
        told = []

        def python_app(_function, data_flow_kernel, executors):
            def app(packed):
                _, (_, how) = pickle.loads(packed)
                told.append((*executors, how.ranks))
                return Future()

            return app

        monkeypatch.setattr("parsl.app.app.python_app", python_app)
        executors = dict.fromkeys(kinds(ranks), SimpleNamespace())
        submit = ParslSubmit(SimpleNamespace(executors=executors), Handling(), ranks)
        for trial in trials:
            submit(run_trial, trial)
        return told

    return submitted


def test_trials_go_to_workers_that_can_compute_them_and_slabs_need_no_ranks(submitted):
    slab = replace(LARGE, fidelity=0.25)
    both = {SMALL.condition.key: 1, LARGE.condition.key: 3}
    assert submitted(both, SMALL, LARGE, slab) == [(ALONE, 1), (ON_RANKS, 3), (ALONE, 1)]
    all_large = dict.fromkeys(both, 2)
    assert submitted(all_large, SMALL, LARGE, slab) == [(ON_RANKS, 2), (ON_RANKS, 2), (ON_RANKS, 1)]
    assert submitted({}, SMALL, slab) == [(ALONE, 1), (ALONE, 1)]


def test_a_worker_that_starts_ranks_first_ends_its_solver_of_slabs(monkeypatch):
    """It would hold memory, of a GPU too, that the ranks need."""
    said = []
    solver = SimpleNamespace(
        how=Handling(),
        evaluate=lambda trial: said.append("slab") or SimpleNamespace(line=str),
        end=lambda: said.append("end"),
    )
    monkeypatch.setattr(apps._Solver, "process", solver)
    monkeypatch.setattr(
        apps, "evaluate_on_ranks", lambda trial, how: said.append(f"{how.ranks} ranks") or SimpleNamespace(line=str)
    )
    run_trial(replace(LARGE, fidelity=0.25), Handling())
    run_trial(LARGE, Handling(ranks=2))
    run_trial(LARGE, Handling(ranks=2))
    assert said == ["slab", "end", "2 ranks", "2 ranks"]
    assert apps._Solver.process is None
