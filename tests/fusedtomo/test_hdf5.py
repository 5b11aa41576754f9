"""New HDF5 files: whole or not there, even when the disk fills up, for every writer that uses new_hdf5."""

import os

import h5py
import numpy as np
import pytest
import xarray as xr

from fusedtomo import hdf5
from fusedtomo.errors import NoRoom
from fusedtomo.files import replacing
from tests.disks import file_size_limit
from workflows.maps.atlas import write_atlas

# a limit on file sizes fails like a full disk; plain h5py ends the process with a segmentation fault
LIMITS = (0, 100, 3000)


def write(path, values):
    with hdf5.new_hdf5(path) as file:
        file["x"] = values


def atlas(value):
    cells = ("haadf_tilts", "chemical_tilts"), np.full((2, 3), value)
    return xr.Dataset(dict.fromkeys(("error", "haadf", "tv"), cells), attrs={"campaign": "tiny"})


def test_new_file_replaces_the_old_one_when_the_block_ends(tmp_path):
    write(tmp_path / "a.h5", [1])
    with hdf5.new_hdf5(tmp_path / "a.h5") as file:
        file["x"] = [2]
        with h5py.File(tmp_path / "a.h5") as old:
            assert old["x"][0] == 1
    with h5py.File(tmp_path / "a.h5") as new:
        assert new["x"][0] == 2
    assert os.listdir(tmp_path) == ["a.h5"]


def test_an_error_in_the_block_leaves_the_old_file(tmp_path):
    write(tmp_path / "a.h5", [1])
    before = (tmp_path / "a.h5").read_bytes()
    with pytest.raises(ZeroDivisionError), hdf5.new_hdf5(tmp_path / "a.h5"):
        _ = 1 / 0
    assert (tmp_path / "a.h5").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.h5"]


@pytest.mark.parametrize("limit", LIMITS)
def test_full_disk_raises_and_leaves_the_old_file(tmp_path, limit):
    write(tmp_path / "a.h5", [1])
    before = (tmp_path / "a.h5").read_bytes()
    with pytest.raises(NoRoom, match=r"File too large.*make room"), file_size_limit(limit):
        write(tmp_path / "a.h5", np.ones(10_000))
    assert (tmp_path / "a.h5").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.h5"]


@pytest.mark.parametrize("limit", LIMITS)
def test_full_disk_keeps_the_old_atlas_and_the_process(tmp_path, limit):
    write_atlas(atlas(0.1), tmp_path / "atlas.h5")
    before = (tmp_path / "atlas.h5").read_bytes()
    with pytest.raises(NoRoom, match=r"File too large.*make room"), file_size_limit(limit):
        write_atlas(atlas(0.2), tmp_path / "atlas.h5")
    assert (tmp_path / "atlas.h5").read_bytes() == before
    assert os.listdir(tmp_path) == ["atlas.h5"]


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_any_failing_write_keeps_the_old_file(tmp_path, monkeypatch, failing):
    write(tmp_path / "a.h5", np.zeros(10_000))
    before = (tmp_path / "a.h5").read_bytes()
    calls, write_all = [], hdf5._Storage._write_all

    def no_space(self, data):
        calls.append(len(data))
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        write_all(self, data)

    monkeypatch.setattr(hdf5._Storage, "_write_all", no_space)
    with pytest.raises(NoRoom, match=r"No space left.*make room"):
        write(tmp_path / "a.h5", np.ones(10_000))
    assert len(calls) == failing  # HDF5 writes on, but nothing reaches the file
    assert (tmp_path / "a.h5").read_bytes() == before


def test_without_its_suffix_a_temporary_name_is_no_file_of_that_kind(tmp_path):
    with replacing(tmp_path / "a.h5", keep_suffix=False) as temporary:
        temporary.touch()
        assert list(tmp_path.glob("*.h5")) == []
    assert list(tmp_path.glob("*")) == [tmp_path / "a.h5"]
