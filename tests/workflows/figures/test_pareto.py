"""The Pareto front as drawn: which trials, which front, and what a choice without the truth costs."""

from dataclasses import replace

import numpy as np
import pytest

from fusedtomo.plot.drawing import SINGLE_COLUMN_IN, to_figure
from tests.workflows.values import cheap, trial
from workflows.figures.pareto import draw_pareto, pareto_info

KEY = "fused-h5-c3"


def one(number, haadf, chemical, nrmse, **changes):
    made = trial(KEY, number, nrmse, haadf=0.1 * (number + 1), tv=1.0)
    return replace(made, terms={"haadf": haadf, "chemical": chemical, "tv": 5.0}, **changes)


TRIALS = [one(0, 10.0, 4.0, 0.5), one(1, 1.0, 40.0, 0.6), one(2, 1.5, 5.0, 0.44), one(3, 20.0, 50.0, 0.4)]


@pytest.fixture
def info():
    return pareto_info(TRIALS, "fused, 5 HAADF tilts", "nanocubes, 64³")


def test_front_knee_and_the_cost_of_a_choice_without_the_truth(info):
    assert (info.front.tolist(), info.knee, info.best) == ([1, 2, 0], 2, 3)
    told = "the inflection point has an NRMSE of 0.440, the best of all trials has 0.400: "
    assert info.told == told + "choosing without the truth costs 10 %"
    assert info.alt_text.startswith("4 trials of fused, 5 HAADF tilts: HAADF term 1 to 20, chemical term 4 to 50; the")


def test_a_front_without_a_knee_says_so():
    info = pareto_info(TRIALS[:2])
    assert info.told == "the front has 2 trials and no inflection point; the best of all trials has 0.500"


def test_only_whole_trials_with_both_terms_count():
    others = [
        trial(KEY, 4, None),
        replace(cheap(KEY, 5, 0.1), terms={"haadf": 0.1, "chemical": 0.1}),
        replace(trial(KEY, 6, 0.1), terms={"chemical": 0.1, "tv": 0.1}),
        replace(trial(KEY, 7, 0.1), terms={"haadf": 0.0, "chemical": 0.1}),
        trial(KEY, 8, 0.1),  # of an earlier version
    ]
    assert pareto_info([*TRIALS, *others]).trials == tuple(TRIALS)
    assert pareto_info(others) is None


def test_the_table_has_a_row_a_trial(info):
    rows = info.table.to_dict("records")
    assert list(rows[0]) == [
        *("trial", "haadf", "tv", "haadf_term", "chemical_term", "tv_term", "nrmse", "on_front", "inflection")
    ]
    assert [(row["on_front"], row["inflection"]) for row in rows] == [(1, 0), (1, 0), (1, 1), (0, 0)]
    assert rows[2]["haadf_term"] == 1.5
    assert rows[2]["haadf"] == pytest.approx(0.3)


def test_the_figure_shows_them(info):
    figure = to_figure(draw_pareto, info)
    ax, bar = figure.axes
    line, knee, best = ax.lines
    np.testing.assert_array_equal(line.get_xydata(), [(1.0, 40.0), (1.5, 5.0), (10.0, 4.0)])
    assert [mark.get_xydata().tolist() for mark in (knee, best)] == [[[1.5, 5.0]], [[20.0, 50.0]]]
    (dots,) = ax.collections
    np.testing.assert_array_equal(dots.get_offsets(), info.terms)
    np.testing.assert_array_equal(dots.get_array(), [0.5, 0.6, 0.44, 0.4])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("HAADF term", "chemical term")
    assert bar.get_ylabel() == r"$\langle$NRMSE$\rangle$"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == ["Pareto front", "inflection point", "lowest NRMSE"]
    assert figure.get_size_inches()[0] == SINGLE_COLUMN_IN
    figure.draw_without_rendering()
    assert ax.get_window_extent().width > 0.5 * figure.bbox.width  # what stands around it leaves it room


def test_terms_of_one_size_have_linear_axes():
    figure = to_figure(draw_pareto, pareto_info([one(0, 1.0, 1.2, 0.5), one(1, 1.1, 1.0, 0.5)]))
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("linear", "linear")
