"""HDF5 files: whole or not there, even when the disk fills up; and no file that is read leads out of itself."""

import os

import h5py
import numpy as np
import pytest
import xarray as xr

from fusedtomo import hdf5
from fusedtomo.errors import InputError, NoRoom
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


# ------------------------------------------------------------------------------- files that come in


def read(path, name="x"):
    with hdf5.open_hdf5(path) as file:
        return hdf5.read_array(file, name, 1)


def refusal(path, name="x"):
    with pytest.raises(InputError) as caught:
        read(path, name)
    return str(caught.value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("target", ["secret.h5", "pipe", "/dev/zero", "none.h5"])
@pytest.mark.parametrize("way", ["x", "in/x", "soft", "unused"])
def test_a_link_to_another_file_is_refused_before_that_file_is_opened(tmp_path, target, way):
    write(tmp_path / "secret.h5", [42])
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["y"] = [1]
        if way == "in/x":
            file["in"] = h5py.ExternalLink(str(tmp_path / target), "/")
        else:
            file["there"] = h5py.ExternalLink(str(tmp_path / target), "x")
            file["soft"] = h5py.SoftLink("/there")
    name = "y" if way == "unused" else way
    assert "is a link to the file" in refusal(tmp_path / "a.h5", name)


def test_a_soft_link_inside_the_file_is_followed(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["y"], file["x"] = [1.0, 2.0], h5py.SoftLink("/y")
    assert read(tmp_path / "a.h5").tolist() == [1, 2]


def test_external_storage_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(b"password")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (2,), np.float32, external=[(str(tmp_path / "secret"), 0, 8)])
    assert "data set '/x' takes its values from other files; copy them into this one" in refusal(tmp_path / "a.h5")


def test_a_virtual_data_set_is_refused(tmp_path):
    write(tmp_path / "secret.h5", [42])
    layout = h5py.VirtualLayout((1,), np.float32)
    layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "x", (1,))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
    assert "takes its values from other files" in refusal(tmp_path / "a.h5")


@pytest.mark.parametrize("chunks", [None, (10**6,)], ids=["contiguous", "chunked"])
def test_what_was_declared_and_never_written_is_refused(tmp_path, chunks):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (12 * 10**9,), np.float32, chunks=chunks)
    assert (tmp_path / "a.h5").stat().st_size < 26_000
    assert "declares (12000000000,), but 100% of it was never written" in refusal(tmp_path / "a.h5")


def test_what_was_written_in_part_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (100,), np.float32, chunks=(25,))[:70] = 1
    assert "25% of it was never written" in refusal(tmp_path / "a.h5")


@pytest.mark.parametrize("shape", [(10**9,), (2,)], ids=["large", "large chunk"])
def test_what_needs_more_memory_than_is_free_is_refused(tmp_path, monkeypatch, shape):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", shape, np.float32, chunks=(10**9,), maxshape=(None,), compression="gzip")
        data.id.write_direct_chunk((0,), b"never read")
    monkeypatch.setattr(hdf5, "available_gb", lambda: 1.0)
    assert "data set '/x' takes 4 GB, but 1 GB of memory are free" in refusal(tmp_path / "a.h5")
