"""Chemical volumes: what they hold, what they refuse, how they bin."""

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.volume import ChemicalVolume


def _volume(shape=(2, 4, 6, 8), elements=("Co", "O"), voxel_nm=2.0):
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return ChemicalVolume(data, elements, voxel_nm)


def test_a_volume_knows_its_shape_numbers_and_channels():
    volume = _volume()
    assert volume.shape == (4, 6, 8)
    assert volume.atomic_numbers == (27, 8)
    np.testing.assert_array_equal(volume["O"], volume.data[1])


def test_binning_averages_blocks_and_keeps_the_extent():
    volume = _volume()
    binned = volume.binned(2)
    assert binned.shape == (2, 3, 4)
    assert binned.voxel_nm == 4.0
    assert binned.data.dtype == np.float32
    assert binned.data[1, 1, 2, 3] == volume.data[1, 2:4, 4:6, 6:8].mean()


def test_binning_a_size_that_is_no_multiple_is_refused():
    with pytest.raises(InputError, match=r"\(4, 6, 8\) cannot be binned by 4: give sizes that are multiples of it"):
        _volume().binned(4)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"shape": (4, 6, 8)}, r"is \(element, z, y, x\), but this array has shape \(4, 6, 8\)"),
        ({"elements": ("Co",)}, r"holds 2 channels but 1 elements \(Co\) are named; name each channel once"),
        ({"elements": ("Co", "Co")}, "element named twice among Co, Co; name each once"),
        ({"voxel_nm": 0.0}, "voxel_nm is 0.0; give the voxel's edge in nanometres, above 0"),
        ({"voxel_nm": float("nan")}, "voxel_nm is nan; give the voxel's edge"),
    ],
)
def test_impossible_volumes_are_refused(kwargs, message):
    with pytest.raises(InputError, match=message):
        _volume(**kwargs)


def test_unknown_elements_have_no_atomic_number():
    with pytest.raises(InputError, match="element 'Xx' has no atomic number; use a symbol of the periodic table"):
        _ = _volume(elements=("Co", "Xx")).atomic_numbers


def test_a_volume_is_frozen():
    with pytest.raises(AttributeError):
        _volume().voxel_nm = 1.0
