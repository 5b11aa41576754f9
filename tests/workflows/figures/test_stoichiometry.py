"""Histograms of concentrations: what is drawn, and what is said of it."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, SINGLE_COLUMN_IN, to_figure
from fusedtomo.stoichiometry import BINS, stoichiometry
from fusedtomo.volume import ChemicalVolume
from workflows.figures.stoichiometry import StoichiometryInfo, draw_stoichiometry

ELEMENTS = ("Co", "O", "Au")


def volume(*rows):
    """Rows of voxels, one an element."""
    return ChemicalVolume(np.array(rows, np.float32)[:, None, None], ELEMENTS[: len(rows)], 1.0)


# two voxels of CoO, two of vacuum, two of gold
TRUTH = volume([0.5, 0.5, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1])
POISSON = volume([0.0, 2.0, 2, 0, 0, 0], [0.5, 0.5, 1, 0, 0, 0], [0, 0, 1, 0, 0, 3])
FUSED = volume([0.3, 0.4, 0.1, 0, 0, 0], [0.3, 0.2, 0, 0, 0, 0], [0, 0, 0, 0, 0.6, 0.8])


def info_of(truth=TRUTH, title="nanocubes, 6³", **methods):
    found = methods or {"poisson": POISSON, "fused": FUSED}
    return StoichiometryInfo(title, {name: stoichiometry(one, truth) for name, one in found.items()})


def check_drawn(info, figure):
    """Every number of the info stands in the figure: histograms, means and deviations, the truth, the vacuum."""
    panels = np.reshape(figure.axes, (3, len(info.elements)))
    for element, column in zip(info.elements, panels.T, strict=True):
        own = [found[element] for found in info.methods.values()]
        check_histograms([one.concentration for one in own], column[0])
        check_histograms([one.fraction for one in own], column[1])
        ends = [line.get_xdata().tolist() for line in column[2].lines]
        assert ends == [[pytest.approx(100 * one.in_vacuum)] for one in own]
        assert f"{own[0].voxels} voxels" in column[0].get_title()


def check_histograms(distributions, ax):
    outlines = ax.patches[1::2]  # each above its filling
    for one, outline in zip(distributions, outlines, strict=True):
        np.testing.assert_array_equal(outline.get_data().values, one.shares)
        centres = (outline.get_data().edges[1:] + outline.get_data().edges[:-1]) / 2
        np.testing.assert_allclose(centres, BINS * one.expected, atol=1e-12)
        assert one.shares.max() < ax.get_ylim()[1]
    for one, bar in zip(distributions, ax.containers, strict=True):
        mean, _, (whisker,) = bar.lines
        assert mean.get_xdata()[0] == pytest.approx(one.mean)
        assert np.ptp(whisker.get_segments()[0][:, 0]) == pytest.approx(2 * one.deviation)
    assert ax.lines[-1].get_xdata() == [distributions[0].expected] * 2
    assert ax.lines[-1].get_label() == "truth"


def ticks(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


@pytest.mark.parametrize("methods", [{}, dict.fromkeys(METHODS, FUSED)])
def test_every_number_is_drawn(methods):
    info = info_of(**methods)
    figure = to_figure(draw_stoichiometry, info)
    check_drawn(info, figure)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [*(METHODS[name].label for name in info.methods), "truth"]
    figure.draw_without_rendering()


def test_an_empty_figure_is_no_stoichiometry():
    empty = Figure()
    empty.subplots(3, 3)
    with pytest.raises(ValueError, match="shorter"):
        check_drawn(info_of(), empty)


def test_methods_are_told_apart_with_and_without_colors():
    ax = to_figure(draw_stoichiometry, info_of()).axes[0]
    looks = [(bar.lines[0].get_color(), bar.lines[0].get_marker()) for bar in ax.containers]
    assert looks == [(METHODS[name].color, METHODS[name].marker) for name in ("poisson", "fused")]
    heights = [bar.lines[0].get_ydata()[0] for bar in ax.containers]
    assert 1 > heights[0] > heights[1] > 0.5  # beside each other, above the histograms


def test_axes_end_where_values_do_or_say_that_the_last_bin_holds_more():
    (co, _, au), (co_fraction, _, au_fraction) = np.reshape(to_figure(draw_stoichiometry, info_of()).axes, (3, 3))[:2]
    assert (ticks(co), ticks(au)) == (["0", "0.5", "≥ 1"], ["0", "1", "≥ 2"])
    assert (ticks(co_fraction), ticks(au_fraction)) == (["0", "0.5", "1"], ["0", "1"])


@pytest.mark.parametrize(("n", "width"), [(1, SINGLE_COLUMN_IN), (2, SINGLE_COLUMN_IN), (3, DOUBLE_COLUMN_IN)])
def test_a_figure_is_as_wide_as_a_column(n, width):
    truth, found = (one.only(ELEMENTS[:n]) for one in (TRUTH, FUSED))
    assert to_figure(draw_stoichiometry, info_of(truth, fused=found)).get_size_inches()[0] == pytest.approx(width)


def test_an_element_that_fills_no_voxel_has_an_empty_panel_and_is_told():
    info = info_of(volume([0.5, 0], [0, 0]), fused=volume([0.3, 0.1], [0, 0]))
    figure = to_figure(draw_stoichiometry, info)
    assert figure.axes[1].get_title() == "O, 0 voxels"
    assert not figure.axes[1].patches
    assert info.told("fused") == "Co 0.30 ± 0.00 where it is 0.50, 25 % of it in the vacuum; O fills no voxel"
    figure.draw_without_rendering()


def test_alternative_text_and_table_hold_the_numbers():
    info = info_of()
    assert info.alt_text == (
        "Mean and deviation of concentrations. "
        "Poisson: Co 1.00 ± 1.00 where it is 0.50, 50 % of it in the vacuum; "
        "O 0.50 ± 0.00 where it is 0.50, 50 % of it in the vacuum; "
        "Au 1.50 ± 1.50 where it is 1.00, 25 % of it in the vacuum. "
        "fused: Co 0.35 ± 0.05 where it is 0.50, 12 % of it in the vacuum; "
        "O 0.25 ± 0.05 where it is 0.50, 0 % of it in the vacuum; "
        "Au 0.70 ± 0.10 where it is 1.00, 0 % of it in the vacuum."
    )
    rows = {(row["method"], row["element"]): row for row in info.table}
    assert list(rows) == [(label, element) for label in ("Poisson", "fused") for element in ELEMENTS]
    row = rows["fused", "Co"]
    assert (row["voxels"], row["expected"], row["fraction_expected"]) == (2, 0.5, 0.5)
    assert row["median"] == pytest.approx(0.35)
    assert row["fraction_mean"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert row["fraction_deviation"] == pytest.approx(1 / 12)
    assert row["in_vacuum"] == pytest.approx(1 / 8)
