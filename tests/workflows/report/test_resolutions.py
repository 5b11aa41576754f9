"""The resolution of every kept reconstruction, over the axes."""

import numpy as np
import pytest

from fusedtomo.volume import ChemicalVolume
from tests.workflows.values import campaign
from workflows.report.resolutions import resolutions, resolutions_of

CONFIG = campaign(haadf=(5, 20), chemical=(3, 9), methods=["fused", "poisson"])
TRUTH = ChemicalVolume(np.random.default_rng(1).random((1, 16, 16, 16), dtype=np.float32), ("Co",), 2.0)


class Kept:
    """Findings whose reconstructions are the truth, noise, or not there."""

    config = CONFIG

    def __init__(self, missing=()):
        self.missing = missing

    def first(self, cell):
        return cell

    def is_kept(self, condition):
        return condition.key not in self.missing

    def truth(self, _condition):
        return TRUTH

    def volume(self, condition):
        if condition.method == "fused":
            return TRUTH
        noise = np.random.default_rng(2).random(TRUTH.data.shape, dtype=np.float32)
        return ChemicalVolume(noise, TRUTH.elements, TRUTH.voxel_nm)


def test_the_resolution_is_two_voxels_where_all_agrees_and_the_first_shell_where_nothing_does():
    found = resolutions_of(Kept(missing=("fused-h20-c9",)))
    assert found.dims == ("method_name", *CONFIG.axes)
    np.testing.assert_array_equal(found.values[0], [[4.0, 4.0], [4.0, np.nan]])
    assert found.values[1] == pytest.approx(np.full((2, 2), 32.0))


def test_curves_are_those_of_both_ends_of_the_first_axis_and_blind_methods_have_one():
    drawn = resolutions(Kept(), None)
    curves = ["fused, 5 HAADF tilts from 4 to 4", "Poisson from 32 to 32", "fused, 20 HAADF tilts from 4 to 4"]
    assert drawn.alt_text.endswith(f": {'; '.join(curves)}.")
    assert len(drawn.table) == 8
    assert resolutions(Kept(missing=[one.key for one in CONFIG.conditions()]), None) is None
