"""Import of measured series: geometry, alignment, levels, and one message for every fault of a recipe."""

import json
import os
import tracemalloc
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile

import h5py
import numpy as np
import pytest
from numpy.lib.format import write_array_header_1_0

from fusedtomo import memory
from fusedtomo.alignment import neighbour_correlation
from fusedtomo.errors import InputError
from fusedtomo.hdf5 import naming
from fusedtomo.importing import ImportRecipe, import_dataset, read_recipe
from fusedtomo.importing.formats import FORMATS, Arrays, Format, format_of
from fusedtomo.io import read_dataset, write_dataset

CHECKOUT = Path(__file__).parents[2]
RECIPE = CHECKOUT / "configs" / "imports" / "eds_haadf_particle.toml"
ANGLES = (-40.0, -10.0, 0.0, 25.0, 60.0)
N = 41  # odd: the centre of rotation (n-1)/2 is a pixel
POINT = (6.0, -4.0, 9.0)  # X, Y, Z of a blob from the centre, in the frame of the recorded images


def recorded_images(shifts=None):
    """A blob turning about the image's y, right-handed with Z away from the viewer: X' = X cos + Z sin."""
    rows, columns = np.indices((N, N)) - (N - 1) / 2
    images = []
    for i, angle in enumerate(np.deg2rad(ANGLES)):
        x, y = POINT[0] * np.cos(angle) + POINT[2] * np.sin(angle), POINT[1]
        dx, dy = shifts[i] if shifts else (0, 0)
        images.append(np.exp(-((rows - y + dy) ** 2 + (columns - x + dx) ** 2) / 4))
    return 1000 * np.array(images)


def write_source(folder, images, **more):
    with h5py.File(folder / "source.h5", "w") as file:
        file["haadf"], file["maps/Fe"], file["angles"] = images, images, np.array(ANGLES, np.float32)
        file["pixel_um"] = np.full(len(ANGLES), 0.013)
        for name, values in more.items():
            if name in file:
                del file[name]
            file[name] = values


def recipe(**changes):
    settings = {
        "file": "source.h5",
        "haadf": "haadf",
        "elements": {"Fe": "maps/Fe"},
        "angles_deg": "angles",
        "pixel_nm": 2.0,
        "tilt_axis": "y",
        "haadf_background": 0,
        "chemical_background": 0,
        "chemical_gain": 1,
    }
    return ImportRecipe.model_validate(settings | changes)


def centres(counts):
    """Centre of mass (y, x) of every image from the centre of rotation."""
    y, x = np.indices(counts.shape[1:]) - (N - 1) / 2
    mass = counts.sum(axis=(1, 2), dtype=np.float64)
    return np.stack([(counts * axis).sum(axis=(1, 2), dtype=np.float64) / mass for axis in (y, x)], axis=1)


def refusal(recipe, folder) -> str:
    with pytest.raises(InputError) as caught:
        import_dataset(recipe, folder)
    return str(caught.value)


# ------------------------------------------------------------------------------- geometry


@pytest.mark.parametrize("reverse", [False, True])
def test_turned_images_obey_the_projection_formula(tmp_path, reverse):
    write_source(tmp_path, recorded_images())
    dataset, _ = import_dataset(recipe(reverse_tilt=reverse), tmp_path)
    x, y, z = POINT[1], -POINT[0], POINT[2] if reverse else -POINT[2]  # new x = old y, new y = -old x
    for series in (dataset.haadf, *dataset.chemical):
        theta = np.deg2rad(series.scheme.angles_deg)
        t = y * np.cos(theta) + z * np.sin(theta)
        np.testing.assert_allclose(centres(series.counts), np.stack([t, np.full_like(t, x)], axis=1), atol=1e-3)


def test_axis_x_is_not_turned(tmp_path):
    write_source(tmp_path, recorded_images().transpose(0, 2, 1))
    dataset, _ = import_dataset(recipe(tilt_axis="x"), tmp_path)
    theta = np.deg2rad(ANGLES)
    t = POINT[0] * np.cos(theta) + POINT[2] * np.sin(theta)
    np.testing.assert_allclose(centres(dataset.haadf.counts)[:, 0], t, atol=1e-3)


def test_turning_does_not_mirror(tmp_path):
    letter = np.zeros((len(ANGLES), 4, 6))
    letter[:, 0, :], letter[:, :, 0], letter[:, 1, 3] = 1, 2, 3
    write_source(tmp_path, letter)
    counts = import_dataset(recipe(), tmp_path)[0].haadf.counts
    assert counts.shape == (len(ANGLES), 6, 4)
    assert counts.flags.c_contiguous
    for row in range(4):
        for column in range(6):  # new x = old y, new y counts old x from its end
            assert counts[0, 5 - column, row] == letter[0, row, column]


# ------------------------------------------------------------------------------- alignment


@pytest.mark.parametrize("order", ["xy", "yx"])
def test_shifts_undo_a_drift_before_turning(tmp_path, order):
    drift = [(3, -2), (0, 1), (0, 0), (-2, 2), (1, 0)]  # (x, y) that aligns each tilt
    pairs = dict(zip(ANGLES, drift, strict=True))
    listed = [pairs.get(float(angle), (0, 0)) for angle in range(-50, 65, 5)]
    (tmp_path / "s.json").write_text(json.dumps([p if order == "xy" else p[::-1] for p in listed]))
    write_source(tmp_path, recorded_images(drift))
    shifts = {"file": "s.json", "first_angle_deg": -50, "step_deg": 5, "order": order}
    shifted, notes = import_dataset(recipe(shifts=shifts), tmp_path)
    write_source(tmp_path, recorded_images())
    still, _ = import_dataset(recipe(), tmp_path)
    inner = np.s_[:, 4:-4, 4:-4]
    np.testing.assert_allclose(shifted.haadf.counts[inner], still.haadf.counts[inner], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(shifted.chemical[0].counts, shifted.haadf.counts)
    assert any("x by -2 to 3, y by -2 to 2 whole pixels" in note for note in notes)


def test_edges_are_filled_with_recorded_counts_not_vacuum(tmp_path):
    counts = np.random.default_rng(0).poisson(5, (len(ANGLES), N, N)).astype(float) + 1
    write_source(tmp_path, counts)
    (tmp_path / "s.json").write_text(json.dumps([[-3, 2]] * 21))
    shifts = {"file": "s.json", "first_angle_deg": -40, "step_deg": 5}
    moved = import_dataset(recipe(shifts=shifts, tilt_axis="x"), tmp_path)[0].haadf.counts
    np.testing.assert_array_equal(moved[:, 2:, :-3], counts[:, :-2, 3:])
    np.testing.assert_array_equal(moved[:, 2:, -3:], counts[:, :-2, :-4:-1])  # mirrored, not repeated
    assert moved.min() >= 1


def test_crop_keeps_the_centre(tmp_path):
    write_source(tmp_path, recorded_images())
    whole = import_dataset(recipe(), tmp_path)[0].haadf.counts
    np.testing.assert_array_equal(import_dataset(recipe(crop_px=3), tmp_path)[0].haadf.counts, whole[:, 3:-3, 3:-3])
    assert "crop_px = 21" in refusal(recipe(crop_px=21), tmp_path)


def test_excluded_tilts_are_left_out_by_their_recorded_angle(tmp_path):
    write_source(tmp_path, recorded_images())
    whole, _ = import_dataset(recipe(), tmp_path)
    dataset, _ = import_dataset(recipe(exclude_angles_deg=(25,), reverse_tilt=True), tmp_path)
    assert dataset.haadf.scheme.angles_deg == (40.0, 10.0, 0.0, -60.0)
    np.testing.assert_array_equal(dataset.chemical[0].counts, whole.haadf.counts[[0, 1, 2, 4]])
    assert "exclude_angles_deg has 26, but the tilts are -40, -10" in refusal(
        recipe(exclude_angles_deg=(26,)), tmp_path
    )
    for n in (1, 0):
        told = f"source.h5: exclude_angles_deg leaves {n} of the 5 tilts of HAADF; a tilt series needs at least two"
        assert told in refusal(recipe(exclude_angles_deg=ANGLES[n:]), tmp_path)
    other = {"chemical_angles_deg": (-40, 1, 2, 3, 60), "exclude_angles_deg": (1, 2, 3, 60)}
    assert "exclude_angles_deg leaves 1 of the 5 tilts of Fe" in refusal(recipe(**other), tmp_path)
    assert "angles_deg (from the recipe): a tilt series needs" in refusal(recipe(angles_deg=()), tmp_path)


# ------------------------------------------------------------------------------- levels


def slab(background, gain, concentration, thickness_px, level=0.0):
    """A slab in vacuum: HAADF and noise-free counts (tilt, y, x), thicker along the beam at higher tilt."""
    inside = np.zeros((N, N), bool)
    inside[:, 8:-8] = True
    path = thickness_px / np.cos(np.deg2rad(ANGLES))[:, None, None] * inside
    return level + 500 * path, background + gain * concentration * path


def test_automatic_levels_find_what_a_slab_was_made_with(tmp_path):
    haadf, counts = slab(background=0.3, gain=0.2, concentration=1.0, thickness_px=10, level=75)
    write_source(tmp_path, haadf, **{"maps/Fe": counts})
    auto = {"haadf_background": "auto", "chemical_background": "auto", "chemical_gain": "auto"}
    dataset, notes = import_dataset(recipe(**auto, pixel_nm=2.0, thickness_nm=20), tmp_path)
    assert dataset.haadf.background == pytest.approx(75)
    assert dataset.chemical[0].background == pytest.approx(0.3, rel=1e-5)
    assert dataset.chemical[0].gain == pytest.approx(0.2, rel=0.02)
    assert dataset.haadf.gain is None
    assert any("(measured)" in note and note.startswith("Fe") for note in notes)


def test_without_vacuum_a_background_is_asked_for(tmp_path):
    images = np.random.default_rng(0).normal(1000, 100, (len(ANGLES), N, N))
    write_source(tmp_path, images)
    assert "no measure; give haadf_background" in refusal(recipe(haadf_background="auto"), tmp_path)
    write_source(tmp_path, np.ones_like(images))
    assert "100.0%" in refusal(recipe(chemical_background="auto"), tmp_path)


def test_gain_of_an_empty_map_is_asked_for(tmp_path):
    write_source(tmp_path, recorded_images(), **{"maps/Fe": np.zeros((len(ANGLES), N, N))})
    message = refusal(recipe(chemical_gain="auto", thickness_nm=20), tmp_path)
    assert "chemical_gain of 'Fe' cannot be chosen" in message


def test_saturated_pixels_are_clipped_and_counted(tmp_path):
    images = recorded_images()
    images[0, :2, :3] = 65535
    images[1, 0, 0] = 70000
    write_source(tmp_path, images)
    dataset, notes = import_dataset(recipe(haadf_saturation=65535), tmp_path)
    assert dataset.haadf.counts.max() == 65535
    assert dataset.chemical[0].counts.max() == 70000  # chemistry is left as it is
    assert any("7 pixels (0.08%) are saturated" in note for note in notes)


def test_pixel_size_comes_from_a_number_or_a_dataset(tmp_path):
    write_source(tmp_path, recorded_images())
    taken = recipe(pixel_nm={"dataset": "pixel_um", "nm_per_unit": 1000})
    assert import_dataset(taken, tmp_path)[0].pixel_nm == pytest.approx(13.0)
    write_source(tmp_path, recorded_images(), pixel_um=[0.013, 0.014])
    assert "'pixel_um' holds 0.013 to 0.014" in refusal(taken, tmp_path)


def test_each_modality_has_its_own_tilts(tmp_path):
    images = recorded_images()
    write_source(tmp_path, images, **{"maps/Fe": images[::2]})
    dataset, _ = import_dataset(recipe(chemical_angles_deg=ANGLES[::2]), tmp_path)
    assert dataset.chemical_scheme.angles_deg == ANGLES[::2]
    assert dataset.haadf.scheme.angles_deg == ANGLES


# ------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.h5", "a/../../x.h5", "..\\x.h5", "C:\\x.h5", "", "a\0.h5"])
@pytest.mark.parametrize("where", ["file", "shifts"])
def test_names_cannot_leave_the_data_folder(name, where):
    shifts = {"file": name, "first_angle_deg": 0, "step_deg": 5}
    with pytest.raises(ValueError, match="inside the data folder"):
        recipe(**({"file": name} if where == "file" else {"shifts": shifts}))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('haadf = "HAADF"', 'haddf = "HAADF"', "unknown key 'haddf' = 'HAADF'; did you mean 'haadf'?"),
        ('order = "xy"', 'ordre = "xy"', "unknown key 'shifts.ordre' = 'xy'; did you mean 'order'?"),
        ("step_deg = 5", "", "'shifts.step_deg' is missing; add it: degrees between pairs"),
        ('tilt_axis = "y"', 'tilt_axis = "z"', "'tilt_axis' = 'z': input should be 'x' or 'y'"),
        (
            "haadf_background = 75",
            'haadf_background = "low"',
            "'haadf_background' = 'low': input should be a valid",
        ),
        (
            "haadf_background = 75",
            "haadf_background = -1",
            "'haadf_background' = -1: input should be greater",
        ),
        ('Mg = "Mg_Ka"', 'Xx = "Mg_Ka"', "element 'Xx' has no atomic number"),
        (
            'file = "maps.h5"',
            'file = "../maps.h5"',
            "'file' = '../maps.h5': '../maps.h5' must be a name inside",
        ),
        ('chemical_gain = "auto"', "chemical_gain = { Co = 1.0 }", "chemical_gain names 'Co'"),
        ('chemical_gain = "auto"', "chemical_gain = { Fe = -1 }", "'chemical_gain.Fe' = -1: input should be greater"),
        ("nm_per_unit = 1000", "", "'pixel_nm.nm_per_unit' is missing; add it: nanometres in one"),
        ('angles_deg = "tilt_angles_deg"', "angles_deg = [1, 100]", "'angles_deg.1' = 100: input should be less"),
        ("thickness_nm = 200", "", "chemical_gain 'auto' needs thickness_nm"),
        ('file = "maps.h5"', "file = maps.h5", "not valid TOML"),
    ],
)
def test_faults_of_a_recipe_are_named(tmp_path, old, new, told):
    text = RECIPE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "r.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_recipe(tmp_path / "r.toml")
    assert str(caught.value).startswith(f"{tmp_path / 'r.toml'}: ")
    assert told in str(caught.value)


def test_unreadable_recipes_are_named(tmp_path):
    (tmp_path / "deep.toml").write_text("a = " + "[" * 9999)
    (tmp_path / "latin.toml").write_bytes(b"a = '\xe9'")
    for name in ("deep.toml", "latin.toml", "none.toml", ""):
        with pytest.raises(InputError, match=r"cannot be read|nested too deeply"):
            read_recipe(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[0, 0], [1.5, 0]]", "shift 1.5 is no whole number"),
        ("[[0, 0], [NaN, 0]]", "NaN is no number of JSON"),
        ("[0, 1]", "shifts have shape (2,)"),
        ('{"a": 1}', "no list of pairs"),
        ("[[0, 0], [0]]", "no list of pairs"),
        ("[" * 99999, "nested too deeply"),
        ("", "not valid JSON"),
        ("[[0, 0], [Infinity, 0]]", "Infinity is no number of JSON"),
        (f"[[0, 0], [{10**400}, 0]]", "no list of pairs"),
        ("[[0, 0], [1e300, 0]]", "shifts x by 1e+300 and y by 0 pixels, but images have"),
        (f"[[0, 0], [0, {-(2**70)}]]", "smaller than the images"),
        ("[[0, 0], [0, 0]]", "tilt -10 degrees has no shift: 's.json' has 2, from -40 to -35"),
    ],
)
def test_faults_of_shifts_are_named(tmp_path, text, told):
    write_source(tmp_path, recorded_images())
    (tmp_path / "s.json").write_text(text)
    shifts = {"file": "s.json", "first_angle_deg": -40, "step_deg": 5}
    assert told in refusal(recipe(shifts=shifts), tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"file": "none.h5"}, "none.h5: cannot be read (No such file or directory)"),
        (
            {"haadf": "HADF"},
            "data set '/HADF' is missing; the file holds /angles, /haadf, /maps/Fe, /pixel_um",
        ),
        ({"haadf": "angles"}, "has shape (5,); it needs 3 dimensions"),
        ({"angles_deg": (0, 10)}, "data set 'haadf' has 5 images for 2 angles"),
        ({"angles_deg": (0, 1, 2, 3, 3)}, "angles_deg (from the recipe): a tilt angle is given twice"),
        ({"shifts": {"file": "none.json", "first_angle_deg": 0, "step_deg": 5}}, "none.json: cannot be read"),
    ],
)
def test_faults_of_the_data_are_named(tmp_path, changes, told):
    write_source(tmp_path, recorded_images())
    assert told in refusal(recipe(**changes), tmp_path)


def test_stacks_of_unequal_pixels_are_refused(tmp_path):
    write_source(tmp_path, recorded_images(), **{"maps/Fe": np.ones((len(ANGLES), 4, 4))})
    assert "HAADF has 41 x 41 pixels, the maps 4 x 4 (x, y); resample" in refusal(recipe(), tmp_path)


# ------------------------------------------------------------------------------- formats


def write_npz(path, **changes):
    """The arrays of `write_source` as .npz."""
    images = recorded_images()
    arrays = {"haadf": images, "maps/Fe": images, "angles": np.array(ANGLES), "pixel_um": np.full(len(ANGLES), 0.013)}
    np.savez(path, **arrays | changes)
    return path


def test_the_same_data_set_comes_from_every_format(tmp_path):
    write_source(tmp_path, recorded_images())
    write_npz(tmp_path / "source.npz", angles=np.array(ANGLES, np.float32))
    pixel = {"dataset": "pixel_um", "nm_per_unit": 1000}
    (one, notes), (other, other_notes) = (
        import_dataset(recipe(file=file, pixel_nm=pixel), tmp_path) for file in ("source.h5", "source.npz")
    )
    np.testing.assert_array_equal(one.haadf.counts, other.haadf.counts)
    np.testing.assert_array_equal(one.chemical_counts, other.chemical_counts)
    assert (one.pixel_nm, one.haadf.scheme, notes) == (other.pixel_nm, other.haadf.scheme, other_notes)


@pytest.mark.parametrize(("suffix", "name"), [(".h5", "HDF5"), (".npz", "NumPy"), (".dat", "HDF5"), (".H5", "HDF5")])
def test_content_tells_the_format_before_the_suffix(tmp_path, suffix, name):
    write_source(tmp_path, recorded_images())
    (tmp_path / "source.h5").rename(tmp_path / f"h{suffix}")
    assert format_of(tmp_path / f"h{suffix}").name == "HDF5"
    write_npz(tmp_path / "a.npz").rename(tmp_path / f"n{suffix}")
    assert format_of(tmp_path / f"n{suffix}").name == "NumPy"
    (tmp_path / f"empty{suffix}").touch()
    if suffix == ".dat":
        with pytest.raises(InputError, match="no format knows"):
            format_of(tmp_path / f"empty{suffix}")
    else:
        assert format_of(tmp_path / f"empty{suffix}").name == name


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"file": "none.npz"}, "none.npz: cannot be read (No such file or directory); give the path of an .npz file"),
        ({"file": "cut.npz"}, "cut.npz: cannot be read as .npz ("),
        (
            {"file": "text.npz"},
            "text.npz: cannot be read as .npz (File is not a zip file); write it again",
        ),
        ({"haadf": "pickled"}, "source.npz: holds Python objects; write plain arrays"),
        ({"haadf": "HADF"}, "array 'HADF' is missing; the file holds haadf, maps/Fe, angles, pixel_um, "),
        ({"haadf": "angles"}, "source.npz: array 'angles' has shape (5,); it needs 3 dimensions, none empty"),
        ({"haadf": "empty"}, "array 'empty' has shape (0, 4, 4)"),
        ({"haadf": "words"}, "array 'words' holds <U1 values; it must hold numbers"),
        ({"haadf": "nan"}, "array 'nan' holds NaN or infinity"),
        ({"file": "notes.docx"}, "no format knows this file, nor the suffix '.docx'; known: microscope (.bcf, "),
        ({"file": "none.docx"}, "none.docx: is no file; give the name of one that can be read: microscope (.bcf, "),
        ({"file": "n" * 300}, "is no file"),
        ({"file": "pipe"}, "pipe: is no file"),
        ({"file": "pipe.npz"}, "pipe.npz: cannot be read (it is no regular file); give the path of an .npz file"),
        ({"file": "pipe.h5"}, "pipe.h5: cannot be read (it is no regular file)"),
        ({"file": "cut.h5"}, "cut.h5: is not an HDF5 file"),
    ],
)
def test_faults_of_a_file_are_named_whatever_its_format(tmp_path, changes, told):
    more = {"empty": np.zeros((0, 4, 4)), "nan": np.full((5, 4, 4), np.nan), "words": np.full((5, 4, 4), "a")}
    write_npz(tmp_path / "source.npz", **more, pickled=np.array([[["a", 1]]], object))
    whole = (tmp_path / "source.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("notes.docx", "cut.h5", "text.npz"):
        (tmp_path / name).write_text("notes")
    for name in ("pipe", "pipe.h5", "pipe.npz"):
        os.mkfifo(tmp_path / name)
    message = refusal(recipe(**{"file": "source.npz"} | changes), tmp_path)
    assert told in message
    assert message.startswith(f"{tmp_path / changes.get('file', 'source.npz')}: ")
    assert "\n" not in message


def test_damaged_npz_is_one_message_wherever_it_is_damaged(tmp_path):
    whole = bytearray(write_npz(tmp_path / "source.npz").read_bytes())
    for place in range(0, len(whole), len(whole) // 23):
        (tmp_path / "source.npz").write_bytes(whole[:place] + bytes(40) + whole[place + 40 :])
        message = refusal(recipe(file="source.npz", angles_deg="angles"), tmp_path)
        assert message.startswith(f"{tmp_path / 'source.npz'}: ")


def npy(shape, dtype="<f4", content=b""):
    """The bytes of a .npy file that may declare more than it has."""
    file = BytesIO()
    write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue() + content


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("content", "compression", "told"),
    [
        (npy((100_000, 300, 400)), ZIP_DEFLATED, "declares (100000, 300, 400) float32, but the file holds 0 bytes"),
        (npy((2**62, 2**62, 8)), ZIP_STORED, "declares (4611686018427387904, 4611686018427387904, 8) float32, but"),
        (npy((5, 4, 4), content=bytes(319)), ZIP_DEFLATED, "declares (5, 4, 4) float32, but the file holds 319 bytes"),
        (npy((5, 4, 4), content=bytes(321)), ZIP_DEFLATED, "declares (5, 4, 4) float32, but the file holds 321 bytes"),
        (npy((5, 4, 4), content=bytes(320)), ZIP_LZMA, "array 'bomb' is compressed in a way that np.savez never does"),
        (npy((5, 400, 400), content=bytes(3_200_000)), ZIP_DEFLATED, "array 'bomb' needs about 0.0032 GB, but 0.001"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(2 * 10**6), ZIP_DEFLATED, "needs about 0.002 GB, but 0.001"),
        (b"\x93NUMPY\x03\x00\xff\xff\xff\xff", ZIP_DEFLATED, "holds an array of the .npy format 3.0; write it again"),
    ],
    ids=["46 GB", "overflow", "less", "more", "lzma", "large", "header", "version"],
)
def test_what_an_array_declares_is_bounded_before_it_is_read(tmp_path, monkeypatch, content, compression, told):
    monkeypatch.setattr(memory, "available_gb", lambda: 0.001)
    write_npz(tmp_path / "source.npz")
    with ZipFile(tmp_path / "source.npz", "a", compression) as file:
        file.writestr("bomb.npy", content)
    tracemalloc.start()
    try:
        message = refusal(recipe(file="source.npz", haadf="bomb", angles_deg=ANGLES), tmp_path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert told in message
    assert message.startswith(f"{tmp_path / 'source.npz'}: ")
    assert most < 1e6  # and it took none of what was declared


def test_a_registered_format_is_read(tmp_path, monkeypatch):
    @contextmanager
    def read(path):
        with naming(f"{path}"):
            yield Arrays({path.stem: recorded_images()})

    monkeypatch.setitem(FORMATS._values, "toy", Format("toy", (".toy",), read))
    (tmp_path / "blob.toy").touch()
    taken = recipe(file="blob.toy", haadf="blob", elements={"Fe": "blob"}, angles_deg=ANGLES)
    assert import_dataset(taken, tmp_path)[0].haadf.counts.shape == (len(ANGLES), N, N)
    assert f"{tmp_path / 'blob.toy'}: array 'x' is missing; the file holds blob" in refusal(
        recipe(file="blob.toy", haadf="x", angles_deg=ANGLES), tmp_path
    )


# ------------------------------------------------------------------------------- the real series


@pytest.fixture(scope="module")
def real_folder():
    root = Path(os.environ.get("FUSEDTOMO_DATA", CHECKOUT.parent / "shared" / "data"))
    folder = root / "eds_haadf_particle"
    if not (folder / "maps.h5").is_file():
        pytest.skip(f"no real tilt series at {folder}; set FUSEDTOMO_DATA to the folder that holds it")
    return folder


@pytest.mark.data
def test_real_series_is_aligned_and_counted(real_folder, tmp_path):
    dataset, notes = import_dataset(read_recipe(RECIPE), real_folder)
    assert dataset.elements == ("Mg", "Si", "Fe", "O")
    assert dataset.chemical_counts.shape == (4, 16, 256, 256)
    assert dataset.haadf.scheme.angles_deg == tuple(range(-40, 40, 5))
    assert dataset.pixel_nm == pytest.approx(13.0814, rel=1e-5)
    assert any("643 pixels (0.06%) are saturated" in note for note in notes)
    with h5py.File(real_folder / "maps.h5") as file:
        before = neighbour_correlation(file["HAADF"][()].astype(np.float32))
    after = neighbour_correlation(dataset.haadf.counts)
    assert (round(before, 3), round(after, 3)) == (0.886, 0.920)  # the values in the data's README
    write_dataset(dataset, tmp_path / "real.h5")
    np.testing.assert_array_equal(read_dataset(tmp_path / "real.h5").chemical_counts, dataset.chemical_counts)


@pytest.mark.data
def test_real_concentrations_come_out_near_one(real_folder):
    dataset, _ = import_dataset(read_recipe(RECIPE), real_folder)
    thickness_px = 200 / dataset.pixel_nm
    for series in dataset.chemical:
        blocks = (series.counts[8] - series.background).reshape(32, 8, 32, 8).mean(axis=(1, 3))  # 0 degrees
        assert 0.5 < blocks.max() / (series.gain * thickness_px) < 2
        assert 0 <= series.background < 0.01
