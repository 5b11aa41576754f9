"""Files of microscopes: is what RosettaSciIO finds in them under the names, with the windows, angles and units told?"""

from pathlib import Path
from zipfile import ZipFile

import h5py
import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.exporting import export
from fusedtomo.importing import ImportRecipe, import_dataset, read_recipe
from fusedtomo.importing.formats import FORMATS, microscope, opened, read_tilts
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries

pytest.importorskip("rsciio")
CHECKOUT = Path(__file__).parents[2]
DATA = CHECKOUT.parent / "shared" / "data"
BCF = CHECKOUT / "configs" / "imports" / "eds_haadf_particle_bcf.toml"
needs_data = [
    pytest.mark.data,
    pytest.mark.skipif(not (DATA / "vendor_formats").is_dir(), reason="the files of microscopes are not here"),
]


def reader_of(*signals):
    """Of signals as RosettaSciIO returns them."""
    return microscope.Arrays(microscope._Signals(microscope._titled(list(signals), "stem")))


def axis(name, size, scale, units, offset=0.0):
    return {"name": name, "size": size, "scale": scale, "units": units, "offset": offset}


def spectrum_image(counts, title="EDX", first_kev=-0.2):
    axes = [axis("y", counts.shape[0], 0.5, "nm"), axis("x", counts.shape[1], 0.5, "nm")]
    axes.append(axis("Energy", counts.shape[2], 0.01, "keV", first_kev))
    return {"data": counts, "axes": axes, "metadata": {"General": {"title": title}}}


# -------------------------------------------------------------------------------- names


def test_a_window_of_energies_is_the_sum_of_its_channels_both_ends_included():
    counts = np.arange(2 * 3 * 100).reshape(2, 3, 100).astype(np.uint8)
    found = reader_of(spectrum_image(counts)).array("EDX[0.0:0.1]", 2)  # channels 20 to 30
    np.testing.assert_array_equal(found, counts[..., 20:31].sum(axis=-1, dtype=float))


def test_the_window_of_a_line_is_one_fwhm_to_either_side():
    low, high = microscope.line_window_kev("Fe", "Ka")
    assert (low + high) / 2 == pytest.approx(6.4, abs=0.01)
    assert high - low == pytest.approx(2 * 0.135, abs=0.005)  # 130 eV at Mn Ka, 135 at Fe Ka
    counts = np.ones((1, 1, 1000))
    assert reader_of(spectrum_image(counts)).array("EDX/Fe_Ka", 2).item() == pytest.approx(27, abs=1)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("EDX[5:6]", r"no channel of a spectrum image lies in 5 to 6; it has -0.2 to 0.79 keV"),
        ("EDX[a:b]", r"a window is two energies, such as EDX"),
        ("EDX/Fe_Kq", r"Fe has no line 'Kq'; it has Ka1"),
        ("EDS/Fe_Ka", r"array 'EDS/Fe_Ka' is missing; the file holds EDX, EDX/pixel_nm"),
    ],
)
def test_what_is_not_in_a_spectrum_is_told(name, told):
    with pytest.raises(InputError, match=told):
        reader_of(spectrum_image(np.ones((2, 2, 100)))).array(name, 2)


def test_windows_that_share_counts_are_told():
    said = microscope.overlaps({"Fe": "EDX[6.3:6.5]", "Mn": "EDX[6.45:6.75]", "Co": "EELS[6.3:6.5]", "O": "O"})
    assert said == ["windows of Fe and Mn overlap by 25% of the narrower: their maps share counts"]


def test_units_of_length_become_nanometres_and_equal_titles_get_numbers():
    images = [
        {"data": np.ones((2, 2)), "axes": [axis("y", 2, 0.5, unit), axis("x", 2, 0.5, unit)], "metadata": {}}
        for unit in ("nm", "µm", "Å", None)
    ]
    contents = reader_of(*images).contents()
    assert {name: told for name, told in contents.items() if "pixel" in name} == {
        "stem/pixel_nm": "0.5",
        "stem (2)/pixel_nm": "500",
        "stem (3)/pixel_nm": "0.05",
    }


# -------------------------------------------------------------------------------- one file a tilt


@pytest.fixture
def tilts(tmp_path, rng) -> dict[float, np.ndarray]:
    """Images by angle, each in a file of its own; Python would sort their names otherwise."""
    images = {angle: rng.poisson(3, (4, 5)).astype(np.float32) for angle in (-40.5, -5.0, 0.0, 10.0)}
    for angle, image in images.items():
        np.savez(tmp_path / f"map_{angle:g}.npz", fe=image, haadf=10 * image, pixel=[2.0])
    return images


RECIPE = {
    "file": "map_{angle}.npz",
    "haadf": "haadf",
    "elements": {"Fe": "fe"},
    "pixel_nm": {"dataset": "pixel", "nm_per_unit": 1},
    "tilt_axis": "x",
    "haadf_background": 0,
    "chemical_background": 0,
    "chemical_gain": 1.0,
}


def test_angles_stand_in_the_names_of_the_files(tilts, tmp_path):
    dataset, notes = import_dataset(ImportRecipe(**RECIPE), tmp_path)
    assert dataset.haadf.scheme.angles_deg == tuple(tilts)
    np.testing.assert_array_equal(dataset.chemical[0].counts, np.stack(list(tilts.values())))
    np.testing.assert_array_equal(dataset.haadf.counts, 10 * dataset.chemical[0].counts)
    assert "angles_deg: 4 tilts from -40.5 to 10 degrees, from the names of the files" in notes
    assert dataset.pixel_nm == 2.0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none_{angle}.npz", r"none_{angle}\.npz: no file has such a name, with a number for {angle}"),
        ("{angle}/map.npz", r"write {angle} once, in the name of the files"),
    ],
)
def test_a_pattern_that_fits_nothing_is_told(tilts, tmp_path, name, told):
    with pytest.raises(InputError, match=told):
        import_dataset(ImportRecipe(**{**RECIPE, "file": name}), tmp_path)


def test_tilts_that_do_not_make_a_series_are_told_with_their_file(tilts, tmp_path):
    np.savez(tmp_path / "map_+10.0.npz", fe=np.ones((4, 5)))
    with pytest.raises(InputError, match=r"map_10\.npz and map_\+10\.0\.npz have the same angle"):
        read_tilts(tmp_path, "map_{angle}.npz", ["fe"])
    (tmp_path / "map_+10.0.npz").unlink()
    np.savez(tmp_path / "map_20.npz", fe=np.ones((3, 5)))
    with pytest.raises(InputError, match=r"map_20\.npz: 'fe' has the shape \(3, 5\), but \(4, 5\) at the first tilt"):
        read_tilts(tmp_path, "map_{angle}.npz", ["fe"])
    (tmp_path / "map_20.npz").write_bytes(b"PK torn")
    with pytest.raises(InputError, match=r"map_20\.npz: cannot be read"):
        read_tilts(tmp_path, "map_{angle}.npz", ["fe"])


def test_a_name_of_another_format_is_no_line_whatever_it_looks_like(tmp_path, rng, monkeypatch):
    monkeypatch.setattr("fusedtomo.extras.find_spec", lambda name: None)  # energies of lines cannot be had
    with h5py.File(tmp_path / "maps.h5", "w") as file:
        file["haadf"] = file["eds/Fe_Ka"] = rng.poisson(3, (3, 4, 5))
    more = {"file": "maps.h5", "elements": {"Fe": "eds/Fe_Ka"}, "angles_deg": [-10, 0, 10], "pixel_nm": 1.0}
    dataset, _ = import_dataset(ImportRecipe(**{**RECIPE, **more}), tmp_path)
    assert dataset.elements == ("Fe",)


def test_without_a_pattern_angles_must_be_given():
    with pytest.raises(ValueError, match=r"angles_deg is missing; give it, or \{angle\} in the name of the file"):
        ImportRecipe(**{**RECIPE, "file": "one.npz"})


# -------------------------------------------------------------------------------- HAADF in a file of its own


def test_haadf_of_its_own_file_angles_and_pixels(tmp_path, rng):
    haadf = rng.random((3, 8, 12), dtype=np.float32)
    np.savez(tmp_path / "haadf.npz", haadf=haadf)
    np.savez(tmp_path / "maps.npz", fe=rng.poisson(3, (2, 4, 6)))
    (tmp_path / "haadf.rawtlt").write_text("-10\n 0.0\n20\n")
    (tmp_path / "maps.mdoc").write_text("[ZValue = 0]\nTiltAngle = -10\n[ZValue = 1]\nTiltAngle = 20.0\n")
    more = {"haadf_file": "haadf.npz", "file": "maps.npz", "angles_deg": "haadf.rawtlt", "pixel_nm": 2.0}
    dataset, notes = import_dataset(ImportRecipe(**{**RECIPE, **more, "chemical_angles_deg": "maps.mdoc"}), tmp_path)
    assert dataset.haadf.scheme.angles_deg == (-10, 0, 20)
    assert dataset.chemical_scheme.angles_deg == (-10, 20)
    np.testing.assert_allclose(dataset.haadf.counts[1, 0, 0], haadf[1, :2, :2].mean(), rtol=1e-6)
    assert "HAADF: 2 x 2 pixels averaged to one of the maps'" in notes


def test_a_file_of_angles_without_numbers_is_told(tmp_path, rng):
    np.savez(tmp_path / "maps.npz", fe=rng.random((2, 4, 6)), haadf=rng.random((2, 4, 6)))
    (tmp_path / "a.tlt").write_text("ten\n20\n")
    with pytest.raises(
        InputError, match=r"a\.tlt: could not convert string to float: 'ten'; give a file with one angle"
    ):
        import_dataset(ImportRecipe(**{**RECIPE, "file": "maps.npz", "angles_deg": "a.tlt", "pixel_nm": 1}), tmp_path)


def test_what_was_exported_is_imported_again(tmp_path, rng):
    haadf = TiltSeries("HAADF", rng.random((3, 5, 7), dtype=np.float32), TiltScheme((-60.0, 0.5, 61.0)))
    maps = rng.poisson(3, (2, 2, 5, 7)).astype(np.float32)
    scheme = TiltScheme((-60.0, 45.0))
    series = tuple(TiltSeries(n, m, scheme, gain=1.0) for n, m in zip(("Fe", "O"), maps, strict=True))
    export(FusedDataset(haadf, series, 2.5), "hyperspy", tmp_path / "out.hspy")
    recipe = {
        **RECIPE,
        "file": "out-chemical.hspy",
        "haadf_file": "out-haadf.hspy",
        "haadf": "HAADF",
        "elements": {"Fe": "Fe", "O": "O"},
        "angles_deg": "HAADF/angles_deg",
        "chemical_angles_deg": "Fe/angles_deg",
        "pixel_nm": {"dataset": "Fe/pixel_nm", "nm_per_unit": 1},
    }
    found, _ = import_dataset(ImportRecipe(**recipe), tmp_path)
    np.testing.assert_array_equal(found.haadf.counts, haadf.counts)
    np.testing.assert_array_equal(found.chemical_counts, maps)
    assert (found.haadf.scheme, found.chemical_scheme, found.pixel_nm) == (haadf.scheme, scheme, 2.5)


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    (tmp_path / "a.bcf").write_bytes(b"AAMVHFSS")
    monkeypatch.setattr("fusedtomo.extras.find_spec", lambda name: None)
    told = r"a\.bcf: needs the package 'rosettasciio'.*pip install 'fusedtomo\[formats\]'"
    with pytest.raises(InputError, match=told), opened(tmp_path / "a.bcf"):
        pass


@pytest.mark.parametrize("suffix", sorted(FORMATS["microscope"].suffixes))
def test_a_file_that_is_none_is_one_message(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"no microscope wrote this")
    with pytest.raises(InputError, match=rf"a{suffix}: .*cannot be read"), opened(path):
        pass


# -------------------------------------------------------------------------------- real files


@pytest.fixture
def velox(tmp_path):
    for name in ("velox_emd_version11.zip", "velox_EELS_EDS.zip"):
        with ZipFile(DATA / "vendor_formats" / name) as file:
            file.extractall(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("HAADF.dm3", {"HAADF_Rebin16": (91, 64, 64), "HAADF_Rebin16/angles_deg": (91,)}),
        ("BF_002.dm3", {"BF_002": (128, 128)}),
        ("test_000.mrc", {"test_000": (2, 1024, 1024)}),
    ],
)
def test_gatan_and_mrc(file, wanted):
    with opened(DATA / "vendor_formats" / file) as reader:
        assert {name: reader.array(name, None).shape for name in wanted} == wanted


def test_gatan_tells_angles_and_pixels():
    with opened(DATA / "vendor_formats" / "HAADF.dm3") as reader:
        np.testing.assert_allclose(reader.array("HAADF_Rebin16/angles_deg", 1), np.arange(-90, 91, 2))
        assert reader.array("HAADF_Rebin16/pixel_nm", None).item() == pytest.approx(17.99, abs=0.01)


def test_velox_with_eels_and_eds(velox):
    with opened(velox / "example_velox_EELS_EDS.emd") as reader:
        assert reader.array("EELS", 3).shape == (16, 20, 2048)
        assert reader.array("Fe", 2).shape == (16, 20)
        pixels = [reader.array(f"{name}/pixel_nm", None).item() for name in ("DF-S", "EELS")]
        assert pixels == pytest.approx([158.658, 158.658], abs=0.001)  # said in micrometres, and in nm
        spectra = [name for name, told in reader.contents().items() if "128 x 128 x 4096" in told]
        assert reader.array(f"{spectra[0]}[0.0:40.9]", 2).sum() > 0


def test_a_pruned_velox_file_has_maps_and_no_spectrum_image(velox):
    with opened(velox / "Test SI 16x16 ReducedData 215 kx.emd") as reader:
        assert reader.array("HAADF", 2).shape == (16, 16)
        with pytest.raises(InputError, match="no channel of a spectrum image"):
            reader.array("EDS[0.4:0.6]", 2)


@pytest.mark.slow
def test_the_bruker_files_give_the_published_maps():
    folder = DATA / "eds_haadf_particle"
    recipe = read_recipe(BCF)
    recipe = recipe.model_copy(update={"file": "bcf/{angle}.bcf", "shifts": None, "tilt_axis": "x"})
    dataset, _ = import_dataset(recipe, folder)
    with h5py.File(folder / "maps.h5") as file:
        for series in dataset.chemical:
            np.testing.assert_array_equal(series.counts, file[f"{series.name}_Ka"][:], series.name)
        assert dataset.haadf.scheme.angles_deg == tuple(file["tilt_angles_deg"][:])


for _test in (
    test_gatan_and_mrc,
    test_gatan_tells_angles_and_pixels,
    test_velox_with_eels_and_eds,
    test_a_pruned_velox_file_has_maps_and_no_spectrum_image,
    test_the_bruker_files_give_the_published_maps,
):
    for _mark in needs_data:
        _mark(_test)
