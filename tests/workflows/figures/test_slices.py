"""Slices side by side and cost histories: the data they draw, and that they draw it."""

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.volume import ChemicalVolume
from workflows.figures.drawing import png_bytes, to_figure
from workflows.figures.slices import draw_history, draw_slices, history_info, slices_info


def volume(data, elements=("Co", "Au"), voxel_nm=2.0):
    return ChemicalVolume(np.asarray(data, np.float32), elements, voxel_nm)


@pytest.fixture
def truth():
    data = np.zeros((2, 6, 10, 8))
    data[0, 2:4, 3:6, 2:7] = 0.5  # Co
    data[1, 1, 1, 5] = 1.0  # a little Au, in one slice only
    return volume(data)


def drawn(draw, info):
    content = png_bytes(to_figure(draw, info))
    return content.startswith(b"\x89PNG") and len(content) > 2000


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


def test_composite_adds_the_colors(truth):
    info = slices_info({"truth": truth})
    np.testing.assert_allclose(info.composite[0, 2, 3], info.colors[0], rtol=1e-6)
    np.testing.assert_allclose(info.composite[0, 1, 1], info.colors[1], rtol=1e-6)
    assert info.composite[0, 5, 9].max() == 0


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


def test_slices_are_drawn(truth):
    assert drawn(draw_slices, slices_info({"truth": truth, "fused": truth}, nrmse={"fused": 0.1}))
    assert drawn(draw_slices, slices_info({"truth": volume(np.zeros((1, 4, 4, 4)), ("O",))}))


def test_history_separates_cost_terms_from_the_nrmse():
    info = history_info({"HAADF": [3, 2, 1], "Poisson": [5.0, -1.0, 0.0], "nrmse": [0.9, 0.5, 0.4]})
    assert list(info.terms) == ["HAADF", "Poisson"]
    np.testing.assert_equal(info.terms["Poisson"], [5.0, np.nan, np.nan])
    np.testing.assert_allclose(info.nrmse, [0.9, 0.5, 0.4])


@pytest.mark.parametrize(
    "histories",
    [{"HAADF": [3, 2], "nrmse": [1, 0.5]}, {"TV": [1.0]}, {"HAADF": [0, 0]}, {"nrmse": [1.0]}, {}],
)
def test_histories_are_drawn(histories):
    assert drawn(draw_history, history_info(histories))
