"""Exports: does each program's own reader find the numbers, axes, units and names that were written?"""

from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.exporting import EXPORTS, export, files_of
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries
from fusedtomo.volume import ChemicalVolume

EDGE_NM = 2.5
ANGLES, FEW_ANGLES = (-60.0, -31.0, 0.5, 60.0), (-60.0, 0.5, 45.0)
HAS_SERIES = [name for name in EXPORTS if EXPORTS[name].series]


@pytest.fixture
def volume(rng) -> ChemicalVolume:
    """Three axes of three lengths, so that none is taken for another."""
    return ChemicalVolume(rng.random((2, 3, 5, 7), dtype=np.float32), ("Co", "O"), EDGE_NM)


@pytest.fixture
def dataset(rng) -> FusedDataset:
    """Modalities with angles of their own, which are not even."""
    haadf = TiltSeries("HAADF", rng.random((4, 5, 7), dtype=np.float32), TiltScheme(ANGLES))
    maps = rng.poisson(3, (2, 3, 5, 7)).astype(np.float32)
    scheme = TiltScheme(FEW_ANGLES)
    return FusedDataset(haadf, tuple(TiltSeries(n, m, scheme) for n, m in zip(("Fe", "O"), maps, strict=True)), EDGE_NM)


def written(source, to, folder, **more) -> list[Path]:
    """The files of an export, which are those that were announced."""
    target = folder / f"out{EXPORTS[to].suffix}"
    files = export(source, to, target, **more)
    assert files_of(source, to, target) == files
    assert sorted(files) == sorted(folder.iterdir())  # nothing else is left
    return files


def needs(library: str):
    return pytest.mark.skipif(find_spec(library) is None, reason=f"{library} is not installed")


# -------------------------------------------------------------------------------- HyperSpy and tomviz


def hyperspy_signals(path) -> dict[str, dict]:
    from rsciio.hspy import file_reader  # what HyperSpy reads with

    return {one["metadata"]["General"]["title"]: one for one in file_reader(path)}


@needs("rsciio")
@pytest.mark.parametrize("to", ["hyperspy", "tomviz"])
def test_hyperspy_reads_a_volume(volume, tmp_path, to):
    (path,) = written(volume, to, tmp_path)
    signals = hyperspy_signals(path)
    assert list(signals) == ["Co", "O"]
    for name, signal in signals.items():
        np.testing.assert_array_equal(signal["data"], volume[name].transpose())
        assert [(axis["name"], axis["units"], axis["size"]) for axis in signal["axes"]] == [
            ("x", "nm", 7),
            ("y", "nm", 5),
            ("z", "nm", 3),
        ]
        assert [axis["scale"] for axis in signal["axes"]] == [EDGE_NM] * 3
        assert signal["axes"][0]["offset"] == -3 * EDGE_NM  # the centre of rotation is 0


@needs("rsciio")
def test_hyperspy_and_etspy_read_series_with_their_true_angles(dataset, tmp_path):
    haadf, maps = written(dataset, "hyperspy", tmp_path)
    assert (haadf.name, maps.name) == ("out-haadf.hspy", "out-chemical.hspy")
    (signal,) = hyperspy_signals(haadf).values()
    np.testing.assert_array_equal(signal["data"], dataset.haadf.counts)
    assert [(axis["name"], axis["units"], axis["navigate"]) for axis in signal["axes"]] == [
        ("Projections", "degrees", True),
        ("y", "nm", False),
        ("x", "nm", False),
    ]
    assert signal["metadata"]["Acquisition_instrument"]["TEM"]["Stage"]["tilt_alpha"].tolist() == list(ANGLES)
    assert signal["metadata"]["Tomography"]["tilts"].tolist() == [[angle] for angle in ANGLES]  # ETSpy 1.3
    found = hyperspy_signals(maps)
    assert all(np.array_equal(found[one.name]["data"], one.counts) for one in dataset.chemical)


@needs("tomviz_pipeline")
def test_tomviz_reads_both(volume, dataset, tmp_path):
    from tomviz_pipeline.io.emd import load_dataset

    (tmp_path / "volume").mkdir()
    (path,) = written(volume, "tomviz", tmp_path / "volume")
    read = load_dataset(path)
    assert list(read.scalars_names) == ["Co", "O"]
    assert read.spacing == pytest.approx([EDGE_NM] * 3)
    assert all(np.array_equal(read.scalars(name), volume[name].transpose()) for name in volume.elements)
    (tmp_path / "series").mkdir()
    _, maps = written(dataset, "tomviz", tmp_path / "series")
    read = load_dataset(maps)
    assert (read.tilt_axis, read.tilt_angles.tolist()) == (2, list(FEW_ANGLES))
    assert all(np.array_equal(read.scalars(one.name), one.counts.transpose()) for one in dataset.chemical)


def test_elements_are_kept_once(volume, tmp_path):
    (path,) = written(volume, "tomviz", tmp_path)
    with h5py.File(path) as file:
        assert file["Experiments/Co/tomviz_scalars/O"] == file["Experiments/O/data"]
        assert file["data/tomography/data"] == file["Experiments/Co/data"]


# -------------------------------------------------------------------------------- images, stacks, grids


@needs("tifffile")
def test_imagej_reads_channels_slices_and_nanometres(volume, dataset, tmp_path):
    import tifffile

    (tmp_path / "volume").mkdir()
    (path,) = written(volume, "imagej", tmp_path / "volume")
    with tifffile.TiffFile(path) as file:
        assert (file.series[0].axes, file.is_imagej) == ("ZCYX", True)
        np.testing.assert_array_equal(file.asarray(), volume.data.swapaxes(0, 1))
        told = file.imagej_metadata
        assert (told["unit"], told["spacing"], told["channels"], told["slices"]) == ("nm", EDGE_NM, 2, 3)
        assert told["Labels"] == ["Co", "O"] * 3
        pixels, per = file.pages[0].tags["XResolution"].value
        assert pixels / per == pytest.approx(1 / EDGE_NM)
    (tmp_path / "series").mkdir()
    haadf, _ = written(dataset, "imagej", tmp_path / "series")
    with tifffile.TiffFile(haadf) as file:
        assert file.imagej_metadata["frames"] == 4
        assert "-60, -31, 0.5, 60" in file.imagej_metadata["Info"]


@needs("mrcfile")
def test_imod_reads_a_file_for_each_element_and_the_angles_beside_it(volume, dataset, tmp_path):
    import mrcfile

    (tmp_path / "volume").mkdir()
    files = written(volume, "mrc", tmp_path / "volume")
    assert [file.name for file in files] == ["out-Co.mrc", "out-O.mrc"]
    with mrcfile.open(files[1]) as mrc:
        np.testing.assert_array_equal(mrc.data, volume["O"])
        assert mrc.is_volume()
        assert mrc.voxel_size.x == pytest.approx(10 * EDGE_NM)  # Angstrom
    (tmp_path / "series").mkdir()
    files = written(dataset, "mrc", tmp_path / "series")
    names = ["haadf-HAADF.mrc", "haadf.rawtlt", "chemical-Fe.mrc", "chemical-O.mrc", "chemical.rawtlt"]
    assert [file.name for file in files] == [f"out-{name}" for name in names]
    with mrcfile.open(files[2]) as mrc:
        assert mrc.is_image_stack()
        np.testing.assert_array_equal(mrc.data, dataset.chemical[0].counts)
    assert np.loadtxt(files[1]).tolist() == list(ANGLES)


@needs("zarr")
def test_ome_zarr_has_axes_scale_and_channels(volume, tmp_path):
    import zarr

    (path,) = written(volume, "ome-zarr", tmp_path)
    group = zarr.open_group(str(path), mode="r")
    np.testing.assert_array_equal(group["0"][:], volume.data)
    told = group.attrs["ome"]
    (image,) = told["multiscales"]
    assert [axis["name"] for axis in image["axes"]] == ["c", "z", "y", "x"]
    assert {axis.get("unit") for axis in image["axes"][1:]} == {"nanometer"}
    assert image["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0, *[EDGE_NM] * 3]
    assert [channel["label"] for channel in told["omero"]["channels"]] == ["Co", "O"]
    (path,) = written(volume, "ome-zarr", tmp_path, overwrite=True)  # a folder takes the place of a folder


@needs("pyvista")
def test_vtk_reads_a_grid_with_an_array_for_each_element(volume, tmp_path):
    import pyvista

    (path,) = written(volume, "vtk", tmp_path)
    grid = pyvista.read(path)
    assert (grid.dimensions, grid.spacing, grid.origin[0]) == ((7, 5, 3), (EDGE_NM,) * 3, -3 * EDGE_NM)
    np.testing.assert_array_equal(grid["O"].reshape(grid.dimensions, order="F"), volume["O"].transpose())


# -------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("to", sorted(set(EXPORTS) - set(HAS_SERIES)))
def test_a_format_without_series_says_which_have_them(dataset, tmp_path, to):
    with pytest.raises(InputError, match=f"'{to}' holds volumes, no tilt series; .* one of tomviz, hyperspy"):
        export(dataset, to, tmp_path / "out")


def test_an_unknown_format_is_told_with_those_there_are(volume, tmp_path):
    with pytest.raises(InputError, match="there is no format to export to 'tomvis'; did you mean 'tomviz'"):
        export(volume, "tomvis", tmp_path / "out")


def test_a_library_that_is_missing_is_named_with_its_extra(volume, tmp_path, monkeypatch):
    monkeypatch.setattr("fusedtomo.extras.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the package 'tifffile', which is not installed; pip install 'fusedto"):
        export(volume, "imagej", tmp_path / "out.tif")
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_replaced_unasked_and_none_is_written_before_all_may_be(dataset, tmp_path):
    (tmp_path / "out-chemical.hspy").write_text("mine")
    with pytest.raises(InputError, match=r"out-chemical\.hspy exists; pass --overwrite"):
        export(dataset, "hyperspy", tmp_path / "out.hspy")
    assert [path.name for path in tmp_path.iterdir()] == ["out-chemical.hspy"]
    with pytest.raises(InputError, match="there is no folder"):
        export(dataset, "hyperspy", tmp_path / "none" / "out.hspy")
