"""Histories of the cost: what is drawn, and what is said of it."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, SINGLE_COLUMN_IN, to_figure
from fusedtomo.plot.history import draw_history, history_info

FULL = {
    "haadf": [30000.0, 300.0, 40.0],
    "tv": [0.0, 10.0, 310.0],
    "total": [40400.0, 1000.0, 1400.0],
    "nrmse": [0.9, 0.4, 0.5],
}
OTHERS = [{"haadf": [3, 2], "nrmse": [1, 0.5]}, {"tv": [1.0]}, {"haadf": [0, 0]}, {"nrmse": [1.0]}, {}]


def check_drawn(info, figure):
    """Every value of the info stands in the figure at its iteration, on named axes."""
    assert len(figure.axes) == 1 + (info.nrmse is not None)
    terms = figure.axes[0]
    for line, values in zip(terms.lines, info.terms.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(len(values)))
        np.testing.assert_array_equal(line.get_ydata(), values)
    assert terms.get_ylabel() == "term of the cost"
    seen = [values for values in info.terms.values() if np.isfinite(values).any()]
    assert terms.get_yscale() == ("log" if seen else "linear")
    if info.terms:
        assert len(terms.get_legend().get_texts()) == len(info.terms)
    if info.nrmse is not None:
        np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), info.nrmse)
        assert "NRMSE" in figure.axes[1].get_ylabel()
    assert {ax.get_xlabel() for ax in figure.axes} == {"iteration"}


def test_history_separates_cost_terms_from_the_nrmse():
    info = history_info({"HAADF": [3, 2, 1], "Poisson": [5.0, -1.0, 0.0], "nrmse": [0.9, 0.5, 0.4]})
    assert list(info.terms) == ["HAADF", "Poisson"]
    np.testing.assert_equal(info.terms["Poisson"], [5.0, np.nan, np.nan])
    np.testing.assert_allclose(info.nrmse, [0.9, 0.5, 0.4])
    assert info.iterations == 2  # the first value is that of the start


@pytest.mark.parametrize("histories", [FULL, *OTHERS])
def test_every_value_is_drawn(histories):
    info = history_info(histories)
    figure = to_figure(draw_history, info)
    check_drawn(info, figure)
    assert figure.get_size_inches()[0] == pytest.approx(SINGLE_COLUMN_IN if info.nrmse is None else DOUBLE_COLUMN_IN)
    figure.draw_without_rendering()  # no warning, whatever is missing


def test_an_empty_figure_is_not_a_history():
    info = history_info(FULL)
    empty = Figure()
    with pytest.raises(AssertionError):
        check_drawn(info, empty)
    empty.subplots(1, 2)
    with pytest.raises(ValueError, match="longer"):
        check_drawn(info, empty)


def test_terms_are_named_in_words_and_told_apart_without_colors():
    terms, nrmse = to_figure(draw_history, history_info(FULL)).axes
    assert [text.get_text() for text in terms.get_legend().get_texts()] == ["HAADF", "total variation", "sum"]
    looks = {(line.get_color(), line.get_linestyle()) for line in terms.lines}
    assert len(looks) == len(terms.lines)
    assert terms.lines[-1].get_color() == "black"  # all terms together
    lowest = nrmse.lines[1]
    assert (lowest.get_xdata().tolist(), lowest.get_ydata().tolist()) == ([1], [0.4])
    assert nrmse.get_legend().get_texts()[0].get_text() == "lowest: 0.400"


def test_alternative_text_tells_terms_ends_and_iterations():
    assert history_info(FULL).alt_text == (
        "Terms of the cost over 2 iterations: HAADF falls from 30,000 to 40; total variation rises from 10 to 310; "
        "sum falls from 40,400 to 1,400. NRMSE falls from 0.9 to 0.5, lowest 0.400 after 1 iteration."
    )


@pytest.mark.parametrize(
    ("histories", "said"),
    [
        ({}, "No value was recorded."),
        ({"haadf": [0, 0]}, "Terms of the cost over 1 iteration: HAADF without a value above 0."),
        ({"tv": [1.0]}, "Terms of the cost over 0 iterations: total variation 1."),
        ({"own": [2e12, 3e12]}, "Terms of the cost over 1 iteration: own rises from 2e+12 to 3e+12."),
        ({"tv": [2.0, 1.0, 2.0]}, "Terms of the cost over 2 iterations: total variation 2 at start and end."),
        ({"nrmse": [np.nan]}, "NRMSE without a value."),
    ],
)
def test_alternative_text_of_what_is_missing(histories, said):
    assert history_info(histories).alt_text == said
