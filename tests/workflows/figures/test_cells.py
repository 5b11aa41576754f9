"""Figures of the map and the atlas: the data they draw, and that they draw it."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import Normalize, to_rgba
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, SINGLE_COLUMN_IN, to_figure
from fusedtomo.plot.heat_map import BELOW_COLORS, COLORS, MARKS, color_limits, draw_heat_maps
from tests.workflows.values import SPACE, campaign, cheap, everything, over, trial
from workflows.figures.cells import atlas_info, sampling_map_info, subject_of
from workflows.maps.sampling_map import sampling_map
from workflows.record.journal import CAP

TRIALS = [
    trial("fused-h5-c3", 0, 0.5, haadf=0.001, tv=20.0),
    trial("fused-h20-c27", 0, 0.234, haadf=0.5, tv=20.0),
    trial("fused-h20-c9", 0, None),
    trial("poisson-tv-c3", 0, 0.98),
    trial("poisson-c27", 0, 1.6),
]
JOURNALS = {"some": TRIALS, "all failed": [trial("fused-h5-c3", 0, None)], "empty": []}
THREE = over({"haadf_tilts": [5, 20], "chemical_tilts": [3, 9], "unmapped": ["none", "Co", "O"]})


def maps_of(trials, config=None):
    config = config or campaign()
    return sampling_map_info(config, sampling_map(config, list(trials)))


def atlas_of(trials, config=None):
    config = config or campaign()
    return atlas_info(config, sampling_map(config, list(trials)))


def drawn(info):
    """The figure, and the axes of its heat maps."""
    figure = to_figure(draw_heat_maps, info)
    return figure, figure.axes[: len(info.maps)]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def cells(axes):
    """(column, height) -> colour of every cell with a value."""
    patches = [one for one in axes.patches if isinstance(one, Rectangle) and one.get_fill() and not one.get_hatch()]
    return {(one.get_x() + 0.5, one.get_y() + 0.5): one.get_facecolor() for one in patches}


def hatched(axes):
    return {(one.get_x() + 0.5, one.get_y() + 0.5) for one in axes.patches if one.get_hatch()}


def bars(axes):
    """(limits, tick labels) of the colour bars, from the top."""
    found = sorted(axes.child_axes, key=lambda bar: -bar.get_position().y0)
    return [(bar.get_ylim(), [label.get_text() for label in bar.get_yticklabels()]) for bar in found]


def test_map_has_fused_rows_upwards_and_baselines_below():
    (info,) = maps_of(TRIALS).maps
    assert info.row_labels == ("Poisson", "Poisson + TV", "5", "20")
    assert info.column_labels == ("3", "9", "27")
    assert (np.diff(info.row_centres) > 0).all()
    np.testing.assert_array_equal(info.row_centres[2:], [0, 1])
    assert info.row_centres[1] < -1  # a gap
    np.testing.assert_equal(info.values[:, 0], [np.nan, 0.98, 0.5, np.nan])
    np.testing.assert_equal(info.values[:, 2], [1.6, np.nan, np.nan, 0.234])


def test_rows_below_have_a_scale_of_their_own():
    (info,) = maps_of(TRIALS).maps
    assert info.texts[3] == ("", "", "0.23")
    assert info.texts[1] == ("0.98", "", "")
    assert (info.limits, info.below_limits, info.scale) == ((0.234, 0.5), (0.98, 1.6), "linear")


def test_what_is_drawn_is_the_map():
    info = maps_of(TRIALS)
    figure, (axes,) = drawn(info)
    (one,) = info.maps
    assert {"0.50", "0.23", "0.98", "1.60", "HAADF tilts"} <= set(texts(axes))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Poisson", "Poisson + TV", "5", "20"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3", "9", "27"]
    assert axes.get_xlabel() == "chemical tilts"
    fused, below = colormaps[COLORS], colormaps[BELOW_COLORS]
    below_tv, poisson = one.row_centres[1], one.row_centres[0]
    assert cells(axes) == {
        (0, 0): fused(Normalize(0.234, 0.5)(0.5)),
        (2, 1): fused(Normalize(0.234, 0.5)(0.234)),
        (0, below_tv): below(Normalize(0.98, 1.6)(0.98)),
        (2, poisson): below(Normalize(0.98, 1.6)(1.6)),
    }
    assert len(hatched(axes)) == 12 - 4
    (upper, _), (lower, _) = bars(axes)
    assert (upper, lower) == ((0.234, 0.5), (0.98, 1.6))
    assert figure.get_suptitle() == "fused: nanocubes, 64³, HAADF SNR 2000\nchemical SNR 2.5"
    assert "hatched: no result" in figure.get_supxlabel()


def test_numbers_of_bars_lie_within_their_limits():
    _, (axes,) = drawn(maps_of(TRIALS))
    for limits, labels in bars(axes):
        assert len(labels) >= 2
        assert all(limits[0] <= float(label) <= limits[1] for label in labels)


def test_boundary_separates_cells_with_fewer_haadf_than_chemical_tilts():
    info = maps_of([], campaign((5, 9, 20), (3, 9, 27)))
    np.testing.assert_array_equal(info.maps[0].boundary, [-0.5, 0.5, 2.5])
    figure, (axes,) = drawn(info)
    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_xydata()[:, 1], [-0.5, -0.5, 0.5, 0.5, 2.5, 2.5])
    assert "white line: above it, HAADF tilts ≥ chemical tilts" in figure.get_supxlabel()


def test_axes_of_other_units_have_no_boundary():
    info = maps_of([], over({"haadf_tilts": [5, 20], "chemical_dose": [5.0, 20.0]}))
    assert info.maps[0].boundary.size == 0
    assert not drawn(info)[1][0].lines


def test_cells_at_the_cap_and_on_a_bound_have_letters_that_are_explained():
    at_cap = replace(trial("fused-h5-c3", 0, 0.5, haadf=10.0, tv=1.0), stopped=CAP)
    info = maps_of(
        [at_cap, trial("fused-h20-c27", 0, 0.4, haadf=0.1, tv=0.01), trial("fused-h20-c3", 0, 0.3, haadf=1.0)]
    )
    assert [row[:3] for row in info.maps[0].marks[2:]] == [("cb", "", ""), ("", "", "b")]
    figure, (axes,) = drawn(info)
    assert sorted(text for text in texts(axes) if text in ("c", "b", "cb")) == ["b", "cb"]
    assert all(MARKS[letter] in " ".join(figure.get_supxlabel().split()) for letter in "cb")


@pytest.mark.parametrize(("bound", "letter"), [(0.011, "r"), (0.009, "")])
def test_a_cell_that_may_be_better_by_more_than_one_per_cent_has_a_letter(bound, letter):
    found = sampling_map(campaign(), [trial("fused-h5-c3", 0, 0.4, haadf=0.1, tv=0.1)])
    found["regret_bound"] = 0 * found.error + bound
    assert [row[:2] for row in sampling_map_info(campaign(), found).maps[0].marks[2:]] == [(letter, ""), ("", "")]


def test_a_trial_of_a_part_of_the_problem_is_not_drawn():
    _, (axes,) = drawn(maps_of([*TRIALS, cheap("fused-h5-c3", 1, 0.11), cheap("fused-h5-c9", 0, 0.12)]))
    assert not {"0.11", "0.12"} & set(texts(axes))
    assert (1, 0) in hatched(axes)


def test_repeats_are_averaged():
    config = campaign(repeats={"noise_seed": [1, 2]})
    _, (axes,) = drawn(maps_of([trial("fused-h5-c3-s1", 0, 0.3), trial("fused-h5-c3-s2", 0, 0.5)], config))
    assert "0.40\n±0.141" in texts(axes)  # 0.2 over the square root of 2


def test_three_axes_are_small_multiples_on_one_scale():
    trials = [trial("fused-h5-c3-unone", 0, 0.3), trial("fused-h20-c9-uO", 0, 0.5), trial("poisson-c3-uCo", 0, 1.5)]
    info = maps_of([*trials, trial("poisson-c3-uO", 0, 1.7)], THREE)
    assert [one.title for one in info.maps] == ["without maps: none", "without maps: Co", "without maps: O"]
    assert {one.limits for one in info.maps} == {(0.3, 0.5)}
    assert {one.below_limits for one in info.maps} == {(1.5, 1.7)}
    figure, axes = drawn(info)
    assert [one.get_title("left") for one in axes] == [one.title for one in info.maps]
    written = [[text for text in texts(one) if text.startswith(("0.", "1."))] for one in axes]
    assert written == [["0.30"], ["1.50"], ["1.70", "0.50"]]
    assert figure.get_size_inches()[0] > SINGLE_COLUMN_IN


def test_methods_that_see_both_axes_are_maps_side_by_side():
    config = campaign(methods=["fused", "gradient-descent", "poisson"])
    info = maps_of([*TRIALS, trial("gradient-descent-h5-c3", 0, 0.6)], config)
    assert [one.title for one in info.maps] == ["fused", "Algorithm 1"]
    assert {one.limits for one in info.maps} == {(0.234, 0.6)}
    assert [one.row_labels for one in info.maps] == [("Poisson", "5", "20"), ("5", "20")]


def test_a_method_of_other_terms_has_another_scale():
    config = over({"unmapped": ["none", "O"], "chemical_tilts": [3, 9]})
    journal = [trial("fused-unone-c3", 0, 0.3), trial("fused-uO-c3", 0, 0.4), trial("poisson-uO-c3", 0, 1.5)]
    fused, _, poisson = maps_of([*journal, trial("poisson-uO-c9", 0, 1.2)], config).maps
    assert (fused.title, fused.limits) == ("fused", (0.3, 0.4))
    assert (poisson.title, poisson.limits) == ("Poisson", (1.2, 1.5))


def test_titles_name_what_is_the_same_in_all_cells():
    assert subject_of(campaign()) == "nanocubes, 64³, HAADF SNR 2000, chemical SNR 2.5"
    by_dose = over({"chemical_dose": [5.0, 20.0], "size": [32, 64]})
    assert subject_of(by_dose) == "nanocubes, HAADF SNR 2000"
    uneven = campaign(
        acquisition={"haadf": {"dose_counts": 50.0}, "chemical": {"snr": {"Co": 1.92, "Au": 2.89, "O": 2.0}}}
    )
    assert subject_of(uneven) == "nanocubes, 64³, HAADF 50 counts a pixel, chemical SNR 1.92 to 2.89"


def test_atlas_has_a_heat_map_for_each_parameter_that_varies():
    info = atlas_of([*TRIALS[:1], trial("fused-h20-c27", 0, 0.234, haadf=0.5, tv=30.0)])
    haadf, tv = info.maps  # chemical is 1 everywhere
    assert (haadf.title, tv.title) == (r"$\lambda_1$ (HAADF)", r"$\lambda_3$ (TV)")
    assert haadf.texts == (("0.001", "", ""), ("", "", "0.5"))
    assert (haadf.limits, haadf.scale, tv.limits) == ((0.001, 0.5), "log", (20.0, 30.0))
    _, axes = drawn(info)
    assert [{"0.001", "0.5"} <= set(texts(axes[0])), {"20", "30"} <= set(texts(axes[1]))] == [True, True]
    assert cells(axes[0]) == {(0, 0): to_rgba(colormaps[COLORS](0.0)), (2, 1): to_rgba(colormaps[COLORS](1.0))}
    ((limits, labels),) = bars(axes[0])
    assert limits == pytest.approx((0.001, 0.5))
    assert all(0.001 <= float(label) <= 0.5 for label in labels)


def test_a_constant_atlas_is_none():
    assert atlas_of([trial("fused-h5-c3", 0, 0.5), trial("fused-h20-c3", 0, 0.4)]) is None
    assert atlas_of([]) is None


def test_gamma_has_linear_colors():
    space = {**SPACE, "gamma": {"low": 1.0, "high": 2.0, "scale": "linear"}}
    trials = [trial("fused-h5-c3", 0, 0.5, gamma=1.66), trial("fused-h5-c9", 0, 0.5, gamma=1.2)]
    (gamma,) = atlas_of(trials, campaign(space=space)).maps
    assert (gamma.scale, gamma.limits, gamma.texts[0]) == ("linear", (1.2, 1.66), ("1.7", "1.2", ""))


def test_small_weights_are_written_briefly_and_zero_is_drawn():
    none = trial("fused-h5-c9", 0, 0.5)
    trials = [trial("fused-h5-c3", 0, 0.5, tv=1.23e-5), replace(none, weights={**none.weights, "tv": 0.0})]
    info = atlas_of(trials)
    assert info.maps[0].texts[0] == ("1.2e-5", "0", "")
    _, (axes,) = drawn(info)
    assert {"1.2e-5", "0"} <= set(texts(axes))


def test_log_limits_leave_out_zero():
    assert color_limits(np.array([0.0, 0.1, 10.0, np.nan]), "log") == (0.1, 10.0)
    assert color_limits(np.array([np.nan]), "log") == (0.1, 1.0)
    low, high = color_limits(np.array([20.0, 20.0]), "log")
    assert low < 20 < high  # one and the same value everywhere still needs a range


@pytest.mark.parametrize("name", JOURNALS)
@pytest.mark.parametrize("axes", [((5, 20), (3, 9, 27)), ((5,), (3,))])
def test_a_map_is_drawn_whatever_the_journal_holds(name, axes):
    info = maps_of(JOURNALS[name], campaign(*axes))
    _, (drawing,) = drawn(info)
    full = int(np.isfinite(info.maps[0].values).sum())
    assert len(cells(drawing)) == full
    assert len(hatched(drawing)) == info.maps[0].values.size - full
    assert len(bars(drawing)) == (0 if not full else 1 + (name == "some"))


SIZES = {
    "one cell": campaign((5,), (3,)),
    "two by three": campaign(),
    "large": campaign(tuple(range(4, 64, 4)), tuple(range(3, 31, 2))),
    "panels": THREE,
    "categories": over({"unmapped": ["none", "O", "Co"], "grid": ["same", "fine"]}),
}


@pytest.mark.parametrize("name", SIZES)
def test_figures_fit_a_column_and_letters_are_those_of_print(name):
    config = SIZES[name]
    info = maps_of(everything(config), config)
    figure, axes = drawn(info)
    assert info.size_in[0] <= DOUBLE_COLUMN_IN + 1e-9
    assert info.size_in[1] <= 10
    sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()}
    assert all(7 <= size <= 9 for size in sizes), sizes
    figure.draw_without_rendering()
    for one in axes:
        boxes = [text.get_window_extent() for text in one.texts if text.get_text() == "0.50"]
        assert boxes
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        labels = [text.get_window_extent() for text in one.get_yticklabels()]
        (named,) = (text for text in one.texts if text.get_rotation() == 90)
        assert not any(named.get_window_extent().overlaps(label) for label in labels)
        assert named.get_text().replace("\n", " ") == info.maps[0].upwards


def test_what_is_seen_is_told_in_words():
    words = maps_of(TRIALS).alt_text
    assert words.startswith("fused: nanocubes, 64³, HAADF SNR 2000, chemical SNR 2.5. Heat map of")
    assert "4 rows (HAADF tilts) by 3 columns (chemical tilts), from 0.234 to 1.6, 8 empty." in words
    assert "without a value" in maps_of([]).alt_text


def test_cells_carry_the_deviation_of_their_repeats():
    repeated = campaign(repeats={"noise_seed": [1, 2]})
    trials = [trial("fused-h5-c3-s1", 0, 0.30), trial("fused-h5-c3-s2", 0, 0.32), trial("fused-h20-c3-s1", 0, 0.25)]
    info = sampling_map_info(repeated, sampling_map(repeated, trials))
    figure = to_figure(draw_heat_maps, info)
    drawn = {text.get_text() for ax in figure.axes for text in ax.texts}
    assert "0.31\n±0.014" in drawn  # 0.02 / sqrt(2)
    assert "0.25" in drawn  # a single repeat has no deviation
