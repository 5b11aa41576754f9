"""A strategy that sees the whole campaign: one order of trials, the same for any workers, resumes and mergers."""

import random
import threading
import time
from dataclasses import replace

import pytest
from rich.console import Console

from fusedtomo.errors import InputError
from tests.workflows.stubs import Inline, Pool, register, run, steered, stub_trial, toy
from tests.workflows.tiny import config
from workflows.campaign import Strategy
from workflows.control import steer
from workflows.record.journal import best, by_condition, replay
from workflows.record.merge import merge
from workflows.record.tally import Tally
from workflows.search.propose import Asked, Proposal

LAG, N_SHARED, N_ALONE = (
    5,
    4 * 8 + 2 * 4,
    2,
)  # trials that the strategy orders; those of `poisson`, with nothing to search


class Toy:
    """The toy strategy, with what it was asked; `spoilt` turns some proposals into others, or raises."""

    def __init__(self):
        self.asked, self.spoilt = [], lambda asked, proposal: proposal

    def __call__(self, asked):
        self.asked.append(asked)
        return self.spoilt(asked, toy(asked))


@pytest.fixture(params=[False, True], ids=["at once", "by workers"])
def strategy(monkeypatch, request):
    one = Toy()
    monkeypatch.setattr(steer, "run_trial", stub_trial)
    register(monkeypatch, Strategy("toy", one, sees="campaign", needs_model=lambda _: request.param))
    return one


def shared(**changes):
    return config(
        search__strategy="toy",
        search__lag=LAG,
        search__evaluations=8,
        search__baseline_evaluations=4,
        **changes,
    )


def facts(trials):
    """What must not depend on workers and interruptions."""
    return sorted(
        (
            -1 if t.order is None else t.order,
            t.condition,
            t.trial,
            t.status,
            str(t.point),
            t.fidelity,
            t.nrmse,
            str(t.search),
        )
        for t in trials
    )


def in_order(trials):
    """The trials that the strategy ordered."""
    return sorted((trial for trial in trials if trial.order is not None), key=lambda trial: trial.order)


@pytest.mark.usefixtures("strategy")
def test_the_trials_are_the_same_on_1_3_and_16_workers(tmp_path):
    found = [
        facts(steered(tmp_path / f"{workers}-{seed}", shared(), pool=Pool(workers, seed, 0.003), workers=workers))
        for workers, seed in [(1, 0), (3, 1), (16, 2), (16, 3)]
    ]
    assert len(found[0]) == N_SHARED + N_ALONE
    assert found[1:] == found[:1] * 3


@pytest.mark.usefixtures("strategy")
def test_every_trial_has_its_place_in_the_order_and_its_number_in_its_condition(tmp_path):
    trials = steered(tmp_path / "journal", shared(), workers=7)
    assert [trial.order for trial in in_order(trials)] == list(range(N_SHARED))
    for group in by_condition(trials).values():
        assert [trial.trial for trial in group] == list(range(len(group)))
        orders = [trial.order for trial in group if trial.order is not None]
        assert orders == sorted(orders)
    assert {trial.fidelity for trial in trials} == {0.25, 1.0}


@pytest.mark.usefixtures("strategy")
def test_conditions_with_nothing_to_search_run_on_their_own(tmp_path):
    alone = [trial for trial in steered(tmp_path / "journal", shared()) if trial.order is None]
    assert {(trial.condition, trial.trial) for trial in alone} == {("poisson-c2", 0), ("poisson-c3", 0)}


def test_what_a_proposal_knows_is_fixed_by_its_number(tmp_path, strategy):
    """Results 0 to n - lag, failures as such, and of those between the points alone, although all may be in."""
    trials = in_order(steered(tmp_path / "journal", shared(), workers=16))
    assert sorted(asked.trial for asked in strategy.asked) == list(range(N_SHARED))
    assert any(not trial.ok for trial in trials)
    for asked in strategy.asked:
        known = max(0, asked.trial - LAG + 1)
        assert len(asked.campaign) == asked.trial
        for number, (one, trial) in enumerate(zip(asked.campaign, trials, strict=False)):
            assert (one.condition.key, one.point, one.fidelity) == (trial.condition, trial.point, trial.fidelity)
            assert one.under_way == (number >= known)
            assert one.error == (trial.nrmse if number < known and trial.ok else None)
        assert (asked.space, list(asked.told), list(asked.pending)) == ({}, [], [])
        assert {one.key for one in asked.conditions} == {t.condition for t in trials}
        assert asked.state == (trials[asked.trial - 1].search if asked.trial else {})


@pytest.mark.usefixtures("strategy")
def test_as_many_trials_as_the_lag_says_are_under_way(tmp_path, monkeypatch):
    running, most, lock = [0], [0], threading.Lock()

    def counted(trial):
        with lock:
            running[0] += trial.condition.method != "poisson"
            most[0] = max(most[0], running[0])
        time.sleep(0.03)
        with lock:
            running[0] -= trial.condition.method != "poisson"
        return stub_trial(trial)

    monkeypatch.setattr(steer, "run_trial", counted)
    steered(tmp_path / "journal", shared(), workers=16)
    assert most == [LAG]


@pytest.mark.usefixtures("strategy")
def test_resuming_from_any_part_of_a_journal_ends_with_the_same_trials(tmp_path):
    lines = [trial.line() for trial in steered(tmp_path / "whole", shared(), workers=3)]
    whole, dice = facts(replay(tmp_path / "whole")), random.Random(3)
    parts = [lines[:end] for end in range(0, len(lines), 3)]
    parts += [[line for line in lines if dice.random() < share] for share in (0.3, 0.6, 0.9) for _ in range(3)]
    parts += [dice.sample(lines, len(lines) // 2) for _ in range(3)]
    for number, part in enumerate(parts):
        journal = tmp_path / f"part-{number}"
        journal.write_text("".join(f"{line}\n" for line in part) + dice.choice(lines)[:40])
        resumed = steered(journal, shared(), pool=Pool(3, number, 0.001), workers=3)
        assert facts(resumed) == whole
        assert [trial.line() for trial in resumed[: len(part)]] == part


@pytest.mark.usefixtures("strategy")
def test_a_resume_asks_for_no_proposal_that_the_journal_has(tmp_path, strategy):
    steered(tmp_path / "journal", shared())
    lines = (tmp_path / "journal").read_text().splitlines(keepends=True)
    (tmp_path / "journal").write_text("".join(line for line in lines if '"order": 11,' not in line))
    strategy.asked.clear()
    steered(tmp_path / "journal", shared())
    assert [asked.trial for asked in strategy.asked] == [11]


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (lambda proposal: 1 / 0, "ZeroDivisionError: division by zero"),
        (
            lambda proposal: replace(proposal, fidelity=0.0),
            "ValueError: strategy 'toy' proposed fidelity 0.0, not in (0, 1]",
        ),
        (
            lambda proposal: replace(proposal, fidelity=1.01),
            "ValueError: strategy 'toy' proposed fidelity 1.01, not in (0, 1]",
        ),
        (
            lambda proposal: replace(proposal, condition=None),
            "ValueError: strategy 'toy' proposed None, which is no condition",
        ),
        (lambda proposal: replace(proposal, point={"tv": float("nan")}), "ValueError: Out of range float values"),
    ],
    ids=["raises", "no share", "more than all", "no condition", "no number"],
)
def test_a_proposal_that_cannot_be_is_replaced_and_said_on_any_workers(tmp_path, strategy, spoilt, said):
    strategy.spoilt = lambda asked, proposal: spoilt(proposal) if asked.trial >= 28 else proposal
    one, many = (steered(tmp_path / str(n), shared(), workers=n) for n in (1, 16))
    assert facts(one) == facts(many)
    replaced = [trial for trial in in_order(one) if "fallback" in trial.search]
    assert [trial.order for trial in replaced] == list(range(28, N_SHARED))
    assert all(trial.search["fallback"].startswith(said) for trial in replaced)
    assert {trial.fidelity for trial in replaced} == {1.0}
    assert len({trial.condition for trial in replaced}) == 6  # the conditions in turn
    points = [str(trial.point) for trial in replaced]
    assert len(set(points)) == len(points)  # still space-filling


@pytest.mark.usefixtures("strategy")
def test_cheap_trials_stand_for_no_condition(tmp_path):
    trials = steered(tmp_path / "journal", shared())
    tally = Tally(shared(), trials)
    for key, group in by_condition(trials).items():
        whole = [trial.nrmse for trial in group if trial.ok and trial.fidelity == 1]
        found = best(group)
        assert (found and found.nrmse) == tally.errors.get(key) == min(whole, default=None)
    cheap = [trial.nrmse for trial in trials if trial.ok and trial.fidelity < 1]
    assert min(cheap) < max(tally.errors.values())  # some would have won


@pytest.mark.usefixtures("strategy")
def test_the_standing_of_a_shared_search(tmp_path):
    trials, tally = steered(tmp_path / "journal", shared()), Tally(shared())
    assert (tally.total, tally.missing, tally.cells_done, tally.remaining_s()) == (N_SHARED + N_ALONE, 42, 0, None)
    for done, trial in enumerate(trials, start=1):
        tally.record(replace(trial, seconds=2.0))
        assert tally.missing == 42 - done
        assert tally.remaining_s() == pytest.approx(2.0 * tally.missing)
        assert tally.cells_done < 8 or tally.complete  # no cell is done while the strategy may come back to it
    assert (tally.cells_done, tally.complete) == (8, True)


@pytest.mark.usefixtures("strategy")
def test_a_smaller_map_has_nothing_to_do_and_a_larger_one_goes_on(tmp_path):
    first = run(tmp_path / "run", shared())
    worker = Inline()
    small = shared(axes__haadf_tilts=[4])
    assert run(tmp_path / "run", small, worker) == first
    assert worker.submitted == []
    assert Tally(small, first).complete
    large = shared(axes__haadf_tilts=[2, 4, 6])
    grown = run(tmp_path / "run", large, worker)
    assert grown[: len(first)] == first
    assert Tally(large, grown).complete
    assert [trial.order for trial in in_order(grown)] == list(range(N_SHARED + 2 * 8))


def halves(folder, trials, end):
    """A run cut off after so many of the order."""
    kept = [trial for trial in trials if trial.order is None or trial.order < end]
    (folder / "trials.jsonl").write_text("".join(f"{trial.line()}\n" for trial in kept))


@pytest.mark.usefixtures("strategy")
def test_runs_that_agree_complete_each_other_and_of_runs_that_differ_one_is_taken_whole(tmp_path, capsys):
    a, b = (run(tmp_path / name, shared()) for name in "ab")
    assert facts(a) == facts(b)
    halves(tmp_path / "b", b, 20)
    merge(Console(soft_wrap=True), [tmp_path / "b", tmp_path / "a"], tmp_path / "both")
    assert facts(replay(tmp_path / "both" / "trials.jsonl")) == facts(a)
    other = [replace(trial, nrmse=0.9) if trial.order == 3 else trial for trial in b]
    assert b[[trial.order for trial in b].index(3)].ok
    halves(tmp_path / "b", other, 20)
    capsys.readouterr()
    for paths, place in (("ba", "a"), ("ab", "a")):
        out = tmp_path / f"of-{paths}"
        merge(Console(soft_wrap=True), [tmp_path / name for name in paths], out)
        assert f"the campaign: the runs differ; taken whole from {tmp_path / place}\n" in capsys.readouterr().out
        assert facts(replay(out / "trials.jsonl")) == facts(a)  # the one with more successes
    halves(tmp_path / "a", a, 4)
    merge(Console(soft_wrap=True), [tmp_path / "a", tmp_path / "b"], tmp_path / "other")
    taken = replay(tmp_path / "other" / "trials.jsonl")
    assert facts(in_order(taken)) == facts(in_order(replay(tmp_path / "b" / "trials.jsonl")))  # nothing of a beside it
    before = len(taken)
    finished = run(tmp_path / "other", shared())
    assert facts(finished[:before]) == facts(taken)
    assert Tally(shared(), finished).complete


def test_a_strategy_of_one_condition_gets_no_campaign(tmp_path, strategy, monkeypatch):
    asked = []
    register(monkeypatch, Strategy("own", lambda question: asked.append(question) or _middle(question)))
    trials = steered(tmp_path / "journal", config(search__strategy="own"))
    assert {trial.order for trial in trials} == {None}
    assert all(question.campaign == () and question.conditions == {} for question in asked)
    assert strategy.asked == []


def _middle(asked: Asked):
    return Proposal({name: each.low for name, each in asked.space.items()})


def test_an_unknown_strategy_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="there is no strategy 'gp_hedg'; did you mean 'gp_hedge'"):
        config(search__strategy="gp_hedg")


@pytest.mark.usefixtures("strategy")
def test_the_two_kinds_of_strategy_do_not_mix_in_one_run(tmp_path):
    run(tmp_path / "run", shared())
    with pytest.raises(InputError, match=r"search\.strategy was 'toy' and is now 'sobol'"):
        run(tmp_path / "run", config(search__strategy="sobol"))
