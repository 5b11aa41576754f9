"""The plan counts what will run, and its time follows the work."""

import io

import pytest
from rich.console import Console

from tests.workflows.tiny import config
from workflows.batch import plan
from workflows.batch.speed import Load, Speed
from workflows.campaign import STRATEGIES
from workflows.machines import Machine, Wishes, load_machine

MACHINE = Machine(name="m", workers=2)
QUIET = Load(0.0, 64)


def test_cells_and_trials_are_those_of_the_campaign():
    predicted = plan.predict(config(), MACHINE, 1e-9)
    assert (predicted.cells, predicted.others) == (4, 4)
    assert predicted.trials == 4 * 4 + 2 * 3 + 2 * 1
    assert predicted.workers == 2


def test_twice_the_workers_take_half_the_time():
    two, four = (plan.predict(config(), Machine(name="m", workers=n), 1e-9).seconds for n in (2, 4))
    assert two == pytest.approx(2 * four)


def test_only_the_model_takes_time_to_propose():
    seconds = {
        strategy: plan.predict(config(search__strategy=strategy, methods=["fused"]), MACHINE, 1e-12).seconds
        for strategy in ("gp_hedge", "sobol")
    }
    # four cells with two proposals of the model each, on two workers
    assert seconds["gp_hedge"] - seconds["sobol"] == pytest.approx(4 * 2 * plan._PROPOSAL_S / 2)


def test_cheap_trials_count_as_their_share():
    """Eight trials a cell, of which one and some top-ups are whole; the others compute half of the columns."""
    more = {"search__strategy": "map", "search__evaluations": 8, "methods": ["fused"]}
    cheap, whole = (
        plan.predict(config(search__fidelity=layout, **more), MACHINE, 1e-9).seconds
        for layout in ({"slab": 4, "margin": 2}, None)
    )
    full = STRATEGIES["map"].whole(8)
    assert 1 < full < 3
    assert cheap / whole == pytest.approx((full + 0.5 * (8 - full)) / 8)


def test_a_fine_simulation_needs_more_memory():
    coarse, fine = (plan.predict(config(acquisition__grid=g), MACHINE, 0.0).memory_gb for g in ("same", "fine"))
    assert fine > coarse > 0.3


def shown(campaign, machine, path="tiny.toml"):
    """What `show` prints: the table and, elsewhere, warnings."""
    out, said = io.StringIO(), io.StringIO()
    found = plan.forecast(campaign, machine)
    plan.show(Console(file=out, width=200), Console(file=said, width=200), found, path, machine.name)
    return out.getvalue(), said.getvalue()


def speed(monkeypatch, *units_s, kernels_s=0.0, share=1.0, load=QUIET):
    """Stand for the measurement."""
    monkeypatch.setattr(plan, "measured", lambda *_: Speed(units_s, kernels_s, share, load))


def test_the_plan_is_shown_with_its_measure():
    out, _ = shown(config(), load_machine("laptop").with_workers(2))
    for words in (
        "4 of fused, 4 of other methods",
        "trials",
        "24",
        "2 on laptop",
        "GB per worker",
        "s to ",
        "3 timed trials",
    ):
        assert words in out


ELSEWHERE = Machine(name="m", provider="slurm", workers=2, walltime_min=60)
NO_MODEL = {"search__strategy": "sobol"}


def test_the_time_is_a_range_from_the_fastest_and_the_slowest_probe():
    found = plan.span(config(), ELSEWHERE, Speed((3e-9, 2e-9, 5e-9), share=0.5, load=QUIET))
    least, most = (plan.predict(config(), ELSEWHERE, unit_s).seconds for unit_s in (0.5 * 2e-9, 5e-9))
    assert found.low_s == pytest.approx(least + plan._START_S)
    assert found.high_s == pytest.approx(most + plan._START_S + plan._COMPILE_S)  # hosts that have no kernels yet


def test_the_start_of_workers_and_kernels_is_in_the_range():
    nothing = Speed((0.0,), kernels_s=11.0, load=QUIET)
    here = plan.span(config(**NO_MODEL), MACHINE, nothing)
    assert (here.low_s, here.high_s) == (plan._START_S, plan._START_S + 11.0)


@pytest.mark.parametrize(
    ("load", "workers", "longer"),
    [
        (Load(0.0, 4), 1, 1.0),  # alone
        (Load(0.0, 4), 4, 1.3),  # a core for each
        (Load(0.0, 2), 4, 1.3 * 2.0),  # two for each core
        (Load(2.0, 2), 2, 1.3 * 4 / 3),  # half the time of a core instead of two thirds, as the probe had
        (Load(0.0, 2, lately=2.0), 2, 1.3 * 4 / 3),  # at worst as it was
    ],
)
def test_workers_share_the_cores_with_one_another_and_with_others(load, workers, longer):
    small, machine = config(**NO_MODEL), Machine(name="m", workers=workers)
    alone = plan.predict(small, machine, 1e-6).seconds
    found = plan.span(small, machine, Speed((1e-6,), load=load))
    assert found.high_s == pytest.approx(longer * alone + plan._START_S * load.stretches(workers))


def test_a_busy_machine_stretches_the_start_and_the_model_which_were_measured_on_a_quiet_one():
    model_s = plan.predict(config(), MACHINE, 0.0).seconds
    assert model_s > 0
    found = plan.span(config(), MACHINE, Speed((0.0,), load=Load(6.0, 2)))
    assert found.high_s == pytest.approx(4 * (plan._START_S + model_s))
    assert found.low_s == pytest.approx(plan._START_S + model_s)


def test_a_busy_machine_is_warned_of(monkeypatch):
    for load, warned in ((Load(3.0, 2), True), (Load(0.1, 2), False)):
        speed(monkeypatch, 1e-9, load=load)
        said = shown(config(), MACHINE)[1]
        assert ("this machine is busy: a load of 3.0 on 2 cores" in said) == warned
        assert ("plan again when it is quiet" in said) == warned


def test_a_worker_s_threads_are_those_that_are_timed(monkeypatch):
    asked = []
    monkeypatch.setattr(plan, "measured", lambda *given: asked.append(given[2]) or Speed((1e-9,)))
    plan.forecast(config(), Machine(name="m", workers=1, threads_per_worker=3))
    assert asked == [3]


def test_workers_that_no_trial_is_left_for_are_counted_out(tmp_path):
    few, many = (plan.predict(config(), Machine(name="m", workers=n), 1e-9) for n in (8, 64))
    assert few.at_once == many.at_once == 4 + 2 + 2  # a trial of each condition
    assert many.seconds == few.seconds
    assert plan.predict(config(search__pending=3), MACHINE, 1e-9).at_once == 3 * 4 + 3 * 2 + 2
    out = io.StringIO()
    for name, value in plan._rows(many, plan.Span(1, 2), Machine(name="m", workers=64), "this host"):
        out.write(f"{name} {value}\n")
    assert "at most 8 of them busy" in out.getvalue()


def test_a_machine_with_a_scheduler_is_shown_node_hours_jobs_and_the_scripts_of_both_ways(tmp_path, monkeypatch):
    speed(monkeypatch, 1e-6)
    out, _ = shown(config(), Wishes(nodes=2).applied(load_machine("polaris")), tmp_path / "tiny.toml")
    for words in ("8 on polaris, 4 on each of 2 nodes", "node hours", "of 60 min", "a GPU is faster"):
        assert words in out
    pool = "python3 -m workflows.workers.pool ..."
    for words in ("#PBS -A YOUR_ACCOUNT", "--workers-in job", "mpiexec --cpu-bind none", pool):
        assert words in out


def test_jobs_are_counted_by_the_minutes_in_which_trials_start():
    machine = Machine(name="m", provider="slurm", workers=1, walltime_min=60, drain_min=10)
    long = plan.Plan("fused", 1, 0, 1, 1.0, 101 * 60, 1, 1, 1)
    rows = dict(plan._rows(long, plan.Span(60 * 60, 101 * 60), machine, "this host"))
    assert rows["node hours"] == "1 to 1.7, in at most 3 jobs of 60 min"
