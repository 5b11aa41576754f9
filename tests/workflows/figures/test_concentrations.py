"""Concentrations over a campaign's axes: which axis runs across, which panels there are, and what they show."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, to_figure
from tests.workflows.values import campaign, over
from workflows.figures.concentrations import concentrations_info, draw_concentrations


def table_of(config, methods=("poisson", "fused"), elements=("Co", "O")):
    """A row for every method, cell and element; its numbers tell them apart."""
    rows = []
    for (m, method), (e, element) in product(enumerate(methods), enumerate(elements)):
        for values in product(*config.axes.values()):
            mean = 0.3 + 0.1 * m + 0.05 * e + 0.001 * sum(values)
            row = {"method": method, "element": element, **dict(zip(config.axes, values, strict=True))}
            row |= {"expected": 0.5, "mean": mean, "deviation": 0.02, "fraction_expected": 0.6}
            rows.append(row | {"fraction_mean": 2 * mean, "fraction_deviation": 0.04})
    return pd.DataFrame(rows)


def info_of(config, **more):
    return concentrations_info(config, table_of(config, **more), "a specimen")


def test_the_axis_with_most_values_runs_across_of_equals_the_last():
    assert info_of(campaign((5, 20), (3, 9, 27))).across == "chemical_tilts"
    assert info_of(campaign((5, 20, 47), (3, 9))).across == "haadf_tilts"
    assert info_of(campaign((5, 20), (3, 9))).across == "chemical_tilts"


def test_of_many_values_of_the_others_three_are_drawn_the_first_and_the_last_among_them():
    many = info_of(campaign((5, 10, 20, 40), (3, 5, 9, 15, 27)))
    assert [place["haadf_tilts"] for place in many.multiples] == [5, 20, 40]
    assert info_of(over({"chemical_tilts": [3, 9]})).multiples == ({},)
    three = info_of(over({"haadf_tilts": [5, 20], "size": [16, 32], "chemical_tilts": [3, 9, 27]}))
    assert [tuple(place.values()) for place in three.multiples] == [(5, 16), (20, 16), (20, 32)]


def test_means_truth_and_deviations_are_drawn_in_the_color_of_their_method():
    info = info_of(campaign((5, 20), (3, 9, 27)))
    figure = to_figure(draw_concentrations, info)
    assert figure.get_size_inches()[0] == DOUBLE_COLUMN_IN
    panels = np.array(figure.axes).reshape(2, 4)
    assert [ax.get_title() for ax in panels[0]] == [
        f"{quantity}\n{n} HAADF tilts" for quantity in ("concentration", "atomic fraction") for n in (5, 20)
    ]
    assert [ax.get_ylabel() for ax in panels[:, 0]] == ["Co", "O"]
    assert {ax.get_xlabel() for ax in panels[-1]} == {"chemical tilts"}
    truth, *curves = panels[1, 3].lines  # O, fractions, 20 HAADF tilts
    np.testing.assert_allclose(truth.get_ydata(), 0.6)
    for m, (name, curve) in enumerate(zip(("poisson", "fused"), curves, strict=True)):
        np.testing.assert_allclose(curve.get_ydata(), [2 * (0.35 + 0.1 * m + 0.001 * (20 + c)) for c in (3, 9, 27)])
        assert (curve.get_color(), curve.get_marker()) == (METHODS[name].color, METHODS[name].marker)
    first, second = (curve.get_xdata() for curve in curves)
    assert (first < second).all()  # their bars do not hide each other
    (bar, _) = (container.lines[2][0] for container in panels[1, 3].containers)
    low, high = bar.get_segments()[0][:, 1]
    assert high - low == pytest.approx(2 * 0.04)
    assert panels[0, 2].get_ylim() == panels[0, 3].get_ylim() != panels[0, 0].get_ylim()
    assert [tick.get_text() for tick in panels[1, 0].get_xticklabels()] == ["3", "9", "27"]


def test_what_stands_around_the_panels_does_not_overlap():
    figure = to_figure(draw_concentrations, info_of(campaign((5, 20), (3, 9, 27))))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    lowest = min(ax.get_tightbbox().y0 for ax in figure.axes)
    assert legend.get_window_extent().y1 <= lowest + 1


def test_cells_without_a_volume_leave_a_gap():
    config = campaign((5, 20), (3, 9, 27))
    table = table_of(config)
    gone = (table.method == "fused") & (table.chemical_tilts == 9)
    info = concentrations_info(config, table[~gone])
    curve = to_figure(draw_concentrations, info).axes[0].lines[2]
    assert np.isnan(curve.get_ydata()).tolist() == [False, True, False]


def test_words_tell_the_range_and_how_far_off_it_is():
    info = info_of(campaign((5, 20), (3, 9, 27)), elements=("Co",))
    assert info.told("poisson") == "Co 0.31 to 0.35 where it is 0.50, 0.19 off at most"
    assert "fused: Co 0.41 to 0.45 where it is 0.50, 0.09 off at most." in info.alt_text
