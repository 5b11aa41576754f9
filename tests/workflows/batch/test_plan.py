"""The plan counts what will run, and its time follows the work."""

import io

import pytest
from rich.console import Console

from fusedtomo.errors import InputError
from tests.workflows.tiny import config, write_toml
from workflows.batch import plan
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
    with pytest.raises(InputError, match=r"a trial of campaign 'tiny' fails: UnknownName: there is no phantom 'none'"):
        plan.seconds_per_unit(config(phantom__name="none"))


def test_workers_that_no_trial_is_left_for_are_counted_out(tmp_path):
    few, many = (plan.predict(config(), Machine(name="m", workers=n), 1e-9) for n in (8, 64))
    assert few.at_once == many.at_once == 4 + 2 + 2  # a trial of each condition
    assert many.seconds == few.seconds
    assert plan.predict(config(search__pending=3), MACHINE, 1e-9).at_once == 3 * 4 + 3 * 2 + 2
    out = io.StringIO()
    for name, value in plan._rows(many, Machine(name="m", workers=64), "this host"):
        out.write(f"{name} {value}\n")
    assert "at most 8 of them busy" in out.getvalue()


def test_a_machine_with_a_scheduler_is_shown_node_hours_jobs_and_the_scripts_of_both_ways(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "seconds_per_unit", lambda *_: 1e-3)
    out = io.StringIO()
    campaign = write_toml(tmp_path / "tiny.toml")
    plan.show(Console(file=out, width=200), Console(quiet=True), campaign, "polaris", Wishes(nodes=2))
    shown = out.getvalue()
    for words in ("8 on polaris, 4 on each of 2 nodes", "node hours", "of 60 min", "a GPU is faster"):
        assert words in shown
    pool = "python3 -m workflows.workers.pool ..."
    for words in ("#PBS -A YOUR_ACCOUNT", "--workers-in job", "mpiexec --cpu-bind none", pool):
        assert words in shown


def test_jobs_are_counted_by_the_minutes_in_which_trials_start():
    machine = Machine(name="m", provider="slurm", workers=1, walltime_min=60, drain_min=10)
    week = plan.Plan(1, 0, 1, 1.0, 101 * 60, 1, 1, 1)
    rows = dict(plan._rows(week, machine, "this host"))
    assert rows["node hours"] == "at most 1.7, in 3 jobs of 60 min"
