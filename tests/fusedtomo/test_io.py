"""HDF5 files: bit-exact round trips, atomic writing, and one message for every kind of bad file."""

import dataclasses
import os
import resource
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fusedtomo import files, io
from fusedtomo.errors import InputError
from fusedtomo.io import datasets, volumes
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries
from fusedtomo.volume import ChemicalVolume
from tests.mpi import check_script, needs_mpi

ANY_ARRAY = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def volume():
    return ChemicalVolume(np.random.default_rng(0).random((2, 6, 5, 7), dtype=np.float32), ("Co", "O"), 3.1)


@pytest.fixture
def dataset():
    rng = np.random.default_rng(1)
    haadf = TiltSeries(
        "HAADF",
        rng.normal(0, 9, (4, 5, 7)).astype(np.float32),
        TiltScheme((-70.1, 0.0, 1 / 3, 70.0)),
        None,
        2.5,
        10.0,
    )
    scheme = TiltScheme((30.0, -30.0, 0.1))
    counts = rng.poisson(3, (2, 3, 5, 7)).astype(np.float32)
    chemical = (
        TiltSeries("Co", counts[0], scheme, None, 0.1, 3.0),
        TiltSeries("O", counts[1], scheme, 2.2, 0.0),
    )
    return FusedDataset(haadf, chemical, 1 / 7, 1.7)


@pytest.fixture
def dataset_file(tmp_path, dataset, volume):
    io.write_dataset(dataset, tmp_path / "data.h5", volume)
    return tmp_path / "data.h5"


def same_volume(a, b):
    return (
        a.data.dtype == b.data.dtype
        and a.data.tobytes() == b.data.tobytes()
        and (a.data.shape, a.elements, a.voxel_nm) == (b.data.shape, b.elements, b.voxel_nm)
    )


def same_series(a, b):
    return a.counts.tobytes() == b.counts.tobytes() and (a.name, a.scheme, a.gain, a.background, a.snr) == (
        (b.name, b.scheme, b.gain, b.background, b.snr)
    )


def refusal(action, *arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        action(*arguments, **options)
    return str(caught.value)


def spoil(path, name, values=None):
    with h5py.File(path, "r+") as file:
        del file[name]
        if values is not None:
            file[name] = values


NAN, NEGATIVE = np.zeros((2, 3, 5, 7)), np.zeros((2, 3, 5, 7))
NAN[0, 0, 0, 0], NEGATIVE[1, 2, 4, 6] = np.nan, -1.0


# -------------------------------------------------------------------------------- round trips


@ANY_ARRAY
@given(
    data=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=4, max_dims=4, min_side=1, max_side=4),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_every_finite_volume_comes_back_bit_by_bit(tmp_path, data):
    volume = ChemicalVolume(data, ("O", "Fe", "Au", "H")[: len(data)], 0.1)
    io.write_volume(volume, tmp_path / "v.h5", overwrite=True)
    assert same_volume(io.read_volume(tmp_path / "v.h5"), volume)


def test_volume_larger_than_a_chunk_comes_back(tmp_path, monkeypatch, volume):
    monkeypatch.setattr(volumes, "_CHUNK_BYTES", 4 * 5 * 7 * 4)  # 4 of 6 z planes: the last chunk is part full
    io.write_volume(volume, tmp_path / "v.h5")
    with h5py.File(tmp_path / "v.h5") as file:
        assert file["volume/data"].chunks == (1, 4, 5, 7)
    assert same_volume(io.read_volume(tmp_path / "v.h5"), volume)


def test_dataset_comes_back_bit_by_bit(dataset_file, dataset, volume):
    read = io.read_dataset(dataset_file)
    assert same_series(read.haadf, dataset.haadf)
    assert all(same_series(a, b) for a, b in zip(read.chemical, dataset.chemical, strict=True))
    assert (read.elements, read.pixel_nm, read.gamma) == (dataset.elements, dataset.pixel_nm, dataset.gamma)
    assert same_volume(io.read_truth(dataset_file), volume)


def test_measured_dataset_has_no_truth_and_no_gamma(tmp_path, dataset):
    io.write_dataset(FusedDataset(dataset.haadf, dataset.chemical, 2.0), tmp_path / "d.h5")
    assert io.read_truth(tmp_path / "d.h5") is None
    assert io.read_dataset(tmp_path / "d.h5").gamma is None


def test_reconstruction_is_a_volume_with_a_history(tmp_path, volume):
    history = {"cost": [3.0, 0.1, np.nan], "step": ()}
    io.write_reconstruction(tmp_path / "r.h5", volume, history, {"method": "fused"})
    assert same_volume(io.read_volume(tmp_path / "r.h5"), volume)
    read = io.read_history(tmp_path / "r.h5")
    assert read.keys() == history.keys()
    assert read["cost"].tobytes() == np.array(history["cost"]).tobytes()


def test_attributes_come_back_and_reserved_ones_are_refused(tmp_path, volume):
    attributes = {"seed": 7, "note": "é µ", "weight": 0.1, "config": "x" * 200_000}
    io.write_volume(volume, tmp_path / "v.h5", attributes)
    assert io.read_attributes(tmp_path / "v.h5") == attributes
    for bad in (
        {"gamma": 2.0},
        {"a": ["x"] * 9999},
        {"a": None},
        {"a": b"pickle"},
        {"a": 2**80},
        {"a": "\0"},
    ):
        message = refusal(io.write_volume, volume, tmp_path / "w.h5", bad)
        assert "w.h5: attribute '" in message
        assert len(message) < 300
    assert os.listdir(tmp_path) == ["v.h5"]


def test_layout_is_the_documented_one(dataset_file):
    with h5py.File(dataset_file) as file:
        found = []
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        assert set(found) == {
            *(f"haadf/{n}" for n in ("counts", "angles_deg", "y", "x")),
            *(f"chemical/{n}" for n in ("counts", "angles_deg", "y", "x", "elements", "background", "gain", "snr")),
            *(f"truth/{n}" for n in ("data", "elements", "z", "y", "x")),
        }
        assert file.attrs["fusedtomo_kind"] == b"dataset"
        assert set(file["haadf"].attrs) == {"background", "snr"}  # no gain: unknown
        assert np.isnan(file["chemical/gain"][0])


def test_a_volume_opens_as_a_labelled_data_set(tmp_path, volume):
    io.write_volume(volume, tmp_path / "v.h5")
    with xr.open_dataset(tmp_path / "v.h5", group="volume", engine="h5netcdf") as found:
        assert found.data_vars["data"].dims == ("elements", "z", "y", "x")
        assert found.elements.values.tolist() == ["Co", "O"]
        assert [found[axis].units for axis in "zyx"] == ["nm"] * 3
        assert found.z.values.tolist() == pytest.approx([3.1 * (k - 2.5) for k in range(6)])
        assert found.x.values[3] == 0  # the centre of rotation is a voxel of seven
        np.testing.assert_array_equal(found.data_vars["data"].sel(elements="O"), volume["O"])
        assert found.data_vars["data"].units == "1"


def test_a_data_set_opens_as_labelled_data_sets(dataset_file, dataset, volume):
    def opened(group):
        return xr.open_dataset(dataset_file, group=group, engine="h5netcdf")

    with opened("haadf") as haadf, opened("chemical") as chemical, opened("truth") as truth:
        assert haadf.counts.dims == ("angles_deg", "y", "x")
        assert chemical.counts.dims == ("elements", "angles_deg", "y", "x")
        assert haadf.angles_deg.values.tolist() == list(dataset.haadf.scheme.angles_deg)
        assert (chemical.angles_deg.units, chemical.y.units, chemical.counts.units) == ("degrees", "nm", "counts")
        assert chemical.gain.sel(elements="O") == 2.2
        np.testing.assert_array_equal(chemical.counts.sel(elements="O", angles_deg=-30), dataset.chemical[1].counts[1])
        assert truth.z.size == volume.shape[0]
        assert haadf.x.values[1] - haadf.x.values[0] == pytest.approx(dataset.pixel_nm)


def without_labels(path):
    """The file as versions without dimension scales and checksums wrote it."""
    older = path.with_name("older.h5")
    with h5py.File(path) as new, h5py.File(older, "w") as old:
        old.attrs.update(new.attrs)
        for group in new.values():
            kept = old.create_group(group.name)
            kept.attrs.update(group.attrs)
            for name in set(group) - set("zyx"):
                text = h5py.check_string_dtype(group[name].dtype)
                kept.create_dataset(name, data=group[name][()], dtype=group[name].dtype if text else None)
    return older


def test_files_of_older_versions_are_read(tmp_path, dataset_file, dataset, volume):
    older = without_labels(dataset_file)
    with h5py.File(older) as file:
        assert "x" not in file["haadf"]
        assert not any(file["haadf/counts"].dims[0].values())
    assert same_series(io.read_dataset(older).haadf, dataset.haadf)
    assert same_volume(io.read_truth(older, slice(0, 7)), volume)
    io.write_reconstruction(tmp_path / "r.h5", volume, {"total": [2.0]})
    older = without_labels(tmp_path / "r.h5")
    assert same_volume(io.read_volume(older), volume)
    assert io.read_history(older)["total"].tolist() == [2.0]


@pytest.mark.parametrize("name", ["haadf/counts", "chemical/counts", "truth/data"])
def test_a_bit_that_turned_is_noticed(dataset_file, name):
    with h5py.File(dataset_file) as file:
        chunk = file[name].id.get_chunk_info(0)
    content = bytearray(dataset_file.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 4
    dataset_file.write_bytes(content)
    message = refusal(io.read_truth if name == "truth/data" else io.read_dataset, dataset_file)
    assert message.startswith(f"{dataset_file}: is damaged or cut short (")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A data set and a reconstruction, and what is read from them."""
    rng, folder = np.random.default_rng(5), tmp_path_factory.mktemp("kept")
    truth = ChemicalVolume(
        (rng.random((2, 6, 5, 7)) * (rng.random((2, 6, 5, 7)) > 0.9)).astype(np.float32), ("Co", "O"), 2
    )
    series = [
        TiltSeries(
            name, rng.poisson(3, (4, 5, 7)).astype(np.float32), TiltScheme((-40.0, 0.0, 0.5, 40.0)), 2.0, 0.5, 3.0
        )
        for name in ("HAADF", "Co", "O")
    ]
    io.write_dataset(FusedDataset(series[0], tuple(series[1:]), 2.0, 1.7), folder / "data.h5", truth)
    io.write_reconstruction(folder / "r.h5", truth, {"total": [3.0, 2.0, 1.0], "tv": [0.0, 0.0, 0.0]})
    return {folder / "data.h5": everything(folder / "data.h5"), folder / "r.h5": everything(folder / "r.h5")}


def everything(path):
    """Every number that can be read from a file of ours, as text that tells the last bit."""
    if path.stem.startswith("r"):
        volume = io.read_volume(path)
        return volume.data.tobytes(), volume.elements, volume.voxel_nm, repr(io.read_history(path))
    dataset, truth = io.read_dataset(path), io.read_truth(path)
    series = [(s.counts.tobytes(), dataclasses.astuple(s)[2:], s.name) for s in (dataset.haadf, *dataset.chemical)]
    return series, dataset.pixel_nm, dataset.gamma, truth.data.tobytes(), truth.elements, truth.voxel_nm


def reads_as_ever_or_is_refused(path, expected):
    try:
        return everything(path) == expected
    except InputError as error:
        return str(error).startswith(f"{path}: ")


def damaged(path, content, tmp_path):
    """The damaged content under the file's own name."""
    (tmp_path / path.name).write_bytes(content)
    return tmp_path / path.name


def test_no_bit_that_turned_alters_a_number(kept, tmp_path):
    for path, expected in kept.items():
        whole = path.read_bytes()
        for place in np.random.default_rng(6).integers(8 * len(whole), size=120).tolist():
            content = bytearray(whole)
            content[place // 8] ^= 1 << place % 8
            assert reads_as_ever_or_is_refused(damaged(path, content, tmp_path), expected), (path.name, place)


def test_no_piece_that_reads_as_zeros_alters_a_number(kept, tmp_path):
    for path, expected in kept.items():
        whole = path.read_bytes()
        pieces = [(start, len(whole)) for start in range(0, len(whole), 400)]  # the second half, and any other end
        for start, end in [*pieces, *((start, start + 512) for start, _ in pieces)]:
            content = whole[:start] + bytes(len(whole[start:end])) + whole[end:]
            assert reads_as_ever_or_is_refused(damaged(path, content, tmp_path), expected), (path.name, start, end)


# -------------------------------------------------------------------------------- columns


@pytest.mark.parametrize("columns", [slice(0, 3), slice(3, 7), slice(6, None), lambda nx: slice(nx - 5, nx - 3)])
def test_columns_are_those_of_the_whole_file(dataset_file, dataset, volume, columns):
    x = columns(7) if callable(columns) else columns
    read, truth = io.read_dataset(dataset_file, columns), io.read_truth(dataset_file, columns)
    assert truth.data.tobytes() == volume.data[..., x].tobytes()
    for part, whole in zip((read.haadf, *read.chemical), (dataset.haadf, *dataset.chemical), strict=True):
        assert part.counts.flags.c_contiguous
        assert same_series(part, dataclasses.replace(whole, counts=whole.counts[..., x]))


def test_columns_of_a_volume(tmp_path, volume):
    io.write_volume(volume, tmp_path / "v.h5")
    assert io.read_volume(tmp_path / "v.h5", slice(2, 5)).data.tobytes() == volume.data[..., 2:5].tobytes()
    assert io.read_volume(tmp_path / "v.h5", lambda nx: slice(0, nx)).data.tobytes() == volume.data.tobytes()


@pytest.mark.parametrize("columns", [slice(5, 9), slice(3, 3), slice(7, 8), slice(0, 7, 2), slice(4, 2)])
def test_columns_outside_the_file_are_named(dataset_file, columns):
    for read in (io.read_dataset, io.read_truth):
        message = refusal(read, dataset_file, columns)
        assert message.startswith(f"{dataset_file}: columns {columns.start}:{columns.stop} were asked for but x has 7")


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("haadf/counts", None, "data set '/haadf/counts' is missing; the file holds /chemical/angles_deg"),
        ("chemical", None, "data set '/chemical/counts' is missing"),
        ("haadf/counts", np.zeros((5, 7)), "'/haadf/counts' has shape (5, 7); it needs 3 dimensions"),
        ("haadf/counts", np.zeros((0, 5, 7)), "(0, 5, 7)"),
        ("haadf/counts", np.zeros((4, 5, 8)), "HAADF images are 8 pixels wide (x) but chemical maps 7"),
        ("haadf/counts", np.zeros((4, 6, 7)), "HAADF images are (6, 2) but chemical maps (5, 2)"),
        ("haadf/counts", np.zeros((3, 5, 7)), "/haadf/counts: tilt series 'HAADF' has 3 projections"),
        ("haadf/counts", np.full((4, 5, 7), "text", object), "holds object values"),
        ("haadf/counts", h5py.Empty("f4"), "'/haadf/counts' has shape None"),
        ("chemical/counts", NAN, "'/chemical/counts' holds NaN"),
        ("chemical/counts", NEGATIVE, "'O' has negative counts (down to -1)"),
        ("chemical/counts", np.zeros((3, 3, 5, 7)), "names Co, O for 3 entries"),
        ("truth/data", np.zeros((5, 7)), "'/truth/data' has shape (5, 7); it needs 4 dimensions"),
        ("truth/data", np.zeros((3, 6, 5, 7)), "/truth: volume holds 3 channels but 2 elements"),
        ("truth/elements", ["Co", "Q"], "/truth: element 'Q'"),
    ],
)
def test_bad_content_is_named_when_columns_are_read(dataset_file, name, values, told):
    spoil(dataset_file, name, values)
    read = io.read_truth if name.startswith("truth") else io.read_dataset
    columns = slice(0, 2) if values is NAN else slice(5, 7)
    message = refusal(read, dataset_file, columns)
    assert message.startswith(f"{dataset_file}: ")
    assert told in message


# -------------------------------------------------------------------------------- several ranks

RANKS = """
import os
from pathlib import Path
from fusedtomo import io
from fusedtomo.io import volumes
from fusedtomo.volume import ChemicalVolume
volumes._CHUNK_BYTES = 4 * 5 * 10 * 2  # 2 of 7 z planes
path = Path(sys.argv[1])
whole = ChemicalVolume(np.random.default_rng(0).random((2, 7, 5, 10), dtype=np.float32), ("Co", "O"), 3.1)
part = ChemicalVolume(whole.data[..., comm.columns(10)], whole.elements, whole.voxel_nm)
history = {"cost": [3.0, 1.0]} if comm.rank == 0 else {}
def refused(action, *arguments):
    try:
        action(*arguments, comm=comm)
    except InputError as error:
        return str(error)
    raise AssertionError("no error")
"""


@needs_mpi
@pytest.mark.parametrize("n", [1, 3, 4])
def test_ranks_write_the_file_of_one_rank_and_read_their_columns(tmp_path, n):
    check_script(
        n,
        RANKS
        + """
for write, name in ((io.write_volume, "v.h5"), (io.write_reconstruction, "r.h5")):
    order = (lambda volume, file: (volume, file)) if name == "v.h5" else (lambda volume, file: (file, volume, history))
    write(*order(part, path / name), {"seed": 7}, comm=comm)
    if comm.rank == 0:
        write(*order(whole, path / "one.h5"), {"seed": 7}, True)
        assert (path / "one.h5").read_bytes() == (path / name).read_bytes()
    comm.any(False)
    read = io.read_volume(path / name, comm.columns)
    assert read.data.tobytes() == part.data.tobytes() and read.elements == part.elements
""",
        str(tmp_path),
    )
    assert sorted(os.listdir(tmp_path)) == ["one.h5", "r.h5", "v.h5"]
    assert io.read_history(tmp_path / "r.h5")["cost"].tolist() == [3.0, 1.0]


@needs_mpi
def test_what_the_first_rank_cannot_write_is_told_to_all(tmp_path):
    check_script(
        3,
        RANKS
        + """
assert "none does not exist" in refused(io.write_volume, part, path / "none" / "v.h5")
assert "is a folder" in refused(io.write_reconstruction, path, part, history)
io.write_volume(part, path / "v.h5", comm=comm)
assert "v.h5: exists" in refused(io.write_volume, part, path / "v.h5")
attributes = {"a": None} if comm.rank == 0 else {}
assert "attribute 'a'" in refused(io.write_volume, part, path / "w.h5", attributes)
if comm.rank == 2:
    part.data[1, 6, 4, 1] = np.nan
assert "w.h5: volume holds NaN" in refused(io.write_volume, part, path / "w.h5")
if comm.rank == 0:
    history["a/b"] = [1.0]
part.data[:] = 0
assert "'a/b'" in refused(io.write_reconstruction, path / "w.h5", part, history)  # long after the last block
""",
        str(tmp_path),
    )
    assert os.listdir(tmp_path) == ["v.h5"]


@needs_mpi
@pytest.mark.parametrize("limit", [1000, 10_000])
def test_full_disk_of_the_first_rank_is_told_to_all(tmp_path, limit):
    check_script(
        2,
        RANKS
        + f"""
import resource
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit} if comm.rank == 0 else hard, hard))
large = ChemicalVolume(np.ones((2, 20, 20, 20), np.float32), ("Co", "O"), 1.0)
assert "v.h5: cannot be written (File too large)" in refused(io.write_volume, large, path / "v.h5")
""",
        str(tmp_path),
    )
    assert os.listdir(tmp_path) == []


@needs_mpi
def test_more_ranks_than_columns_are_told_with_the_file(tmp_path, dataset):
    narrow = [dataclasses.replace(s, counts=s.counts[..., :2]) for s in (dataset.haadf, *dataset.chemical)]
    io.write_dataset(FusedDataset(narrow[0], tuple(narrow[1:]), 1.0), tmp_path / "d.h5")
    check_script(
        3,
        """
from fusedtomo import io
try:
    io.read_dataset(sys.argv[1], comm.columns)
    raise AssertionError("no error")
except InputError as error:
    assert "d.h5: 3 ranks but the volume has 2 columns" in str(error), error
""",
        str(tmp_path / "d.h5"),
    )


# -------------------------------------------------------------------------------- writing


def test_existing_file_needs_overwrite(tmp_path, volume):
    (tmp_path / "v.h5").write_text("precious")
    assert "v.h5: exists; pass --overwrite or another name" in refusal(io.write_volume, volume, tmp_path / "v.h5")
    assert (tmp_path / "v.h5").read_text() == "precious"
    io.write_volume(volume, tmp_path / "v.h5", overwrite=True)
    assert same_volume(io.read_volume(tmp_path / "v.h5"), volume)


def test_file_appears_only_when_complete(tmp_path, volume, monkeypatch):
    seen = []

    def replace(source, target):
        with h5py.File(source) as file:
            seen.append((Path(source).name, Path(target).exists(), file["volume/data"].shape))
        os.rename(source, target)

    monkeypatch.setattr(files.os, "replace", replace)
    io.write_volume(volume, tmp_path / "v.h5")
    assert seen == [(f".v.h5.{os.getpid()}.tmp", False, (2, 6, 5, 7))]


@pytest.mark.parametrize("limit", [100, 3000, 100_000])
def test_full_disk_keeps_the_old_file_and_the_process(tmp_path, volume, limit):
    # a limit on file sizes fails like a full disk; plain h5py ends the process with a segmentation fault
    io.write_volume(volume, tmp_path / "v.h5")
    large = ChemicalVolume(np.ones((2, 64, 64, 64), np.float32), ("Co", "O"), 1.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        message = refusal(io.write_volume, large, tmp_path / "v.h5", overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "v.h5: cannot be written (File too large); make room, then run the same command again" in message
    assert os.listdir(tmp_path) == ["v.h5"]
    assert same_volume(io.read_volume(tmp_path / "v.h5"), volume)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_interrupted_write_leaves_the_old_file(tmp_path, volume, dataset, monkeypatch, failure):
    io.write_volume(volume, tmp_path / "v.h5")

    def fail(*_):
        raise failure

    monkeypatch.setattr(datasets, "_write_chemical", fail)
    with pytest.raises(KeyboardInterrupt if failure is KeyboardInterrupt else InputError):
        io.write_dataset(dataset, tmp_path / "v.h5", overwrite=True)
    assert os.listdir(tmp_path) == ["v.h5"]
    assert same_volume(io.read_volume(tmp_path / "v.h5"), volume)


def test_unwritable_targets_are_named(tmp_path, volume):
    (tmp_path / "file").write_text("")
    assert "does not exist" in refusal(io.write_volume, volume, tmp_path / "none" / "v.h5")
    assert "folder" in refusal(io.write_volume, volume, tmp_path / "file" / "v.h5")
    assert "is a folder" in refusal(io.write_volume, volume, tmp_path, overwrite=True)
    assert "cannot be written" in refusal(io.write_volume, volume, "/proc/v.h5")
    assert "cannot be written" in refusal(io.write_volume, volume, tmp_path / ("v" * 300))
    assert "cannot be written" in refusal(io.write_volume, volume, tmp_path / "v\0.h5")


def test_values_that_could_not_be_read_back_are_not_written(tmp_path, volume):
    bad = ChemicalVolume(np.full_like(volume.data, np.nan), volume.elements, 1.0)
    assert "NaN" in refusal(io.write_volume, bad, tmp_path / "v.h5")
    assert "'Xx'" in refusal(io.write_volume, ChemicalVolume(volume.data, ("Xx", "O"), 1.0), tmp_path / "v.h5")
    assert "'a/b'" in refusal(io.write_reconstruction, tmp_path / "v.h5", volume, {"a/b": [1.0]})
    assert "'cost'" in refusal(io.write_reconstruction, tmp_path / "v.h5", volume, {"cost": [[1.0]]})
    assert os.listdir(tmp_path) == []


# -------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize("read", [io.read_volume, io.read_history, io.read_dataset, io.read_truth])
def test_what_is_no_hdf5_file_is_named(tmp_path, read):
    (tmp_path / "text.h5").write_text("not HDF5")
    (tmp_path / "empty.h5").touch()
    os.mkfifo(tmp_path / "pipe.h5")
    for name, why in {
        "none.h5": "cannot be read (No such file",
        "": "cannot be read (it is a folder)",
        "text.h5": "is not an HDF5 file",
        "empty.h5": "is not an HDF5 file",
        "pipe.h5": "cannot be read (it is no regular file)",
        "text.h5/v.h5": "cannot be read (Not a directory)",
        "v" * 300: "cannot be read",
    }.items():
        message = refusal(read, tmp_path / name)
        assert message.startswith(f"{tmp_path / name}: {why}")
        assert "give" in message


def test_file_cut_at_any_length_is_one_message(tmp_path, dataset_file):
    whole = dataset_file.read_bytes()
    cut = tmp_path / "cut.h5"
    for length in [*range(0, 200, 9), *range(200, len(whole), len(whole) // 60), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        for read in (io.read_dataset, io.read_truth):
            message = refusal(read, cut)
            assert message.startswith(f"{cut}: is ")
            assert "\n" not in message


def test_wrong_kind_of_file_is_named(tmp_path, dataset_file, volume):
    io.write_volume(volume, tmp_path / "v.h5")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = 1
    assert "'volume', but a dataset file is wanted" in refusal(io.read_dataset, tmp_path / "v.h5")
    assert "'volume', but a reconstruction file is wanted" in refusal(io.read_history, tmp_path / "v.h5")
    assert "'dataset', but a volume or reconstruction" in refusal(io.read_volume, dataset_file)
    assert "fusedtomo did not write this file" in refusal(io.read_volume, tmp_path / "foreign.h5")


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("haadf/counts", None, "data set '/haadf/counts' is missing; the file holds /chemical/angles_deg"),
        ("chemical", None, "data set '/chemical/counts' is missing"),
        ("haadf/counts", np.zeros((5, 7)), "'/haadf/counts' has shape (5, 7); it needs 3 dimensions"),
        ("haadf/counts", np.zeros((0, 5, 7)), "(0, 5, 7)"),
        ("haadf/counts", np.zeros((4, 6, 7)), "HAADF images are (6, 7) but chemical maps (5, 7)"),
        ("haadf/counts", np.zeros((3, 5, 7)), "/haadf/counts: tilt series 'HAADF' has 3 projections"),
        ("haadf/counts", "text", "holds object values; it must hold numbers"),
        ("haadf/counts", h5py.Empty("f4"), "shape None"),
        ("chemical/counts", NAN, "'/chemical/counts' holds NaN"),
        ("chemical/counts", NEGATIVE, "'O' has negative counts (down to -1)"),
        ("chemical/counts", np.zeros((3, 3, 5, 7)), "names Co, O for 3 entries"),
        ("haadf/angles_deg", [0.0, 1.0, 2.0, 91.0], "/haadf/angles_deg: tilt angle 91 degrees is outside"),
        ("chemical/angles_deg", [0.0], "/chemical/angles_deg: a tilt series needs at least two angles"),
        ("chemical/angles_deg", [0.0, 1.0, np.nan], "'/chemical/angles_deg' holds NaN"),
        ("chemical/elements", ["Co", "Xx"], "element 'Xx' has no atomic number"),
        ("chemical/elements", ["Co", "Co"], "names Co, Co"),
        ("chemical/elements", [27, 8], "it must list symbols"),
        ("chemical/gain", [1.0], "'/chemical/gain' has 1 values for 2 elements"),
        ("chemical/gain", [1.0, -2.0], "/chemical: tilt series 'O' has gain -2.0"),
        ("chemical/background", [np.nan, 0.0], "/chemical: tilt series 'Co' has background nan"),
    ],
)
def test_bad_content_of_a_dataset_is_named(dataset_file, name, values, told):
    spoil(dataset_file, name, values)
    message = refusal(io.read_dataset, dataset_file)
    assert message.startswith(f"{dataset_file}: ")
    assert told in message


@pytest.mark.parametrize(
    ("group", "name", "value", "told"),
    [
        ("/", "pixel_nm", None, "attribute 'pixel_nm' of '/' is missing"),
        ("/", "pixel_nm", 0.0, "pixel_nm is 0.0"),
        ("/", "pixel_nm", "3 nm", "attribute 'pixel_nm' of '/' is '3 nm'; it must be a finite number"),
        ("/", "gamma", np.inf, "attribute 'gamma' of '/' is"),
        ("haadf", "background", -1.0, "/haadf/counts: tilt series 'HAADF' has background -1.0"),
        ("/", "fusedtomo_kind", 3, "'fusedtomo_kind' is"),
    ],
)
def test_bad_attributes_are_named(dataset_file, group, name, value, told):
    with h5py.File(dataset_file, "r+") as file:
        del file[group].attrs[name]
        if value is not None:
            file[group].attrs[name] = value
    message = refusal(io.read_dataset, dataset_file)
    assert message.startswith(f"{dataset_file}: ")
    assert told in message


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("truth/data", np.full((2, 6, 5, 7), np.nan), "'/truth/data' holds NaN"),
        ("truth/data", np.zeros((3, 6, 5, 7)), "/truth: volume holds 3 channels but 2 elements"),
        ("truth/elements", ["Co", "Q"], "/truth: element 'Q'"),
        ("truth/data", None, "data set '/truth/data' is missing"),
    ],
)
def test_bad_content_of_a_volume_is_named(dataset_file, name, values, told):
    spoil(dataset_file, name, values)
    assert told in refusal(io.read_truth, dataset_file)
