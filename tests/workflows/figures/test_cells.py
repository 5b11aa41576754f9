"""Figures of the map and the atlas: the data they draw, and that they draw it."""

import numpy as np
import pytest

from tests.workflows.values import SPACE, campaign, trial
from workflows.figures.cells import atlas_info, color_limits, draw_atlas, draw_sampling_map, sampling_map_info
from workflows.figures.drawing import png_bytes, to_figure
from workflows.maps.atlas import build_atlas
from workflows.maps.sampling_map import sampling_map

TRIALS = [
    trial("fused-h5-c3", 0, 0.5, haadf=0.001, tv=20.0),
    trial("fused-h20-c27", 0, 0.234, haadf=0.5, tv=20.0),
    trial("fused-h20-c9", 0, None),
    trial("poisson-tv-c3", 0, 0.98),
    trial("poisson-c27", 0, 1.6),
]
JOURNALS = {"some": TRIALS, "all failed": [trial("fused-h5-c3", 0, None)], "empty": []}


def is_png(content):
    return content.startswith(b"\x89PNG") and len(content) > 2000


def test_map_has_fused_rows_upwards_and_baselines_below():
    info = sampling_map_info(sampling_map(campaign(), TRIALS))
    assert info.row_labels == ("Poisson", "Poisson + TV", "5", "20")
    assert info.column_labels == ("3", "9", "27")
    assert (np.diff(info.row_centres) > 0).all()
    np.testing.assert_array_equal(info.row_centres[2:], [0, 1])
    assert info.row_centres[1] < -1  # a gap
    np.testing.assert_equal(info.values[:, 0], [np.nan, 0.98, 0.5, np.nan])
    np.testing.assert_equal(info.values[:, 2], [1.6, np.nan, np.nan, 0.234])


def test_map_writes_values_in_full_cells_only_and_shares_one_scale():
    info = sampling_map_info(sampling_map(campaign(), TRIALS))
    assert info.texts[3] == ("", "", "0.23")
    assert info.texts[1] == ("0.98", "", "")
    assert info.limits == (0.234, 1.6)
    assert info.scale == "linear"


def test_boundary_separates_cells_with_fewer_haadf_than_chemical_tilts():
    info = sampling_map_info(sampling_map(campaign((5, 9, 20), (3, 9, 27)), []))
    np.testing.assert_array_equal(info.boundary, [-0.5, 0.5, 2.5])


def test_atlas_info_has_one_heat_map_a_parameter():
    info = atlas_info(build_atlas(campaign(), TRIALS, {}))
    assert list(info) == ["haadf", "chemical", "tv"]
    assert info["haadf"].texts == (("0.001", "", ""), ("", "", "0.5"))
    assert info["haadf"].limits == (0.001, 0.5)
    assert {cells.scale for cells in info.values()} == {"log"}
    low, high = info["tv"].limits
    assert low < 20 < high  # one and the same value everywhere still needs a range


def test_gamma_has_linear_colors():
    space = {**SPACE, "gamma": {"low": 1.0, "high": 2.0, "scale": "linear"}}
    trials = [trial("fused-h5-c3", 0, 0.5, gamma=1.66), trial("fused-h5-c9", 0, 0.5, gamma=1.2)]
    cells = atlas_info(build_atlas(campaign(space=space), trials, {}))["gamma"]
    assert (cells.scale, cells.limits, cells.texts[0]) == ("linear", (1.2, 1.66), ("1.7", "1.2", ""))


def test_small_weights_are_written_briefly():
    trials = [trial("fused-h5-c3", 0, 0.5, tv=1.23e-5), trial("fused-h5-c9", 0, 0.5, tv=0.0)]
    assert atlas_info(build_atlas(campaign(), trials, {}))["tv"].texts[0] == ("1.2e-5", "0", "")


def test_log_limits_leave_out_zero():
    assert color_limits(np.array([0.0, 0.1, 10.0, np.nan]), "log") == (0.1, 10.0)
    assert color_limits(np.array([np.nan]), "log") == (0.1, 1.0)


@pytest.mark.parametrize("name", JOURNALS)
@pytest.mark.parametrize("axes", [((5, 20), (3, 9, 27)), ((5,), (3,))])
def test_figures_are_drawn_whatever_the_journal_holds(name, axes):
    atlas = build_atlas(campaign(*axes), JOURNALS[name], {})
    assert is_png(png_bytes(to_figure(draw_sampling_map, sampling_map_info(atlas.map))))
    assert is_png(png_bytes(to_figure(draw_atlas, atlas_info(atlas))))


def test_atlas_with_a_zero_weight_is_drawn():
    trials = [trial("fused-h5-c3", 0, 0.5, tv=1e-5), trial("fused-h5-c9", 0, 0.5, tv=0.0, haadf=0.0)]
    assert is_png(png_bytes(to_figure(draw_atlas, atlas_info(build_atlas(campaign(), trials, {})))))


def test_drawing_into_a_given_axes():
    info = sampling_map_info(sampling_map(campaign(), TRIALS))
    figure = to_figure(lambda _info, figure: figure.subplots(1, 2), info)
    draw_sampling_map(info, figure.axes[1])
    texts = {text.get_text() for text in figure.axes[1].texts}
    assert {"0.50", "0.23", "0.98", "1.60"} <= texts
    assert not figure.axes[0].texts
