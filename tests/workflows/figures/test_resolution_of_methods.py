"""The resolution of several methods side by side: what the table says, and what is drawn."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy.ndimage import gaussian_filter

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, to_figure
from fusedtomo.resolution import resolution
from workflows.figures.resolution_of_methods import MethodsInfo, draw_resolution_of_methods, wedge_loss

VOXEL_NM = 2.0


def cube():
    data = np.zeros((32, 32, 32))
    data[9:23, 9:23, 9:23] = 1
    return data


def measured(sigmas, noise=0.0, tilts=(-70.0, 70.0)):
    """A cube blurred along z, y, x, against the sharp one."""
    blurred = gaussian_filter(cube(), sigmas) + noise * np.random.default_rng(0).standard_normal((32, 32, 32))
    return resolution(blurred, VOXEL_NM, cube(), tilts)


@pytest.fixture
def info():
    methods = {"poisson": {"Au": measured((1.6, 0.8, 0.8), 0.1)}, "fused": {"Au": measured((0.8, 0.8, 0.8))}}
    return MethodsInfo("a cube", VOXEL_NM, methods)


def test_a_row_a_method_and_element_with_the_loss_along_the_wedge(info):
    rows = {row["method"]: row for row in info.table}
    assert list(rows) == ["Poisson", "fused"]
    even, long = rows["fused"], rows["Poisson"]
    assert even["wedge_loss"] == pytest.approx(1.0, abs=1e-6)
    assert long["wedge_loss"] == pytest.approx(
        2 * long["half_pitch_z_nm"] / (long["half_pitch_x_nm"] + long["half_pitch_y_nm"])
    )
    assert long["wedge_loss"] > 1.3
    assert even["half_pitch_x_nm"] == info.methods["fused"]["Au"].edges["x"].half_pitch_nm
    assert {even[f"edges_{axis}"] for axis in "xyz"} == {2 * 12 * 12}  # the cube's own edges face no axis


def test_lengths_of_spectra_and_correlations_are_those_of_the_measure(info):
    (row,) = (row for row in info.table if row["method"] == "Poisson")
    one = info.methods["poisson"]["Au"]
    assert row["noise_floor_measured_nm"] == one.cutoff_nm("measured") > 0
    for region in ("measured", "missing"):
        assert row[f"half_bit_{region}_nm"] == pytest.approx(one.agrees_to_nm(region) or np.nan, nan_ok=True)
        fixed = one.agrees_to_nm(region, fixed=True)
        assert row[f"fsc_0143_{region}_nm"] == pytest.approx(fixed or np.nan, nan_ok=True)
    assert np.isfinite([row["half_bit_measured_nm"], row["half_bit_missing_nm"]]).any()


def test_without_a_wedge_nothing_is_missing_and_without_edges_nothing_is_wide():
    whole = MethodsInfo("", VOXEL_NM, {"fused": {"Au": measured((0.8,) * 3, 0.1, (-90.0, 90.0))}})
    (row,) = whole.table
    assert np.isnan(row["half_bit_missing_nm"])
    assert row["noise_floor_measured_nm"] == whole.methods["fused"]["Au"].cutoff_nm("all")
    flat = resolution(np.ones((32, 32, 32)), VOXEL_NM, cube(), (-70.0, 70.0))
    empty = MethodsInfo("", VOXEL_NM, {"fused": {"Au": flat}})
    assert np.isnan(wedge_loss(flat))
    assert (empty.table[0]["edges_x"], np.isnan(empty.table[0]["half_pitch_x_nm"])) == (0, True)
    assert empty.told("fused") == "Au has no edge along an axis"
    for one in (whole, empty):
        to_figure(draw_resolution_of_methods, one)


def test_the_figure_has_a_column_an_element_and_the_color_of_each_method(info):
    figure = to_figure(draw_resolution_of_methods, info)
    assert figure.get_size_inches()[0] == DOUBLE_COLUMN_IN
    correlation, spectrum, pitches = figure.axes
    assert correlation.get_title() == "Au"
    drawn = [(to_hex(line.get_color()).upper(), line.get_linestyle()) for line in spectrum.lines]
    assert drawn == [(METHODS[name].color, dash) for name in info.methods for dash in ("-", "--")]
    one = info.methods["poisson"]["Au"]
    np.testing.assert_array_equal(spectrum.lines[0].get_ydata(), one.spectra["measured"].value)
    np.testing.assert_array_equal(spectrum.lines[1].get_ydata(), one.spectra["missing"].value)
    np.testing.assert_array_equal(correlation.lines[1].get_ydata(), one.correlations["missing"].value)
    marks = [(line.get_xdata()[0], line.get_marker()) for line in pitches.lines[:3]]
    assert marks == [(one.edges[axis].half_pitch_nm, mark) for axis, mark in zip("xyz", (">", "^", "o"), strict=True)]
    labels = [text.get_text() for text in figure.legends[0].texts]
    assert labels[:4] == ["Poisson", "fused", "measured directions", "missing wedge"]


def test_alt_text_tells_the_numbers(info):
    pitch = info.methods["fused"]["Au"].edges["x"].half_pitch_nm
    assert f"fused: Au half-pitch along x {pitch:.2f}, y {pitch:.2f}, z {pitch:.2f} nm (z over x and y: 1.00)" in (
        info.alt_text
    )
