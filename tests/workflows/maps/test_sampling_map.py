"""The sampling map holds the best trial of every condition, and says where there is none."""

import numpy as np
import pytest

from tests.workflows.values import campaign, trial
from workflows.maps.sampling_map import best_by_condition, sampling_map


@pytest.fixture
def trials():
    return [
        trial("fused-h5-c3", 0, 0.6),
        trial("fused-h5-c3", 1, 0.5),
        trial("fused-h5-c3", 2, None),
        trial("fused-h20-c27", 0, 0.2),
        trial("fused-h20-c9", 0, None),
        trial("poisson-tv-c3", 0, 1.0),
        trial("poisson-c27", 0, 1.6),
        trial("fused-h99-c3", 0, 0.01),  # left over from another grid
    ]


def test_cells_hold_the_best_trial_and_nan_where_none_succeeded(trials):
    found = sampling_map(campaign(), trials)
    np.testing.assert_equal(found.nrmse, [[0.5, np.nan, np.nan], [np.nan, np.nan, 0.2]])
    assert found.nrmse.dtype == np.float64
    assert found.elements == ("Co", "Au")
    np.testing.assert_allclose(found.nrmse_by_element[:, 0, 0], [0.45, 0.55])
    np.testing.assert_allclose(found.nrmse_by_element[:, 1, 2], [0.18, 0.22])
    assert np.isnan(found.nrmse_by_element[:, 1, 1]).all()


def test_baselines_are_rows_in_the_order_of_the_campaign(trials):
    found = sampling_map(campaign(), trials)
    assert list(found.baselines) == ["poisson-tv", "poisson"]
    np.testing.assert_equal(found.baselines["poisson-tv"], [1.0, np.nan, np.nan])
    np.testing.assert_equal(found.baselines["poisson"], [np.nan, np.nan, 1.6])


def test_trials_and_failures_are_counted(trials):
    found = sampling_map(campaign(), trials)
    np.testing.assert_array_equal(found.trials, [[3, 0, 0], [0, 1, 1]])
    np.testing.assert_array_equal(found.failed, [[1, 0, 0], [0, 1, 0]])


def test_best_cell_and_improvement(trials):
    found = sampling_map(campaign(), trials)
    assert found.best_cell == (20, 27)
    assert found.improvement("poisson-tv") == pytest.approx(2.0)
    assert found.improvement("poisson") == pytest.approx(8.0)


@pytest.mark.parametrize("journal", [[], [trial("fused-h5-c3", 0, None), trial("poisson-c3", 0, None)]])
def test_nothing_succeeded(journal):
    found = sampling_map(campaign(), journal)
    assert np.isnan(found.nrmse).all()
    assert found.nrmse_by_element.shape == (0, 2, 3)
    assert found.best_cell is None
    assert np.isnan(found.improvement("poisson"))
    assert set(best_by_condition(campaign(), journal).values()) == {None}


def test_single_cell():
    found = sampling_map(campaign((5,), (3,)), [trial("fused-h5-c3", 0, 0.5)])
    assert found.nrmse.tolist() == [[0.5]]
    assert found.best_cell == (5, 3)
    assert found.interpolate(found.nrmse, 100, 2) == pytest.approx(0.5)


def test_interpolation_is_exact_for_power_laws():
    found = sampling_map(campaign(), [])
    h, c = np.meshgrid(found.haadf_tilts, found.chemical_tilts, indexing="ij")
    assert found.interpolate(3.0 * h**0.5 * c**-1.5, 8, 12) == pytest.approx(3.0 * 8**0.5 * 12**-1.5)


def test_interpolation_uses_the_two_neighbours_only():
    found = sampling_map(campaign(), [])
    grid = np.array([[1.0, 16.0, 1.0], [1.0, 16.0, 1.0]])
    three_quarters_on = 3 * 3**0.75
    assert found.interpolate(grid, 5, three_quarters_on) == pytest.approx(16**0.75)


def test_interpolation_clamps_at_the_edges():
    found = sampling_map(campaign(), [])
    grid = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert found.interpolate(grid, 2, 2) == pytest.approx(1.0)
    assert found.interpolate(grid, 1000, 1000) == pytest.approx(6.0)


def test_interpolation_takes_the_nearest_filled_cell_for_an_empty_one():
    found = sampling_map(campaign(), [])
    grid = np.array([[np.nan, 2.0, 3.0], [4.0, 5.0, 6.0]])
    # (5, 3): log(9 / 3) = 1.10 away from (5, 9), log(20 / 5) = 1.39 away from (20, 3)
    assert found.interpolate(grid, 5, 3) == pytest.approx(2.0)
    assert np.isnan(found.interpolate(np.full((2, 3), np.nan), 5, 3))


def test_interpolation_of_values_with_a_zero_is_linear_in_them():
    found = sampling_map(campaign(), [])
    grid = np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    assert found.interpolate(grid, 5, np.sqrt(27)) == pytest.approx(0.5)
