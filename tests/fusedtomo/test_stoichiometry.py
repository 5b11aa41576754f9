"""Concentrations of a reconstruction against the truth, by hand."""

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.stoichiometry import BINS, stoichiometry
from fusedtomo.volume import ChemicalVolume


def volume(cobalt, oxygen, elements=("Co", "O")):
    """One row of voxels."""
    return ChemicalVolume(np.array([cobalt, oxygen], np.float32)[:, None, None], elements, 1.0)


# four voxels of CoO, of which the last is an edge of 99 %; one of half an edge; two of vacuum
TRUTH = volume([0.5, 0.5, 0.5, 0.495, 0.25, 0, 0], [0.5, 0.5, 0.5, 0.495, 0.25, 0, 0])
FOUND = volume([0.3, 0.4, 0.2, 9.0, 0.1, 0.5, 0.5], [0.3, 0.2, 0.6, 9.0, 0.1, 0.0, 0.2])


def numbers(distribution):
    return [getattr(distribution, name) for name in ("expected", "median", "mean", "deviation")]


def test_numbers_are_those_of_the_full_voxels():
    found = stoichiometry(FOUND, TRUTH)["Co"]
    assert found.voxels == 3
    assert numbers(found.concentration) == pytest.approx([0.5, 0.3, 0.3, np.sqrt(2 / 300)])
    assert numbers(found.fraction) == pytest.approx([0.5, 0.5, 17 / 36, np.sqrt(38) / 36])


def test_the_amount_in_the_vacuum_is_a_share_of_all_that_was_found():
    found = stoichiometry(FOUND, TRUTH)
    assert found["Co"].in_vacuum == pytest.approx(1.0 / 11.0)
    assert found["O"].in_vacuum == pytest.approx(0.2 / 10.4)


def test_a_voxel_that_another_element_fills_is_no_vacuum():
    truth = volume([1, 0, 0], [0, 1, 0])
    assert stoichiometry(volume([1, 2, 1], [0, 0, 0]), truth)["Co"].in_vacuum == pytest.approx(1 / 4)


def test_histograms_are_over_what_is_expected_and_lose_no_voxel():
    shares = stoichiometry(FOUND, TRUTH)["Co"].concentration.shares
    drawn = {float(BINS[index]): float(shares[index]) for index in np.flatnonzero(shares)}
    assert drawn == pytest.approx({0.4: 1 / 3, 0.6: 1 / 3, 0.8: 1 / 3})
    bright = stoichiometry(volume([9] * 7, [9] * 7), TRUTH)["Co"].concentration.shares
    assert (bright[-1], bright.sum(), bright.shape) == (1, 1, BINS.shape)  # all above the last bin is in it


def test_a_loss_of_contrast_that_nrmse_hides_is_seen_in_concentrations_and_cancels_in_fractions():
    found = stoichiometry(volume(0.7 * TRUTH["Co"][0, 0], 0.7 * TRUTH["O"][0, 0]), TRUTH)["O"]
    assert numbers(found.concentration) == pytest.approx([0.5, 0.35, 0.35, 0], abs=1e-6)
    assert numbers(found.fraction) == pytest.approx([0.5, 0.5, 0.5, 0], abs=1e-6)


def test_the_truth_is_as_expected():
    for found in stoichiometry(TRUTH, TRUTH).values():
        for one in (found.concentration, found.fraction):
            assert numbers(one) == [0.5, 0.5, 0.5, 0]
            assert one.shares[BINS == 1] == 1
        assert found.in_vacuum == 0


def test_elements_are_matched_by_symbol():
    turned = volume(FOUND["O"][0, 0], FOUND["Co"][0, 0], ("O", "Co"))
    assert numbers(stoichiometry(turned, TRUTH)["O"].fraction) == numbers(stoichiometry(FOUND, TRUTH)["O"].fraction)


def test_what_is_not_there_has_no_number():
    found = stoichiometry(volume([0] * 3, [1] * 3), volume([0] * 3, [0, 0, 1]))
    assert found["Co"].voxels == 0
    assert np.isnan([*numbers(found["Co"].concentration), *numbers(found["Co"].fraction), found["Co"].in_vacuum]).all()
    assert found["O"].in_vacuum == pytest.approx(2 / 3)
    empty = stoichiometry(volume([0] * 3, [0] * 3), volume([1] * 3, [0] * 3))["Co"]
    assert (empty.fraction.mean, empty.fraction.expected, empty.fraction.shares[0]) == (0, 1, 1)


def test_other_volumes_are_refused():
    with pytest.raises(InputError, match="volumes of the same elements"):
        stoichiometry(volume([1], [1], ("Co", "Au")), volume([1], [1]))
    with pytest.raises(InputError, match=r"is \(1, 1, 1\) but the truth \(1, 1, 7\)"):
        stoichiometry(volume([1], [1]), TRUTH)
