"""The HAADF contrast model: its values, its derivative, and what happens at zero."""

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.operators.zcontrast import ZContrast
from tests.devices import on
from tests.fusedtomo.reference import finite_differences

ATOMIC_NUMBERS = (27, 8, 79)
GAMMAS = (1.0, 1.4, 1.7, 2.0)
FLOAT32 = 1e-5  # relative; powf is good to a few units in the last place


def _density(volume, gamma):
    zeta = np.array(ATOMIC_NUMBERS) / 79
    return ((zeta[:, None, None, None] * volume.astype(np.float64)) ** gamma).sum(axis=0)


@pytest.fixture
def volume(rng):
    return rng.uniform(0.1, 1.2, (3, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_brightness_is_the_sum_of_powers(place, volume, gamma):
    found = on(place, ZContrast(ATOMIC_NUMBERS, gamma)).density(volume)
    np.testing.assert_allclose(found, _density(volume, gamma), rtol=FLOAT32)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_pullback_is_the_transposed_derivative_and_adds(place, volume, gamma, rng):
    cotangent = rng.normal(size=volume.shape[1:]).astype(np.float32)
    out = np.ones_like(volume)
    on(place, ZContrast(ATOMIC_NUMBERS, gamma)).pullback(volume, cotangent, out, add=True)
    expected = finite_differences(lambda x: float((_density(x, gamma) * cotangent).sum()), volume)
    np.testing.assert_allclose(out - 1, expected, rtol=1e-4, atol=1e-6)  # 1 + small in float32 keeps 1e-7


@pytest.mark.parametrize("gamma", GAMMAS)
def test_empty_voxels_are_dark_and_have_finite_derivatives(place, gamma):
    empty, slope = np.zeros((3, 2, 2, 2), np.float32), np.zeros((3, 2, 2, 2), np.float32)
    contrast = on(place, ZContrast(ATOMIC_NUMBERS, gamma))
    contrast.pullback(empty, np.ones((2, 2, 2), np.float32), slope)
    assert not contrast.density(empty).any()
    expected = np.array(ATOMIC_NUMBERS) / 79 if gamma == 1 else np.zeros(3)
    np.testing.assert_allclose(slope[:, 0, 0, 0], expected, rtol=FLOAT32)


def test_floor_stands_in_for_concentrations_below_it(place, volume):
    contrast, ones = on(place, ZContrast(ATOMIC_NUMBERS, 1.7)), np.ones(volume.shape[1:], np.float32)
    floored, expected = np.zeros_like(volume), np.zeros_like(volume)
    contrast.pullback(volume, ones, floored, floor=0.5)
    contrast.pullback(np.maximum(volume, np.float32(0.5)), ones, expected)
    np.testing.assert_array_equal(floored, expected)


def test_brightness_goes_into_the_array_that_the_caller_gives(place, volume):
    out = np.full(volume.shape[1:], np.nan, np.float32)
    contrast = on(place, ZContrast(ATOMIC_NUMBERS, 1.7))
    assert contrast.density(volume, out) is out
    np.testing.assert_array_equal(out, contrast.density(volume))


@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_total_slope_is_the_sum_of_all_elements(place, volume, gamma):
    contrast, ones = on(place, ZContrast(ATOMIC_NUMBERS, gamma)), np.ones(volume.shape[1:], np.float32)
    slopes, total = np.zeros_like(volume), np.full(volume.shape[1:], np.nan, np.float32)
    contrast.pullback(volume, ones, slopes, floor=0.5)
    contrast.total_slope(volume, total, floor=0.5)
    np.testing.assert_allclose(total, slopes.sum(axis=0), rtol=FLOAT32)


@pytest.mark.parametrize("gamma", [0.9, 2.1, float("nan")])
def test_gamma_outside_one_to_two_is_refused(gamma):
    with pytest.raises(InputError, match=f"gamma is {gamma:g}; .* between 1 and 2"):
        ZContrast(ATOMIC_NUMBERS, gamma)
