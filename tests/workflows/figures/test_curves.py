"""A campaign with one axis: curves, error bars, and that they are drawn."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.text import Text

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import SINGLE_COLUMN_IN, to_figure
from tests.workflows.values import cheap, over, trial
from workflows.figures.curves import curves_info, draw_curves, weights_info
from workflows.maps.sampling_map import sampling_map
from workflows.record.journal import CAP

DOSES = {"chemical_dose": [1.0, 10.0, 40.0]}
TRIALS = [
    trial("fused-cd1", 0, 0.4, haadf=0.1, tv=2.0),
    trial("fused-cd10", 0, 0.3, haadf=0.5, tv=4.0),
    trial("poisson-tv-cd1", 0, 1.1, tv=1.0),
    trial("poisson-cd40", 0, 1.5),
]


def info_of(trials, config):
    return curves_info(config, sampling_map(config, list(trials)))


def drawn(info):
    figure = to_figure(draw_curves, info)
    return figure, figure.axes[0]


def lines(axes):
    """Curves by their label."""
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def test_every_method_is_a_curve_of_its_colour_and_marker():
    info = info_of(TRIALS, over(DOSES))
    figure, axes = drawn(info)
    found = lines(axes)
    assert list(found) == ["fused", "Poisson + TV", "Poisson"]
    np.testing.assert_equal(found["fused"].get_ydata(), [0.4, 0.3, np.nan])
    np.testing.assert_equal(found["Poisson"].get_ydata(), [np.nan, np.nan, 1.5])
    np.testing.assert_equal(found["fused"].get_xdata(), [1.0, 10.0, 40.0])
    for name, label in (("fused", "fused"), ("poisson-tv", "Poisson + TV"), ("poisson", "Poisson")):
        assert (found[label].get_color(), found[label].get_marker()) == (METHODS[name].color, METHODS[name].marker)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["fused", "Poisson + TV", "Poisson"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "10", "40"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("chemical dose (counts/pixel)", "NRMSE")
    assert axes.get_xscale() == "log"
    assert figure.get_suptitle() == "nanocubes, 64³, HAADF SNR 2000"


def test_baselines_far_above_do_not_flatten_the_rest():
    assert info_of(TRIALS, over(DOSES)).y_scale == "log"
    assert info_of(TRIALS[:2], over(DOSES)).y_scale == "linear"
    assert drawn(info_of(TRIALS, over(DOSES)))[1].get_yscale() == "log"


def test_error_bars_are_the_deviation_of_the_repeats():
    config = over(DOSES, repeats={"noise_seed": [1, 2]})
    trials = [trial(f"fused-cd{dose}-s{seed}", 0, 0.3 + 0.01 * seed) for dose in (1, 10) for seed in (1, 2)]
    info = info_of([*trials, trial("fused-cd40-s1", 0, 0.3)], config)
    np.testing.assert_allclose(info.curves[0].y, [0.315, 0.315, 0.3])
    np.testing.assert_allclose(info.curves[0].deviation, [0.005 * np.sqrt(2)] * 2 + [np.nan])
    _, axes = drawn(info)
    bars = [one for one in axes.containers if isinstance(one, ErrorbarContainer)]
    assert len(bars) == 3
    (segments,) = (collection.get_segments() for collection in bars[0].lines[2])
    heights = [segment[:, 1] for segment in segments if len(segment)]
    np.testing.assert_allclose(heights[0], 0.315 + 0.005 * np.sqrt(2) * np.array([-1, 1]))
    assert sum(np.isfinite(height).all() for height in heights) == 2  # of a single result nothing is known


def test_without_repeats_there_are_no_error_bars():
    assert not drawn(info_of(TRIALS, over(DOSES)))[1].containers


def test_marks_are_written_at_their_points_and_explained():
    at_cap = replace(TRIALS[0], stopped=CAP)
    on_bound = trial("fused-cd10", 0, 0.3, haadf=10.0, tv=1.0)
    figure, axes = drawn(info_of([at_cap, on_bound], over(DOSES)))
    assert [(text.get_text(), text.xy) for text in axes.texts] == [("c", (1.0, 0.4)), ("b", (10.0, 0.3))]
    assert "cap of iterations" in figure.get_supxlabel()
    assert "bound of the search" in figure.get_supxlabel()


def test_a_trial_of_a_part_of_the_problem_is_not_drawn():
    info = info_of([*TRIALS, cheap("fused-cd1", 1, 0.1), cheap("fused-cd40", 0, 0.1)], over(DOSES))
    np.testing.assert_equal(info.curves[0].y, [0.4, 0.3, np.nan])


def test_categories_stand_side_by_side():
    info = info_of([trial("fused-uO", 0, 0.4)], over({"unmapped": ["none", "O", "Co"]}))
    _, axes = drawn(info)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["none", "O", "Co"]
    assert axes.get_xticks().tolist() == [0, 1, 2]
    np.testing.assert_equal(lines(axes)["fused"].get_ydata(), [np.nan, 0.4, np.nan])


def test_the_atlas_of_one_axis_is_a_curve_for_each_parameter_that_varies():
    config = over(DOSES)
    info = weights_info(config, sampling_map(config, TRIALS))
    _, axes = drawn(info)
    found = lines(axes)
    assert list(found) == [r"$\lambda_1$ (HAADF)", r"$\lambda_3$ (TV)"]
    np.testing.assert_equal(found[r"$\lambda_1$ (HAADF)"].get_ydata(), [0.1, 0.5, np.nan])
    assert axes.get_yscale() == "log"
    assert weights_info(config, sampling_map(config, TRIALS[:1])) is None


@pytest.mark.parametrize("trials", [TRIALS, TRIALS[:1], []])
def test_letters_are_those_of_print(trials):
    info = info_of(trials, over(DOSES))
    figure, _ = drawn(info)
    assert info.size_in[0] == SINGLE_COLUMN_IN
    sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()}
    assert all(7 <= size <= 9 for size in sizes), sizes


def test_what_is_seen_is_told_in_words():
    words = info_of(TRIALS, over(DOSES)).alt_text
    assert words.startswith("NRMSE over chemical dose (counts/pixel), 1 to 40: fused from 0.4 to 0.3;")
    assert "fused without a value" in info_of([], over(DOSES)).alt_text
