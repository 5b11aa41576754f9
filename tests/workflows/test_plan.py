"""The plan counts what will run, and its time follows the work."""

import io

import pytest
from rich.console import Console

from fusedtomo.errors import InputError
from tests.workflows.tiny import config, write_toml
from workflows import plan
from workflows.campaign import Condition
from workflows.machines import Machine, Wishes

MACHINE = Machine(name="m", workers=2)


def test_cells_and_trials_are_those_of_the_campaign():
    predicted = plan.predict(config(), MACHINE, 1e-9)
    assert (predicted.cells, predicted.baselines) == (4, 4)
    assert predicted.trials == 4 * 4 + 2 * 3 + 2 * 1
    assert predicted.workers == 2


def test_twice_the_workers_take_half_the_time():
    two, four = (plan.predict(config(), Machine(name="m", workers=n), 1e-9).seconds for n in (2, 4))
    assert two == pytest.approx(2 * four)


def test_only_the_model_takes_time_to_propose():
    seconds = {
        strategy: plan.predict(config(search__strategy=strategy, baselines=[]), MACHINE, 1e-12).seconds
        for strategy in ("gp_hedge", "sobol")
    }
    # four cells with two proposals of the model each, on two workers
    assert seconds["gp_hedge"] - seconds["sobol"] == pytest.approx(4 * 2 * plan._PROPOSAL_S / 2)


def test_work_grows_with_tilts_size_and_iterations():
    cell = Condition("fused", 4, 3)
    base = plan.work(config(), cell)
    assert plan.work(config(), Condition("fused", 8, 3)) > base
    assert plan.work(config(), Condition("fused", 4, 6)) > base
    assert plan.work(config(phantom__size=32), cell) == 8 * base
    assert plan.work(config(solver__max_iterations=6), cell) == 3 * base


def test_a_fine_simulation_needs_more_memory():
    coarse, fine = (plan.predict(config(acquisition__grid=g), MACHINE, 0.0).memory_gb for g in ("same", "fine"))
    assert fine > coarse > 0.3


def test_the_plan_is_shown_with_its_measure(tmp_path):
    out = io.StringIO()
    quiet = Console(quiet=True)
    plan.show(Console(file=out, width=200), quiet, write_toml(tmp_path / "tiny.toml"), "laptop", Wishes(workers=2))
    shown = out.getvalue()
    for words in ("4 fused, 4 baselines", "trials", "24", "2 on laptop", "GB per worker", "at most"):
        assert words in shown


def test_a_trial_that_fails_is_no_measure(monkeypatch):
    with pytest.raises(InputError, match=r"a trial of campaign 'tiny' fails: InputError: there is no phantom 'none'"):
        plan.seconds_per_unit(config(phantom__name="none"))
