"""Does the steering benchmark hold together, in small, and does the controller's memory stay within its bounds?"""

import tracemalloc
from dataclasses import replace

import pytest

from benchmarks import figures, simulated, steering
from workflows.control.steer import Steering
from workflows.record.journal import by_condition, replay

SPANS = [("trial", 0.0, 2.0), ("proposal", 1.0, 2.0), ("trial", 2.0, 4.0), ("trial", 3.5, 4.0)]


def test_shares_of_time_are_those_of_the_tasks():
    info = simulated.busy_info(SPANS, workers=2, bins=4)
    assert info["seconds"] == [0.5, 1.5, 2.5, 3.5]
    assert info["trial"] == pytest.approx([0.5, 0.5, 0.5, 0.75])
    assert info["proposal"] == pytest.approx([0, 0.5, 0, 0])


def test_once_started_is_from_every_workers_first_task_to_the_last_begin():
    busy = simulated.busy_once_started(SPANS, workers=2)  # from 1 to 3.5 s
    assert busy == pytest.approx({"trial": 2.5 / 5, "proposal": 1 / 5})


@pytest.fixture(scope="module")
def steered(tmp_path_factory):
    """Nine cells of ten trials on sixteen sleeping workers."""
    journal = tmp_path_factory.mktemp("simulated") / "journal"
    sleepers = simulated.Sleepers(16, 0.02, lambda points: 0.001 * points)
    return journal, simulated.steer(simulated.campaign(3, 10, 2), journal, sleepers, 16)


def test_simulated_workers_do_every_trial_once_and_propose_each_after_the_first_six(steered):
    journal, run = steered
    groups = by_condition(replay(journal))
    assert len(groups) == 9
    for trials in groups.values():
        assert [trial.trial for trial in trials] == list(range(10))
        # trial 6 knows 0 to 4, as there are two at once
        assert [trial.proposal_s > 0 for trial in trials] == [False] * 6 + [True] * 4
        assert trials[9].proposal_s >= 0.008
    kinds = [kind for kind, *_ in run.spans]
    assert (run.trials, kinds.count("trial"), kinds.count("proposal")) == (90, 90, 36)


def test_no_worker_does_two_things_at_once(steered):
    _, run = steered
    info = simulated.busy_info(run.spans, run.workers, bins=50)
    assert max(a + b for a, b in zip(info["trial"], info["proposal"], strict=True)) <= 1.05  # a thread wakes late


def test_a_trial_holds_little_memory(tmp_path):
    """50 KB each would be 1 GB for 400 cells of 50 trials."""
    journal, config = tmp_path / "journal", simulated.campaign(5, 40, 2)
    simulated.steer(config, journal, simulated.Sleepers(8, 0, lambda _: 0), 8)
    tracemalloc.start()
    try:
        trials = replay(journal)
        steering_ = Steering(config, trials, None, None, 8, None)
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(len(order.results) for order in steering_.orders) == 1000
    assert held / 1000 < 10_000
    assert most / 1000 < 20_000


def test_a_question_of_the_measurement_needs_the_model():
    asked = steering._asked(12, 0)
    assert asked.needs_model
    assert len(asked.told) == 12
    assert all(1e-3 <= point["haadf"] <= 1 and 0.1 <= point["tv"] <= 10 for point, _ in asked.told)


def test_bars_say_which_are_met(steered):
    run = replace(steered[1], peak_mib=200.0)  # not what other tests left in this process
    runs = {"simulated": run, "Parsl, quickstart": run}
    replayed = {"seconds": 11.0, "peak MiB": 200.0}
    met = [("**not met**" not in note) for note in steering.bars(runs, {"sum of a trial, two tasks": 2.9}, replayed)]
    assert met[2:] == [True, False, True]


def test_the_figure_has_a_panel_a_run(steered):
    _, run = steered
    info = simulated.busy_info(run.spans, run.workers)
    figure = figures.steering({"one": info, "two": info})
    assert [axes.get_title() for axes in figure.axes] == ["one", "two"]
