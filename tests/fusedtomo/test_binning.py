"""Larger pixels: are counts kept, and does a volume of larger voxels still explain them?"""

import numpy as np
import pytest

from fusedtomo.binning import binned
from fusedtomo.errors import InputError
from fusedtomo.operators.projector import Projector
from fusedtomo.settings import Acquisition
from fusedtomo.simulate import simulate
from fusedtomo.volume import ChemicalVolume


@pytest.fixture(scope="module")
def blocks():
    """Blocks of 4 voxels, which are whole in voxels twice as large, and their data at a high dose."""
    data = np.zeros((2, 16, 16, 12), np.float32)
    data[0, 4:12, 4:8], data[1, 4:8, 8:12, 4:8] = 0.5, 1.0
    truth = ChemicalVolume(data, ("Co", "Au"), 2.0)
    modality = {"tilts": {"min_deg": -60, "max_deg": 60, "count": 5}, "dose_counts": 1e5}
    return truth, simulate(truth, Acquisition.model_validate({"haadf": modality, "chemical": modality}))


def test_counts_are_summed_and_haadf_is_averaged(blocks):
    _, data = blocks
    found = binned(data, 2)
    assert found.pixel_nm == 4.0
    assert found.haadf.counts.shape == (5, 8, 6)
    assert found.haadf.counts[1, 2, 3] == pytest.approx(data.haadf.counts[1, 4:6, 6:8].mean())
    for before, after in zip(data.chemical, found.chemical, strict=True):
        assert after.counts.sum(dtype=np.float64) == before.counts.sum(dtype=np.float64)
        assert after.counts[2, 3, 1] == before.counts[2, 6:8, 2:4].sum()


def test_concentrations_mean_the_same_in_larger_voxels(blocks):
    truth, data = blocks
    found, small = binned(data, 2), truth.binned(2)
    rays = Projector(found.chemical_scheme.angles_deg, 8, 8).forward(small.data)
    for series, projected in zip(found.chemical, rays, strict=True):
        model = series.gain * projected + series.background
        # as much in all; edges of a ray of double width differ from tilt to tilt
        assert model.sum() == pytest.approx(series.counts.sum(), rel=5e-3)


def test_a_rest_is_cut_at_both_edges_and_nothing_left_is_refused(blocks):
    _, data = blocks
    found = binned(data, 5)
    assert found.haadf.counts.shape == (5, 3, 2)
    assert found.haadf.counts[0, 0, 0] == pytest.approx(data.haadf.counts[0, 0:5, 1:6].mean())
    assert binned(data, 1) is data
    with pytest.raises(InputError, match="bin = 13 leaves nothing of 12 x 16 pixels; give less"):
        binned(data, 13)
