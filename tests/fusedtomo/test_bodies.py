"""Bodies of known size have it, whatever contrast they have lost."""

import numpy as np
import pytest
from scipy import ndimage

from fusedtomo.bodies import bodies
from fusedtomo.volume import ChemicalVolume

VOXEL_NM = 2.0
Z, Y, X = np.mgrid[:48, :48, :48] - 23.5


def ball(radius, centre=(0.0, 0.0, 0.0)):
    """(z, y, x) float32, anti-aliased at its surface."""
    distance = np.sqrt((Z - centre[0]) ** 2 + (Y - centre[1]) ** 2 + (X - centre[2]) ** 2)
    return np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)


def volume(*elements):
    return ChemicalVolume(np.stack(elements), ("Au", "Fe")[: len(elements)], VOXEL_NM)


def test_balls_have_their_diameters_whatever_their_contrast():
    truth = volume(0.8 * np.maximum(ball(10, (-10, 0, 0)), ball(5, (15, 0, 0))))
    for contrast in (1.0, 0.3):
        found = bodies(volume(contrast * truth["Au"]), truth)["Au"]
        assert found.diameters_nm == pytest.approx([40, 20], rel=0.02)
        assert found.specks == 0


def test_a_shell_and_a_slab_have_their_thickness():
    shell = ball(18) - ball(12)
    slab = np.clip(4.5 - np.abs(X), 0, 1).astype(np.float32)
    found = bodies(volume(shell, slab), volume(shell, slab))
    assert found["Au"].thickness_nm == pytest.approx(6 * VOXEL_NM, rel=0.1)  # oblique surfaces are steps
    assert found["Fe"].thickness_nm == pytest.approx(8 * VOXEL_NM, rel=1e-6)  # to the border and beyond


def test_specks_are_counted_apart():
    truth = volume(ball(8))
    noisy = truth["Au"].copy()
    noisy[2:4, 2, 2] = noisy[40, 40, 40] = 1
    found = bodies(volume(noisy), truth)["Au"]
    assert (len(found.diameters_nm), found.specks) == (1, 2)


@pytest.mark.parametrize("sigma", [1.5, 2.5])
def test_an_edge_is_as_wide_as_its_blur(sigma):
    truth = volume(ball(15))
    blurred = volume(ndimage.gaussian_filter(truth["Au"], sigma))
    sharp, found = (bodies(one, truth)["Au"] for one in (truth, blurred))
    # of a plane edge 2.56 sigma, of a ball's somewhat less; shells of a voxel add theirs
    assert found.edge_nm == pytest.approx(2.563 * sigma * VOXEL_NM, rel=0.15)
    assert sharp.edge_nm < 2 * VOXEL_NM
    assert sharp.profile[0] == pytest.approx(1)
    assert found.profile[-1] == pytest.approx(0, abs=0.02)


def test_a_body_that_grew_shows_outside_of_the_true_surface():
    truth = volume(ball(12))
    grown = bodies(volume(ball(14)), truth)["Au"]
    assert grown.diameters_nm == pytest.approx([28 * VOXEL_NM], rel=0.02)
    at = np.interp(0.5, grown.profile[::-1], grown.distance_nm[::-1])
    assert at == pytest.approx(2 * VOXEL_NM, abs=0.5 * VOXEL_NM)


def test_an_element_that_is_not_found_has_no_body():
    truth = volume(ball(8))
    found = bodies(volume(np.zeros_like(truth["Au"])), truth)["Au"]
    assert found.diameters_nm.size == 0
    assert np.isnan([found.thickness_nm, found.edge_nm]).all()
