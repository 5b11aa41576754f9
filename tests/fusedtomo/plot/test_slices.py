"""Slices side by side: the data they draw, what is drawn, and what is said of it."""

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fusedtomo.errors import InputError
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, SINGLE_COLUMN_IN, to_figure
from fusedtomo.plot.elements import element_color, mixed
from fusedtomo.plot.slices import draw_slices, slices_info
from fusedtomo.volume import ChemicalVolume


def volume(data, elements=("Co", "Au"), voxel_nm=2.0):
    return ChemicalVolume(np.asarray(data, np.float32), elements, voxel_nm)


@pytest.fixture
def truth():
    data = np.zeros((2, 6, 10, 8))
    data[0, 2:4, 3:6, 2:7] = 0.5  # Co
    data[1, 1, 1, 5] = 1.0  # a little Au, in one slice only
    return volume(data)


def test_default_slice_shows_every_element(truth):
    assert slices_info({"truth": truth}).index == 5


def test_default_slice_of_a_specimen_that_does_not_vary_is_central():
    assert slices_info({"truth": volume(np.ones((2, 4, 4, 9)))}).index == 4


def test_scale_of_each_element_comes_from_the_truth(truth):
    estimate = volume(np.full(truth.data.shape, 0.25))
    info = slices_info({"truth": truth, "fused": estimate})
    assert info.limits == (0.5, 1.0)
    assert info.images.shape == (2, 2, 6, 10)
    np.testing.assert_allclose(info.images[1, 0], 0.5)
    np.testing.assert_allclose(info.images[1, 1], 0.25)
    assert info.images[0, 0, 2, 3] == 1.0
    assert slices_info({"truth": truth, "fused": volume(truth.data * 3)}).images.max() == 1.0


def test_composite_mixes_the_colors(truth):
    info = slices_info({"truth": truth})
    assert info.colors == (element_color("Co"), element_color("Au"))
    np.testing.assert_allclose(info.composite[0, 2, 3], info.colors[0], rtol=1e-6)
    np.testing.assert_allclose(info.composite[0, 1, 1], info.colors[1], rtol=1e-6)
    assert info.composite[0, 5, 9].max() == 0
    np.testing.assert_array_equal(info.composite, mixed(info.images, info.colors))


def test_an_element_has_its_color_in_any_place(truth):
    swapped = volume(truth.data, ("Au", "Co"))
    assert slices_info({"truth": swapped}).colors == slices_info({"truth": truth}).colors[::-1]


def test_rows_are_labelled_with_their_nrmse(truth):
    info = slices_info({"truth": truth, "fused": truth}, nrmse={"fused": 0.3333})
    assert info.labels == ("truth", "fused\nNRMSE 0.333")


def test_scale_bar_is_a_round_length(truth):
    info = slices_info({"truth": truth})  # 10 voxels of 2 nm across: at most 6 nm
    assert (info.scale_bar_nm, info.scale_bar_voxels) == (5.0, 2.5)


@pytest.mark.parametrize("other", [np.zeros((2, 6, 10, 7)), np.zeros((2, 5, 10, 8))])
def test_volumes_of_another_grid_are_refused(truth, other):
    with pytest.raises(InputError, match="volume 'fused' is"):
        slices_info({"truth": truth, "fused": volume(other)})


def test_other_elements_slice_and_nothing_are_refused(truth):
    with pytest.raises(InputError, match="same elements"):
        slices_info({"truth": truth, "fused": volume(truth.data, ("Cu", "Au"))})
    with pytest.raises(InputError, match="slice 8 is outside the volume; give one from 0 to 7"):
        slices_info({"truth": truth}, index=8)
    with pytest.raises(InputError, match="no volume"):
        slices_info({})


@pytest.fixture
def info(truth):
    noisy = volume(truth.data * 1.5 + 0.1)
    return slices_info(
        {"truth": truth, "compressed sensing": noisy}, title="two cubes, 10³ voxels", nrmse={"compressed sensing": 0.5}
    )


def check_drawn(info, figure):
    """Every image, label, title, scale and scale bar of the info stands in the figure."""
    rows, columns = info.images.shape[:2]
    assert len(figure.axes) == rows * (columns + 1) + columns
    axes = np.array(figure.axes[: rows * (columns + 1)]).reshape(rows, columns + 1)
    bars = figure.axes[axes.size :]
    for row, column in np.ndindex(rows, columns):
        (image,) = axes[row, column].images
        np.testing.assert_array_equal(image.get_array(), info.images[row, column])
        assert image.get_clim() == (0, 1)
        assert image.cmap(0.0)[:3] == (0, 0, 0)
        np.testing.assert_allclose(image.cmap(1.0)[:3], info.colors[column])
    for row, label in enumerate(info.labels):
        (image,) = axes[row, -1].images
        np.testing.assert_array_equal(image.get_array(), info.composite[row])
        assert axes[row, 0].get_ylabel().split() == label.split()
        (bar,) = (patch for patch in axes[row, -1].patches if isinstance(patch, Rectangle))
        assert bar.get_width() == pytest.approx(info.scale_bar_nm / info.voxel_nm)
        assert to_rgb(bar.get_facecolor()) == to_rgb("black" if info.shallow else "white")
        assert [text.get_text() for text in axes[row, -1].texts] == [f"{info.scale_bar_nm:g} nm"]
    for image in (image for ax in axes.flat for image in ax.images):
        assert image.origin == "lower"
        assert image.get_interpolation() == "none"  # voxels are shown as they are
    assert [ax.get_title() for ax in axes[0]] == [*info.elements, "composite"]
    for bar, color, limit in zip(bars, info.colors, info.limits, strict=True):
        low, high = (text.get_text() for text in bar.get_xticklabels())
        assert (float(low), float(high.removeprefix("≥ "))) == (0, pytest.approx(limit, rel=0.05))
        assert bar.get_xlim() == (0, 1)
        (drawn,) = (one for one in bar.collections if isinstance(one, QuadMesh))
        np.testing.assert_allclose(drawn.cmap(1.0)[:3], color)
    heading, unit = (text.get_text() for text in figure.texts)
    assert info.title in heading
    assert info.place[1:] in " ".join(heading.split())
    assert "concentration" in unit


def test_every_slice_is_drawn_with_its_scales(info):
    figure = to_figure(draw_slices, info)
    check_drawn(info, figure)
    figure.draw_without_rendering()


def test_a_volume_of_one_element_and_of_nothing_is_drawn_in_one_column():
    info = slices_info({"truth": volume(np.zeros((1, 4, 4, 4)), ("O",))}, plane="yx")
    figure = to_figure(draw_slices, info)
    check_drawn(info, figure)
    assert info.images.max() == 0
    assert figure.get_size_inches()[0] == SINGLE_COLUMN_IN
    figure.draw_without_rendering()


def test_the_scale_bar_of_a_slab_stands_below_its_images():
    info = slices_info({name: volume(np.ones((2, 2, 20, 6))) for name in ("truth", "compressed sensing")})
    figure = to_figure(draw_slices, info)
    check_drawn(info, figure)
    figure.draw_without_rendering()
    composite, next_one = figure.axes[2], figure.axes[5]
    (bar,) = composite.patches
    assert bar.get_y() + bar.get_height() < -0.5  # where the image ends
    length = composite.texts[0].get_window_extent()
    assert length.y1 <= composite.images[0].get_window_extent().y0 + 1
    assert length.y0 >= next_one.images[0].get_window_extent().y1


def test_an_empty_figure_is_not_slices(info):
    empty = Figure()
    with pytest.raises(AssertionError):
        check_drawn(info, empty)
    empty.subplots(2, 4)  # as many axes, nothing in them
    with pytest.raises(ValueError, match="not enough values to unpack"):
        check_drawn(info, empty)


def test_slices_are_drawn_into_a_part_of_a_figure(info):
    whole = Figure(figsize=(8, 4), layout="constrained")
    left, right = whole.subfigures(1, 2)
    draw_slices(info, left)
    right.subplots().plot([0, 1])
    check_drawn(info, left)
    whole.draw_without_rendering()


def test_images_are_square_and_lie_within_two_columns_of_a_journal(info):
    figure = to_figure(draw_slices, info)
    width, height = figure.get_size_inches()
    assert width == DOUBLE_COLUMN_IN
    figure.draw_without_rendering()
    for ax in figure.axes[:6]:
        box = ax.get_position(original=True)
        wide, high = box.width * width, box.height * height
        assert wide / high == pytest.approx(10 / 6, rel=1e-6)  # square voxels fill their place
    extent = figure.get_tightbbox()
    assert extent.x0 >= 0
    assert extent.x1 <= width
    assert extent.y0 >= 0
    assert extent.y1 <= height
    labels = [ax.yaxis.label.get_window_extent() for ax in figure.axes[:6:3]]
    assert not labels[0].overlaps(labels[1])


def test_a_long_title_takes_more_lines_and_more_room(truth):
    short = slices_info({"truth": truth})
    long = slices_info({"truth": truth}, title="a specimen of many words, " * 8)
    assert long.size_in[1] > short.size_in[1] + 0.2
    figure = to_figure(draw_slices, long)
    figure.draw_without_rendering()
    heading = figure.texts[0].get_window_extent()
    assert heading.x1 <= figure.bbox.x1
    assert heading.y0 > figure.axes[0].title.get_window_extent().y1


def test_what_lies_above_the_scale_is_marked_and_told(truth, info):
    np.testing.assert_allclose(info.highest, [[0.5, 1.0], [0.85, 1.6]], rtol=1e-6)
    _, high = to_figure(draw_slices, info).axes[-1].get_xticklabels()
    assert high.get_text() == "≥ 1"
    exact = slices_info({"truth": truth})
    _, high = to_figure(draw_slices, exact).axes[-1].get_xticklabels()
    assert high.get_text() == "1"
    assert "clipped" not in exact.alt_text


@pytest.mark.parametrize(
    ("plane", "index", "place"),
    [
        ("zy", 5, "slice across the tilt axis, voxel x = 5 of 8 (11 of 16 nm)"),
        ("yx", 0, "slice across the beam at 0°, voxel z = 0 of 6 (1 of 12 nm)"),
    ],
)
def test_the_place_of_the_slice_is_named(truth, plane, index, place):
    info = slices_info({"truth": truth}, plane=plane, index=index)
    assert info.place == place
    assert info.images.shape[2:] == {"zy": (6, 10), "yx": (10, 8)}[plane]


def test_alternative_text_tells_what_is_seen(info):
    assert info.alt_text == (
        "two cubes, 10³ voxels: slice across the tilt axis, voxel x = 5 of 8 (11 of 16 nm). "
        "Columns: Co, Au and their composite. Rows: truth; compressed sensing, NRMSE 0.500. "
        "Brightest are concentrations of 0.5 of Co, 1 of Au, black is none; "
        "higher ones are clipped (Co up to 0.85, Au up to 1.6)."
    )
