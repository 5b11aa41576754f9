"""Errors of a reconstruction: the paper's NRMSE, what it is blind to, and the numbers beside it."""

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.score import nrmse, score, stoichiometry_error
from fusedtomo.volume import ChemicalVolume


@pytest.fixture
def truth(rng):
    return ChemicalVolume(rng.random((2, 4, 5, 6)).astype(np.float32), ("Co", "O"), 1.0)


@pytest.fixture
def estimate(truth, rng):
    data = np.maximum(truth.data + rng.normal(0, 0.2, truth.data.shape), 0).astype(np.float32)
    return ChemicalVolume(data, truth.elements, 1.0)


def _by_the_paper(x, y):
    """sqrt(sum (y - x)^2 / sum y^2) after normalising to zero mean and unit deviation (Methods)."""
    x, y = ((v.astype(np.float64) - v.astype(np.float64).mean()) / v.astype(np.float64).std() for v in (x, y))
    return np.sqrt(((y - x) ** 2).sum() / (y**2).sum())


def test_nrmse_is_the_paper_s_formula(estimate, truth):
    scored = score(estimate, truth)
    for element in truth.elements:
        expected = _by_the_paper(estimate[element], truth[element])
        assert scored.nrmse_by_element[element] == pytest.approx(expected, rel=1e-9)
    assert scored.nrmse == pytest.approx(np.mean(list(scored.nrmse_by_element.values())))


def test_nrmse_of_four_voxels_by_hand():
    y, x = np.array([0, 0, 1, 1.0]), np.array([0, 1, 0, 1.0])  # normalised: -1 -1 1 1 and -1 1 -1 1
    assert nrmse(x, y) == pytest.approx(np.sqrt(8 / 4))


def test_nrmse_follows_from_the_correlation(estimate, truth):
    r = np.corrcoef(estimate["Co"].ravel().astype(np.float64), truth["Co"].ravel().astype(np.float64))[0, 1]
    assert nrmse(estimate["Co"], truth["Co"]) == pytest.approx(np.sqrt(2 * (1 - r)), rel=1e-9)


@pytest.mark.parametrize(("gain", "offset"), [(3.0, 0.0), (1.0, 7.0), (0.01, -2.0)])
def test_nrmse_is_blind_to_gain_and_offset(estimate, truth, gain, offset):
    x = estimate["Co"].astype(np.float64)
    assert nrmse(gain * x + offset, truth["Co"]) == pytest.approx(nrmse(x, truth["Co"]), rel=1e-9)


def test_a_perfect_reconstruction_scores_zero(truth):
    scored = score(truth, truth)
    assert scored.nrmse == 0
    assert scored.rmse_by_element == {"Co": 0, "O": 0}
    assert scored.stoichiometry_error == 0


def test_a_constant_reconstruction_scores_one(truth):
    constant = ChemicalVolume(np.full_like(truth.data, 0.5), truth.elements, 1.0)
    assert score(constant, truth).nrmse_by_element == {"Co": 1.0, "O": 1.0}


def test_two_constant_volumes_are_no_perfect_match(estimate):
    constant = np.full(estimate.shape, 0.3, np.float32)
    assert nrmse(constant, constant) == 1
    assert nrmse(estimate["Co"], constant) == 1


def test_a_truth_without_a_specimen_is_nothing_to_compare_with(estimate, truth):
    levels = np.array([0.5, 0.25], np.float32)[:, None, None, None]
    empty = ChemicalVolume(np.zeros_like(truth.data) + levels, truth.elements, 1.0)
    for volume in (empty, truth):
        with pytest.raises(InputError, match="the truth is the same everywhere, nothing to compare with"):
            score(volume, empty)
    part = ChemicalVolume(truth.data * np.array([1, 0], np.float32)[:, None, None, None], truth.elements, 1.0)
    assert score(estimate, part).nrmse_by_element["O"] == 1  # a slab may hold nothing of an element


def test_other_voxel_sizes_are_refused(truth):
    other = ChemicalVolume(truth.data, truth.elements, truth.voxel_nm * 1.01)
    with pytest.raises(InputError, match=r"voxels of 1\.01 nm but the truth 1 nm; score volumes of one voxel size"):
        score(other, truth)
    assert score(ChemicalVolume(truth.data, truth.elements, truth.voxel_nm * 1.0001), truth).nrmse < 1e-6


def test_rmse_sees_the_gain_that_nrmse_hides(truth):
    half = ChemicalVolume(truth.data / 2, truth.elements, 1.0)
    scored = score(half, truth)
    assert scored.nrmse < 1e-6
    for element in truth.elements:
        expected = np.sqrt((truth[element].astype(np.float64) ** 2).mean()) / 2
        assert scored.rmse_by_element[element] == pytest.approx(expected, rel=1e-6)


def test_stoichiometry_error_is_of_atomic_fractions_inside_the_specimen():
    truth = np.zeros((2, 1, 1, 3), np.float32)
    truth[:, 0, 0, :2] = 0.5  # CoO in two voxels, vacuum in the third
    estimate = np.full_like(truth, 9.0)  # vacuum does not count, however wrong
    estimate[:, 0, 0, 0] = 0.3, 0.3  # half the density, but 1 : 1
    estimate[:, 0, 0, 1] = 0.6, 0.2  # 3 : 1, off by 1/4 each
    assert stoichiometry_error(estimate, truth) == pytest.approx(np.sqrt(2 * 0.25**2 / 4), rel=1e-6)


def test_stoichiometry_error_of_empty_estimates_and_of_empty_truths():
    specimen, nothing = np.full((2, 1, 1, 3), 0.5, np.float32), np.zeros((2, 1, 1, 3), np.float32)
    assert stoichiometry_error(nothing, specimen) == pytest.approx(0.5)
    assert np.isnan(stoichiometry_error(specimen, nothing))


def test_elements_are_matched_by_symbol_not_by_order(estimate, truth):
    turned = ChemicalVolume(estimate.data[::-1], ("O", "Co"), 1.0)
    assert score(turned, truth) == score(estimate, truth)
    assert list(score(turned, truth).nrmse_by_element) == ["Co", "O"]


def test_other_elements_are_refused(truth):
    other = ChemicalVolume(truth.data, ("Co", "Au"), 1.0)
    with pytest.raises(InputError, match=r"holds Co, Au but the truth Co, O; score volumes of the same elements"):
        score(other, truth)


def test_other_shapes_are_refused(truth):
    other = ChemicalVolume(truth.data[:, 1:], truth.elements, 1.0)
    with pytest.raises(InputError, match=r"is \(3, 5, 6\) but the truth \(4, 5, 6\) \(z, y, x\); bin or crop"):
        score(other, truth)


def test_scores_on_a_gpu_are_those_of_the_cpu(place, estimate, truth):
    there = [ChemicalVolume(place.put(volume.data), volume.elements, 1.0) for volume in (estimate, truth)]
    here, found = score(estimate, truth), score(*there)
    assert found.nrmse_by_element == pytest.approx(here.nrmse_by_element, rel=1e-9)
    assert found.rmse_by_element == pytest.approx(here.rmse_by_element, rel=1e-9)
    assert found.stoichiometry_error == pytest.approx(here.stoichiometry_error, rel=1e-6)
