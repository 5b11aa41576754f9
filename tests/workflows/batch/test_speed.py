"""The measurement is repeated, on the threads of a worker, and knows what else the machine does."""

import numba
import pytest

from fusedtomo.errors import InputError
from tests.workflows.tiny import config, fused
from workflows.batch import speed
from workflows.batch.speed import Load


def test_three_small_trials_are_timed_after_one_that_loads_the_kernels(monkeypatch):
    timed = []
    real = speed.evaluate

    def evaluate(trial, place):
        timed.append((trial.config.phantom.size, trial.config.solver.max_iterations, numba.get_num_threads()))
        return real(trial, place)

    monkeypatch.setattr(speed, "evaluate", evaluate)
    before = numba.get_num_threads()
    found = speed.measured(config(phantom__size=40), threads=1)
    assert timed == [(32, 10, 1)] * 4 + [(32, 2, 1)]  # the last runs by the campaign's own rules
    assert len(found.units_s) == 3
    assert all(0 < unit_s < 1e-3 for unit_s in found.units_s)
    assert found.kernels_s > 0
    assert numba.get_num_threads() == before


@pytest.mark.parametrize(
    ("cap", "tolerance", "expected"),
    [(50, 1e9, 3 / 50), (50, 0.0, 1.0), (500, 0.0, 1.0)],
    ids=["stops", "at its cap", "not within what is watched"],
)
def test_the_share_of_the_cap_that_a_trial_needs(cap, tolerance, expected):
    small = config(solver={"max_iterations": cap, "tolerance": tolerance})
    assert speed.measured(small).share == pytest.approx(expected)


def test_a_trial_that_fails_is_no_measure():
    with pytest.raises(InputError, match=r"a trial of campaign 'tiny' fails: .*; mend the campaign"):
        speed.measured(config(solver__depth=7))  # unlike the truth


def test_work_grows_with_tilts_size_and_iterations():
    cell = fused(4, 3)
    base = speed.work(config(), cell)
    assert speed.work(config(), fused(8, 3)) > base
    assert speed.work(config(), fused(4, 6)) > base
    assert speed.work(config(phantom__size=32), cell) == 8 * base
    assert speed.work(config(solver__max_iterations=6), cell) == 3 * base


@pytest.mark.parametrize(
    ("load", "threads", "longer"),
    [(Load(0, 8), 8, 1), (Load(0, 1), 1, 1), (Load(0, 2), 8, 4), (Load(6, 2), 2, 8 / 7), (Load(7, 8), 8, 15 / 8)],
)
def test_threads_on_fewer_cores_take_longer(load, threads, longer):
    assert load.slows(threads) == pytest.approx(longer)


def test_a_machine_is_busy_when_others_want_its_cores(monkeypatch):
    monkeypatch.setattr(speed.os, "getloadavg", lambda: (5.0, 7.0, 6.0))
    monkeypatch.setattr(speed.os, "sched_getaffinity", lambda _: {0, 1})
    assert speed.load_here() == Load(5.0, 2, lately=7.0)
    assert speed.load_here().busy
    assert not Load(0.3, 2).busy


def test_a_system_that_tells_no_load_is_taken_for_quiet(monkeypatch):
    def none():
        raise OSError

    monkeypatch.setattr(speed.os, "getloadavg", none)
    assert not speed.load_here().busy
