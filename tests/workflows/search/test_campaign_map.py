"""One search over all cells: near the best everywhere at the cost of a few trials, and a bound that says how near."""

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from fusedtomo.errors import InputError
from tests.workflows.stubs import Pool, steered
from tests.workflows.tiny import config
from workflows.campaign import Condition
from workflows.control import steer
from workflows.record.journal import TrialResult, best, by_condition
from workflows.record.tally import Tally
from workflows.search.certified_map import bounds_of
from workflows.search.order import orders_of
from workflows.search.places import coordinates
from workflows.search.propose import propose
from workflows.search.surface import Parameters, Places, Surface, _misfit, fitted

CHEAP = {"slab": 2, "margin": 1}  # of 16 columns: a quarter
NINE = {"haadf_tilts": [5, 15, 45], "chemical_tilts": [5, 9, 15]}


def campaign(**changes):
    """Nine cells; the ranges of their weights are of three and of one and a half decades."""
    given = {"axes": NINE, "methods": ["fused"], "search__fidelity": CHEAP, "search__lag": 2}
    return config(**{**given, "search__strategy": "map", "search__evaluations": 4, **changes})


def bowl(condition, point, cheap, moved=1.0):
    """Log error above a cell's least: as searched landscapes are near it, with a best point that drifts over cells."""
    at = [math.log(value) / math.log(45) for _, value in condition.at if not isinstance(value, str)]
    best_at = {"haadf": math.log(0.02) + moved * (1 - at[0]), "tv": math.log(0.6) + 0.5 * moved * (1 - at[-1])}
    square = sum(
        curve * (math.log(point[name]) - best_at[name] - 0.1 * cheap) ** 2
        for name, curve in (("haadf", 0.05), ("tv", 0.15))
        if name in point
    )
    return square / (1 + square)


def stub(trial):
    """A trial of such a landscape."""
    cheap = trial.fidelity < 1
    level = 0.3 + 0.1 * len(trial.condition.key) % 3 / 3
    error = (level + 0.02 * cheap) * math.exp(bowl(trial.condition, trial.point, cheap))
    return TrialResult(trial.condition.key, trial.number, "ok", trial.point, trial.fidelity, nrmse=error, seconds=0.001)


def searched(of, evaluate=stub):
    """The trials of a campaign, one after the other."""
    trials = []
    for order in orders_of(of, []):
        while not order.finished:
            trial = order.proposed(propose(order.ask()))
            result = order.completed(trial, evaluate(trial))
            order.record(result)
            trials.append(result)
    return trials


@cache
def found():
    return searched(campaign())


def regrets(of, trials):
    """Of the best trial of every condition; infinite without one."""
    groups = by_condition(trials)
    winners = {one: best(groups.get(one.key, [])) for one in of.conditions()}
    return {
        one: math.inf if winner is None else 1 - math.exp(-bowl(one, winner.point, False))
        for one, winner in winners.items()
    }


def test_every_cell_is_near_its_best_at_the_cost_of_two_whole_trials():
    """Sobol points, ten times as many whole ones a cell, lose more."""
    lost = list(regrets(campaign(), found()).values())
    checks = 3 * 0.75 / 9  # three slabs are computed again in full
    assert sum(trial.fidelity for trial in found()) / 9 < 2.1 + checks
    assert np.mean(lost) < 0.01
    assert max(lost) < 0.03
    sobol = campaign(search__strategy="sobol", search__fidelity=None, search__evaluations=20)
    assert np.mean(list(regrets(sobol, searched(sobol)).values())) > 2 * np.mean(lost)


def test_the_bounds_hold_and_fall_as_trials_come_in():
    lost, early, late = regrets(campaign(), found()), *(bounds_of(campaign(), found()[:n]) for n in (30, 36))
    assert set(late) == set(campaign().conditions())
    assert sum(lost[one] <= late[one] for one in late) >= 8
    assert max(late.values()) < 0.05  # and they say something
    assert 0 < np.mean(list(late.values())) < np.mean([early.get(one, 1.0) for one in late])


def misled(trial):
    """The same, with slabs of another specimen: their best points lie elsewhere."""
    if trial.fidelity == 1:
        return stub(trial)
    error = 0.4 * math.exp(bowl(trial.condition, trial.point, False, moved=-2.0))
    return TrialResult(trial.condition.key, trial.number, "ok", trial.point, trial.fidelity, nrmse=error, seconds=0.001)


def test_slabs_of_another_specimen_do_not_go_unnoticed():
    trials = searched(campaign(), misled)
    lost, stated = regrets(campaign(), trials), bounds_of(campaign(), trials)
    assert np.mean(list(lost.values())) > 0.02  # they do mislead
    assert sum(lost[one] <= stated[one] for one in stated) >= 8
    assert np.mean(list(stated.values())) > 3 * np.mean(list(bounds_of(campaign(), found()).values()))


def test_slabs_are_held_against_the_whole_where_they_are_far_from_any_best_point():
    first = found()[:12]
    pairs = [(a, b) for a, b in pairwise(first) if b.fidelity == 1]
    assert len(pairs) == 3
    assert all((a.condition, a.point) == (b.condition, b.point) and a.fidelity < 1 for a, b in pairs)


def test_a_trial_that_no_other_explains_is_a_surprise():
    rng = np.random.default_rng(2)
    places = some_places(30, rng)
    errors = Surface(places[:0], np.zeros(0), Parameters.prior(1, 2)).draws(places, 1, rng)[0]
    fitting = Surface(places, errors, Parameters.prior(1, 2))
    errors = errors + np.where(np.arange(30) % 6 == 0, 1.0, 0.0)
    odd = Surface(places, errors, Parameters.prior(1, 2))
    every = np.ones(30, bool)
    assert fitting.surprise(every) < 1.5
    assert odd.surprise(every) > 3 * fitting.surprise(every)
    assert fitting.surprise(~every) == 1.0
    without = np.arange(30) != 4  # the shortcut is what leaving one out gives
    rest = Surface(places[without], errors[without], Parameters.prior(1, 2))
    one = places[~without]
    variance = np.diag(rest.covariance(one)) + rest.kernel.noise(one)
    expected = abs(errors[4] - rest.mean(one)[0]) / np.sqrt(variance[0])
    assert odd.surprise(~without) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("cells", "lag"), [((5,), 2), ((5, 7, 9, 11, 13, 15), 9), (tuple(range(5, 35)), 16)])
def test_fewer_trials_are_under_way_at_once_on_a_small_map(cells, lag):
    of = campaign(axes={"haadf_tilts": cells, "chemical_tilts": (3, 4, 5, 6, 7, 8)}, search__lag=None)
    assert of.lag == lag
    assert orders_of(of, [])[0].lag == lag
    assert campaign(search__lag=5).lag == 5


def test_the_trials_are_those_of_any_number_of_workers_and_of_a_resume(tmp_path, monkeypatch):
    monkeypatch.setattr(steer, "run_trial", stub)
    few = campaign(axes={"haadf_tilts": [5, 45], "chemical_tilts": [5]}, search__evaluations=7, search__lag=3)

    def facts(trials):
        return sorted((trial.order, trial.condition, str(trial.point), trial.fidelity) for trial in trials)

    one = steered(tmp_path / "one", few, pool=Pool(1), workers=1)
    assert facts(steered(tmp_path / "four", few, pool=Pool(4, 1), workers=4)) == facts(one)
    lines = (tmp_path / "one").read_text().splitlines(keepends=True)
    (tmp_path / "part").write_text("".join(lines[:5] + lines[7:9]))
    assert facts(steered(tmp_path / "part", few, pool=Pool(2, 2), workers=2)) == facts(one)


def test_a_search_ends_where_its_certificate_is_as_good_as_wished():
    few = {"axes": {"haadf_tilts": [5, 45], "chemical_tilts": [5]}}
    wished = campaign(search__evaluations=20, search__until_regret=0.05, **few)
    trials = searched(wished)
    assert len(trials) < 2 * 20
    assert max(bounds_of(wished, trials).values()) < 0.06  # as known when the last trial was proposed: at most 5 %
    assert Tally(wished, trials).complete
    assert not Tally(campaign(search__evaluations=20, **few), trials).complete
    assert "at most" not in Tally(wished).certificate
    assert "in the worst cell, above 1 % in" in Tally(wished, trials).certificate
    (order,) = orders_of(wished, trials)
    assert order.finished
    (stricter,) = orders_of(wished.until(1e-4), trials)  # goes on
    assert not stricter.finished


def test_a_strategy_without_a_certificate_cannot_stop_by_it():
    with pytest.raises(InputError, match=r"'gp_hedge' has no certificate; leave until_regret out, or take .*map"):
        config().until(0.01)


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ({"axes": {"haadf_tilts": [5], "chemical_tilts": [5]}, "search__evaluations": 12}, 2),
        ({"methods": ["poisson-tv"], "axes": {"chemical_tilts": [5, 9]}, "search__baseline_evaluations": 6,
          "acquisition__haadf__tilts": 3}, 1),
        ({"repeats": {"noise_seed": [1, 2]}, "axes": {"haadf_tilts": [5, 45]}, "acquisition": {
            "haadf": {"snr": 100.0}, "chemical": {"snr": 3.0, "tilts": 3}}, "search__evaluations": 6}, 2),
    ],
    ids=["one cell", "one parameter", "repeats"],
)  # fmt: skip
def test_any_campaign_is_searched(changes, parameters):
    of = campaign(**changes)
    trials = searched(of)
    assert len(trials[0].point) == parameters
    assert not any("fallback" in trial.search for trial in trials)
    assert max(regrets(of, trials).values()) < 0.03


def test_no_trial_is_proposed_where_one_failed():
    """Every full trial of one cell fails near the point that would be its best."""

    def failing(trial):
        result = stub(trial)
        if trial.fidelity == 1 and trial.condition.at[0][1] == 45 and bowl(trial.condition, trial.point, False) < 0.02:
            return TrialResult(result.condition, result.trial, "failed", result.point, reason="ValueError: here")
        return result

    trials = searched(
        campaign(axes={"haadf_tilts": [5, 45], "chemical_tilts": [5, 15]}, search__evaluations=6), failing
    )
    failed = [trial for trial in trials if not trial.ok]
    assert 1 <= len(failed) < 12
    logs = [(t.condition, np.log([t.point["haadf"], t.point["tv"]]) / np.log([1000, 50])) for t in failed]
    for number, (cell, place) in enumerate(logs):
        for other, before in logs[: max(0, number - 1)]:  # the last one's failure may not be known yet (lag)
            assert other != cell or np.abs(place - before).max() > 0.029


def test_places_are_those_of_the_axes():
    cells = [Condition("fused", (("haadf_tilts", h), ("unmapped", u))) for h in (5, 15, 45) for u in ("none", "O")]
    at = coordinates(cells)
    assert at[::2, 0] == pytest.approx([0, 0.5, 1])  # on the axis's scale
    assert np.linalg.norm(at[0] - at[1]) == pytest.approx(0.5 * math.sqrt(2))
    seeds = [Condition("fused", (("haadf_tilts", 5), ("noise_seed", n))) for n in (1, 2)]
    assert coordinates(seeds).shape == (2, 0)


def some_places(n, rng):
    return Places(rng.integers(0, 3, n), rng.random((n, 1)), rng.random((n, 2)), rng.random(n) < 0.5)


def test_the_slope_of_the_fit_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    places, errors = some_places(12, rng), rng.standard_normal(12)
    start = Parameters.prior(1, 2)
    _, slope = _misfit(places, errors, start)
    for index in range(len(start.values)):
        ends = []
        for step in (-1e-4, 1e-4):
            moved = start.values.copy()
            moved[index] += step
            ends.append(_misfit(places, errors, Parameters(moved, 1))[0])
        assert slope[index] == pytest.approx((ends[1] - ends[0]) / 2e-4, rel=5e-3, abs=1e-3)


def test_the_surface_goes_through_what_it_was_told_and_is_unsure_elsewhere():
    rng = np.random.default_rng(1)
    places, errors = some_places(20, rng), 0.3 * rng.standard_normal(20)
    surface = Surface(places, errors, fitted(places, errors, Parameters.prior(1, 2), steps=3))
    prior = Surface(places, errors, Parameters.prior(1, 2))
    assert prior.mean(places) == pytest.approx(errors, abs=0.05)
    elsewhere = some_places(4, rng)
    assert (np.diag(prior.covariance(elsewhere)) > 3 * np.diag(prior.covariance(places[slice(4)]))).all()
    cells = elsewhere.whole()
    grid = surface.means(cells, elsewhere.point)
    assert np.diag(grid) == pytest.approx(surface.mean(cells))
    drawn = prior.draws(elsewhere, 4000, rng)
    assert drawn.mean(axis=0) == pytest.approx(prior.mean(elsewhere), abs=0.05)
    assert np.cov(drawn.T) == pytest.approx(prior.covariance(elsewhere), rel=0.2, abs=0.01)


def test_a_journal_of_another_hand_has_no_certificate():
    broken = [TrialResult("fused-h5-c5", 0, "ok", {}, order=0, nrmse=0.5, search={"regret": {"fused": 3}})]
    assert Tally(campaign(), broken).certificate == ""
