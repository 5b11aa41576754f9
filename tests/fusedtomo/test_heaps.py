"""Text of any length, as earlier versions wrote it: it is read, or its damage is told, and nothing hangs."""

import h5py
import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.io import read_attributes, read_volume

SEED = 20261127
VOXELS = np.random.default_rng(SEED).random((2, 4, 4, 4), np.float32)


@pytest.fixture
def earlier(tmp_path):
    """A volume as versions before the checksums wrote it."""
    with h5py.File(tmp_path / "earlier.h5", "w") as file:
        file.attrs.update({"fusedtomo_kind": "volume", "fusedtomo_version": "0.1.0", "method": "fused"})
        file["volume/data"] = VOXELS
        file["volume/elements"] = np.array(["Co", "Au"], h5py.string_dtype())
        file["volume"].attrs["voxel_nm"] = 2.0
    return tmp_path / "earlier.h5"


def test_an_earlier_file_is_read(earlier):
    volume = read_volume(earlier)
    np.testing.assert_array_equal(volume.data, VOXELS)
    assert (volume.elements, read_attributes(earlier)) == (("Co", "Au"), {"method": "fused"})


def heap_of(content):
    """Where the objects of the first heap are, with their headers."""
    start = content.find(b"GCOL")
    return range(start + 16, start + 16 + 6 * 24)


def said_of(path):
    """What is said of a file; "" where it is read."""
    try:
        np.testing.assert_array_equal(read_volume(path).data, VOXELS)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.timeout(60, method="thread")  # a signal does not end HDF5
def test_a_damaged_heap_is_told_and_never_read_for_ever(earlier):
    whole, told = earlier.read_bytes(), 0
    for number in range(400):
        rng = np.random.default_rng([SEED, number])
        content = bytearray(whole)
        content[rng.choice(heap_of(whole))] = rng.integers(256)
        earlier.write_bytes(content)
        said = said_of(earlier)
        assert not said or said.startswith(f"{earlier}: "), number
        told += "is damaged (a heap of texts)" in said
    assert told > 50


@pytest.mark.timeout(20, method="thread")
def test_free_space_of_size_0_which_hdf5_reads_for_ever_is_refused(earlier):
    content = bytearray(earlier.read_bytes())
    free = heap_of(content).start
    content[free : free + 16] = bytes(16)
    earlier.write_bytes(content)
    with pytest.raises(InputError, match=r"earlier\.h5: is damaged \(a heap of texts\); copy it again"):
        read_volume(earlier)


def test_a_file_whose_addresses_are_of_another_size_is_refused(tmp_path):
    settings = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    settings.set_sizes(4, 4)
    file = h5py.File(h5py.h5f.create(bytes(tmp_path / "odd.h5"), fcpl=settings))
    file.attrs["fusedtomo_kind"] = "volume"
    file.close()
    with pytest.raises(InputError, match=r"odd\.h5: has addresses of an odd size; convert it with h5repack"):
        read_volume(tmp_path / "odd.h5")
