"""Steering: the same trials whatever order results come in, whatever failed, wherever it was resumed."""

import json
import os
import random
import threading
import time
from concurrent.futures import Future
from dataclasses import replace

import pytest

from fusedtomo.errors import InputError
from tests.workflows.stubs import Pool, Watch, eight, facts, steered, stub_model, stub_trial
from tests.workflows.tiny import config
from workflows.campaign import Trial
from workflows.control import steer
from workflows.control.steer import Steering
from workflows.record.journal import Journal, by_condition, replay
from workflows.search import gp_hedge as search
from workflows.search.order import ConditionOrder
from workflows.search.propose import Asked
from workflows.trial.solver_process import Handling
from workflows.workers import apps


@pytest.fixture(autouse=True)
def _stubs(monkeypatch):
    monkeypatch.setattr(steer, "run_trial", stub_trial)
    monkeypatch.setattr(search, "_gaussian_process", stub_model)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trials.jsonl"


@pytest.mark.parametrize("pending", [1, 3])
def test_the_trials_are_the_same_on_1_2_and_8_workers(tmp_path, pending):
    found = [
        facts(steered(tmp_path / f"{workers}-{seed}", eight(pending), pool=Pool(workers, seed), workers=workers))
        for workers, seed in [(1, 0), (2, 1), (8, 2), (8, 3)]
    ]
    assert len(found[0]) == 4 * 8 + 2 * 4 + 2
    assert found[1:] == found[:1] * 3


@pytest.mark.parametrize("pending", [1, 3])
def test_warm_trials_start_from_their_first_one_on_any_number_of_workers(tmp_path, pending):
    for workers in (1, 5):
        pool = Pool(workers, workers)
        trials = steered(tmp_path / f"{workers}", eight(pending, search__warm_start=True), pool=pool, workers=workers)
        first = {trial.condition: trial for trial in trials if trial.trial == 0}
        starts = {
            (trial.condition.key, trial.number): trial.start for trial in pool.submitted if hasattr(trial, "start")
        }
        assert len(starts) == len(trials)
        for (key, number), start in starts.items():
            assert start == (first[key].point if number >= pending and number > 0 and first[key].ok else None)
        assert any(starts.values())


def test_without_warm_starts_all_start_alike(path):
    pool = Pool(2)
    steered(path, eight(), pool=pool)
    assert {trial.start for trial in pool.submitted if hasattr(trial, "start")} == {None}


@pytest.mark.filterwarnings("ignore")  # scikit-optimize silences warnings in a way that threads undo
def test_the_real_model_gives_the_same_trials_on_1_and_3_workers(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(steer, "run_trial", stub_trial)
    small = config(search__pending=2, axes={"haadf_tilts": [2], "chemical_tilts": [2, 3]}, methods=["fused"])
    one, three = (facts(steered(tmp_path / str(n), small, workers=n)) for n in (1, 3))
    assert one == three
    assert any("gains" in state for *_, state in one)


def test_every_trial_of_every_condition_is_journalled_once(path):
    trials = steered(path, eight(2))
    expected = {(c.key, t) for c in eight().conditions() for t in range(eight().evaluations(c))}
    assert {(t.condition, t.trial) for t in trials} == expected
    assert len(trials) == len(expected)


def test_pending_is_how_many_trials_of_a_condition_may_run_at_once(path):
    running, most, lock = {}, {}, threading.Lock()

    def counted(trial):
        key = trial.condition.key
        with lock:
            running[key] = running.get(key, 0) + 1
            most[key] = max(most.get(key, 0), running[key])
        time.sleep(0.05)
        with lock:
            running[key] -= 1
        return stub_trial(trial)

    steer.run_trial = counted
    steered(path, eight(3, axes={"haadf_tilts": [4], "chemical_tilts": [3]}, methods=["fused"]), workers=6)
    assert most == {"fused-h4-c3": 3}


def test_a_point_in_flight_is_told_as_pending_and_never_as_a_result(path):
    asked = []

    def recorded(question):
        asked.append(question)
        return stub_model(question)

    search._gaussian_process = recorded
    trials = by_condition(steered(path, eight(3)))
    assert asked
    for question in asked:
        assert len(question.pending) == min(2, question.trial)
        known = next(group for group in trials.values() if question.pending[0] in [t.point for t in group])
        before = known[: question.trial - 2]
        assert question.told == [(t.point, t.nrmse) for t in before if t.ok]
        assert question.pending == [t.point for t in known[question.trial - 2 : question.trial]]


def test_failures_never_reach_the_model(path):
    asked = []
    search._gaussian_process = lambda question: asked.append(question) or stub_model(question)
    trials = steered(path, eight())
    failures = [json.dumps(trial.point) for trial in trials if not trial.ok]
    assert failures
    told = [(json.dumps(point), value) for question in asked for point, value in question.told]
    assert all(isinstance(value, float) and point not in failures for point, value in told)


def test_a_lost_worker_is_a_failed_line_with_its_reason_and_the_rest_goes_on(path):
    def lose_one(trial):
        if (trial.condition.key, trial.number) == ("fused-h4-c3", 1):
            raise RuntimeError("worker lost: é " + "x" * 1000)
        return stub_trial(trial)

    steer.run_trial = lose_one
    trials = steered(path, eight())
    lost = next(t for t in trials if (t.condition, t.trial) == ("fused-h4-c3", 1))
    assert (lost.status, lost.nrmse) == ("failed", None)
    assert lost.reason.startswith("RuntimeError: worker lost: é")
    assert lost.point
    assert lost.weights["tv"] == lost.point["tv"]
    assert len(trials) == 42


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["point", "state"])
def test_a_proposal_that_is_no_number_is_replaced_and_said(path, where, number):
    def spoilt(question):
        proposal = stub_model(question)
        getattr(proposal, where).update({"tv" if where == "point" else "memory": number})
        return proposal

    search._gaussian_process = spoilt
    trials = steered(path, eight())
    assert len(trials) == 42
    assert any("JSON compliant" in trial.search.get("fallback", "") for trial in trials)


@pytest.mark.parametrize("spoilt", [{"nrmse": float("nan")}, {"rmse_by_element": {"Co": float("inf")}}], ids=str)
def test_a_result_that_is_no_number_is_a_failed_trial_that_no_model_sees(path, monkeypatch, spoilt):
    class Solver:
        def evaluate(self, trial):
            result = stub_trial(trial)
            return replace(result, **spoilt) if result.ok and trial.number == 3 else result

    asked = []
    search._gaussian_process = lambda question: asked.append(question) or stub_model(question)
    monkeypatch.setattr(apps, "_solver", lambda _: Solver())
    monkeypatch.setattr(steer, "run_trial", lambda trial: apps.run_trial(trial, Handling()))
    trials = steered(path, eight())
    failed = [trial for trial in trials if "JSON compliant" in trial.reason]
    assert failed
    assert {(trial.status, trial.nrmse, trial.trial) for trial in failed} == {("failed", None, 3)}
    assert all(0 < value < 2 for question in asked for _, value in question.told)


def test_a_proposal_that_fails_is_replaced_and_said(path):
    def no_model(question):
        raise FloatingPointError("singular")

    search._gaussian_process = no_model
    trials = steered(path, eight())
    assert len(trials) == 42
    replaced = [t for t in trials if "fallback" in t.search]
    assert {t.search["fallback"] for t in replaced} == {"FloatingPointError: singular"}
    points = [json.dumps(t.point) for t in trials if t.condition == "fused-h2-c2"]
    assert len(set(points)) == len(points)  # still space-filling


@pytest.mark.parametrize("pending", [1, 3])
def test_resuming_from_any_part_of_a_journal_ends_with_the_same_trials(tmp_path, pending):
    small = eight(pending, axes={"haadf_tilts": [2, 4], "chemical_tilts": [3]})
    lines = [t.line() for t in steered(tmp_path / "whole", small, workers=3)]
    whole = facts(replay(tmp_path / "whole"))
    random_ = random.Random(pending)
    parts = [lines[:end] for end in range(len(lines))]
    parts += [[line for line in lines if random_.random() < share] for share in (0.2, 0.5, 0.8) for _ in range(6)]
    parts += [random_.sample(lines, len(lines) // 2) for _ in range(3)]
    for number, part in enumerate(parts):
        journal = tmp_path / f"part-{number}"
        torn = random_.choice(lines)[: random_.randrange(1, 60)]
        journal.write_text("".join(f"{line}\n" for line in part) + torn)
        resumed = steered(journal, small, pool=Pool(3, number, 0.001), workers=3)
        assert facts(resumed) == whole
        assert [t.line() for t in resumed[: len(part)]] == part  # what was there is never touched


def test_a_finished_journal_starts_nothing(path):
    steered(path, eight())
    before, pool = path.read_bytes(), Pool(1)
    steered(path, eight(), pool=pool)
    assert pool.submitted == []
    assert path.read_bytes() == before


def test_a_trial_that_the_journal_lost_in_the_middle_costs_one_proposal(path):
    steered(path, eight(methods=["fused"]))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"condition": "fused-h4-c3", "trial": 5,' not in line))
    assert len(replay(path)) == len(lines) - 1
    pool = Pool(1)
    steered(path, eight(methods=["fused"]), pool=pool)
    assert [type(argument) for argument in pool.submitted] == [Asked, Trial]


@pytest.mark.parametrize("pending", [1, 3])
def test_more_evaluations_go_on_from_the_same_first_trials(tmp_path, pending):
    few, many = (config(search__pending=pending, search__evaluations=n) for n in (4, 9))
    raised, fresh = tmp_path / "raised", tmp_path / "fresh"
    first = facts(steered(raised, few))
    assert set(first) < set(facts(steered(raised, many)))
    assert facts(replay(raised)) == facts(steered(fresh, many))


def test_stopping_ends_early_with_everything_journalled_and_a_resume_ends_the_same(tmp_path):
    recorded = []

    def stop_after_nine(result):
        recorded.append(result)
        watch.steering.stopping = len(recorded) >= 9

    watch = Watch(stop_after_nine)
    pool = Pool(2)
    stopped = steered(tmp_path / "stopped", eight(), watch=watch, pool=pool)
    assert 9 <= len(stopped) <= 9 + 2  # those that were running, and one handed out ahead
    assert facts(stopped) == facts(recorded)
    begun = [argument for argument in pool.submitted if isinstance(argument, Trial)]
    assert len(begun) == len(stopped)
    assert facts(steered(tmp_path / "stopped", eight())) == facts(steered(tmp_path / "whole", eight()))


def test_a_proposal_that_ends_after_the_stop_starts_no_trial(path):
    stop = Watch()

    def model(question):
        stop.steering.stopping = True
        return stub_model(question)

    search._gaussian_process = model
    pool = Pool(1)
    stopped = steered(path, eight(methods=["fused"]), watch=stop, pool=pool, workers=1)
    modelled = [argument for argument in pool.submitted if isinstance(argument, Asked)]
    assert modelled
    # the first proposal of a model is that of trial 2; none of them was begun
    assert max(t.trial for t in stopped) == 1


def test_the_map_fills_evenly(path):
    trials = steered(path, eight(methods=["fused"]), pool=Pool(1, longest_s=0), workers=1)
    done = dict.fromkeys((c.key for c in eight(methods=["fused"]).conditions()), 0)
    for trial in trials:
        done[trial.condition] += 1
        assert max(done.values()) - min(done.values()) <= 2  # 1, and the one handed out ahead


def test_no_worker_waits_while_there_is_work(path):
    pool, watch = Pool(3), Watch()
    steered(path, eight(), pool=pool, watch=watch, workers=3)
    assert all(progress.running <= 3 for progress in watch.progress)
    assert all(0 <= progress.busy_seconds <= 3 * progress.elapsed_s for progress in watch.progress)
    assert max(progress.running for progress in watch.progress) == 3


def test_a_model_that_takes_long_holds_up_its_own_condition_alone(path):
    others_done = threading.Event()

    def slow(question):
        if question.seed == slow_one.seed:
            assert others_done.wait(30)  # it ends only after all others have: else the test fails here
        return stub_model(question)

    def count(result):
        others = [trial for trial in replay(path) if trial.condition != slow_one.condition.key]
        if len(others) == 3 * 8 + 2 * 4 + 2:
            others_done.set()

    watch = Watch(count)
    slow_one = ConditionOrder(eight(), eight().conditions()[-1])
    search._gaussian_process = slow
    trials = steered(path, eight(), watch=watch)
    assert len(trials) == 42
    assert others_done.is_set()
    assert not any("fallback" in trial.search for trial in trials)


def test_the_model_is_fitted_by_workers_alone(path):
    threads = set()
    search._gaussian_process = lambda question: threads.add(threading.current_thread()) or stub_model(question)
    steered(path, eight())
    assert threads
    assert threading.main_thread() not in threads


def test_the_time_of_the_model_is_in_the_journal(path):
    def slow(question):
        time.sleep(0.02)
        return stub_model(question)

    search._gaussian_process = slow
    for trial in steered(path, eight(methods=["fused"])):
        modelled = "memory" in trial.search and trial.search["memory"] > 0 and trial.trial >= 2
        assert (trial.proposal_s >= 0.02) == modelled


class AtOnce:
    """Workers that answer a whole round of tasks at the same moment, from the first one on."""

    def __init__(self, answer):
        self.answer, self.waiting = answer, []

    def __call__(self, function, argument) -> Future:
        future = Future()
        self.waiting.append((future, function, argument))
        return future

    def broken(self) -> str:
        """Called by the loop before it waits: now everything that was handed out ends."""
        now, self.waiting = self.waiting, []
        for future, function, argument in now:
            self.answer(future, function, argument)
        return ""


def test_results_that_came_together_reach_the_disk_together_and_are_told_after_that(path, monkeypatch):
    synced, fsync = [], os.fsync

    def sync(descriptor):
        fsync(descriptor)
        synced.append(len(replay(path)))

    def told(result):
        assert result in replay(path)[: synced[-1]]

    def asks_only_what_is_durable(question):
        durable = [(trial.point, trial.nrmse) for trial in replay(path)[: synced[-1]]]
        assert all(known in durable for known in question.told)
        return stub_model(question)

    monkeypatch.setattr(os, "fsync", sync)
    search._gaussian_process = asks_only_what_is_durable
    pool = AtOnce(lambda future, function, argument: future.set_result(function(argument)))
    with Journal(path) as journal:
        Steering(eight(), [], journal, pool, 5, Watch(told), pool.broken).run()
    trials = replay(path)
    assert len(trials) == 42
    assert not any("fallback" in trial.search for trial in trials)
    assert synced[0] == 6  # five workers, and one task ahead
    assert len(synced) < 42 / 2


def test_what_was_answered_before_all_workers_were_lost_is_kept(path):
    def answer(future, function, argument):
        if len(answered) == 4:
            future.set_exception(RuntimeError("ManagerLost"))
        else:
            answered.append(argument)
            future.set_result(function(argument))

    answered, pool = [], AtOnce(answer)

    def broken():  # Parsl learns of the loss together with the loop
        lost = len(answered) == 4
        return "killed" if lost else pool.broken()

    with Journal(path) as journal:
        steering = Steering(eight(), [], journal, pool, 5, Watch(), broken)
        with pytest.raises(steer.WorkersLost):
            steering.run()
    assert [(trial.condition, trial.trial, trial.ok) for trial in replay(path)] == [
        (trial.condition.key, trial.number, stub_trial(trial).ok) for trial in answered
    ]
    assert facts(steered(path, eight())) == facts(steered(path.with_name("whole"), eight()))


def test_workers_that_are_told_to_stop_with_the_campaign_are_not_lost(path):
    """A batch system's SIGTERM goes to every process of a job; what ran is abandoned, as at the end of the drain."""

    def answer(future, function, argument):
        if steering.stopping:
            future.set_exception(RuntimeError("ManagerLost"))
        else:
            future.set_result(function(argument))

    def broken():
        pool.broken()
        if pool.rounds == 2:
            steering.stop(60)
        pool.rounds += 1
        return "Parsl's interchange ended with -15" if steering.stopping else ""

    pool = AtOnce(answer)
    pool.rounds = 0
    with Journal(path) as journal:
        steering = Steering(eight(), [], journal, pool, 5, Watch(), broken)
        steering.run()
    assert 0 < len(replay(path)) < 42
    assert not any("ManagerLost" in trial.reason for trial in replay(path))


def test_what_does_not_end_in_time_is_abandoned_and_not_recorded(path):
    """As at the end of the drain; a resume computes it."""

    class Endless(Pool):
        def __call__(self, function, argument):
            future = super().__call__(function, argument)
            return Future() if len(self.submitted) > 2 else future

    watch = Watch(lambda _: watch.steering.stop(0.3))
    began = time.monotonic()
    recorded = steered(path, eight(), watch=watch, pool=Endless(2))
    assert 0.3 <= time.monotonic() - began < 20
    assert 1 <= len(recorded) <= 2
    assert facts(steered(path, eight())) == facts(steered(path.with_name("whole"), eight()))


@pytest.mark.parametrize("silent", [False, True], ids=["tasks fail", "nothing answers"])
def test_the_loss_of_all_workers_ends_the_run_without_a_failed_line(path, silent):
    """As when the pool of workers, or Parsl's interchange, is killed."""
    lost = []

    def lose(future):
        lost.append("killed")
        if not silent:
            future.set_exception(RuntimeError("ManagerLost"))

    class Losing(Pool):
        def __call__(self, function, argument):
            if len(self.submitted) < 5:
                return super().__call__(function, argument)
            future = Future()
            if len(self.submitted) == 5:
                self.submitted.append(argument)
                threading.Timer(0.05, lose, [future]).start()  # while the loop waits for an answer
            return future

    with Journal(path) as journal:
        steering = Steering(eight(), [], journal, Losing(2), 2, Watch(), lambda: "".join(lost[:1]))
        with pytest.raises(InputError, match=r"all workers are lost \(killed\); .* run the same command again"):
            steering.run()
    assert len(replay(path)) <= 5
    assert not any("ManagerLost" in trial.reason for trial in replay(path))
    assert facts(steered(path, eight())) == facts(steered(path.with_name("whole"), eight()))


def test_a_journal_that_cannot_be_written_ends_the_campaign(path, monkeypatch):
    def full(self, *results):
        raise InputError("trials.jsonl: cannot be written (No space left on device)")

    monkeypatch.setattr(Journal, "append", full)
    with pytest.raises(InputError, match="No space left"):
        steered(path, eight())
