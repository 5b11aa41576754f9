"""The front of the packages: what there is, loaded when it is used; short words and thumbnails; arrays in and out."""

import re
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import fusedtomo as ft
import phantoms
import workflows
from fusedtomo.io import write_volume
from tests.workflows.values import TRIALS, campaign
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder

FRESH = """
import sys, time
before = time.process_time()
import fusedtomo as ft
names = dir(ft)
took = time.process_time() - before
assert not {"numpy", "numba", "h5py", "matplotlib", "xarray", "workflows"} & set(sys.modules), sorted(sys.modules)
print(took, *names)
"""


def run(code):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_front_loads_nothing_and_lists_all():
    took, *names = run(FRESH)
    assert float(took) < 0.3
    assert {"read_volume", "write_dataset", "simulate", "reconstruct", "score", "resolution", "plot"} <= set(names)
    assert names == dir(ft)


@pytest.mark.parametrize("package", [ft, phantoms, workflows, ft.plot])
def test_every_name_on_a_front_is_there(package):
    for name in dir(package):
        assert getattr(package, name) is not None
        assert getattr(package, name) is getattr(package, name)


def test_a_name_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(AttributeError, match=r"'fusedtomo' has no attribute 'reconstrukt'; it has ChemicalVolume, "):
        _ = ft.reconstrukt


@pytest.mark.parametrize("first", ["import fusedtomo.score", "from fusedtomo.reconstruct import solve", "ft.score"])
def test_functions_stand_before_modules_of_their_name_whoever_imports_first(first):
    code = f"import fusedtomo as ft\n{first}\nprint(type(ft.score).__name__, type(ft.reconstruct).__name__)"
    assert run(code) == ["function", "function"]
    assert run(f"{code}\nfrom fusedtomo.score import nrmse\nimport pickle; pickle.dumps(ft.score)")[:1] == ["function"]


def test_words_tell_size_and_unit(tiny_phantom, tiny_dataset):
    assert repr(tiny_phantom) == "ChemicalVolume({}; {} voxels (z, y, x) of {:.4g} nm)".format(
        ", ".join(tiny_phantom.elements), " × ".join(map(str, tiny_phantom.shape)), tiny_phantom.voxel_nm
    )
    angles = tiny_dataset.haadf.scheme.angles_deg
    assert f"HAADF: {len(angles)} tilts from {min(angles):g}° to {max(angles):g}°" in repr(tiny_dataset.haadf)
    assert f"{len(angles)} HAADF tilts, {len(tiny_dataset.chemical_scheme)} chemical tilts" in repr(tiny_dataset)
    settings = ft.SolverSettings(max_iterations=2)
    found = ft.reconstruct(tiny_dataset, "poisson", settings=settings, truth=tiny_phantom)
    assert re.match(
        r"Reconstruction\(poisson: 2 iterations in .* s, stopped by max_iterations, NRMSE 0\.\d+; Chem", repr(found)
    )
    assert all(len(repr(one)) < 250 for one in (tiny_phantom, tiny_dataset, tiny_dataset.haadf, found))
    assert found._repr_html_().count("<img") == 1


def test_a_thumbnail_shows_the_fullest_slices(tiny_phantom):
    html = tiny_phantom._repr_html_()
    assert repr(tiny_phantom) in html
    assert "data:image/png;base64," in html
    assert "#" in html  # colours of the elements
    assert len(html) < 20_000


def test_a_volume_goes_through_xarray_and_back(tiny_phantom, tmp_path):
    array = ft.to_xarray(tiny_phantom)
    assert array.dims == ("element", "z", "y", "x")
    assert (array.z.attrs["units"], array.sel(element=tiny_phantom.elements[0]).shape) == ("nm", tiny_phantom.shape)
    assert float(array.x.mean()) == pytest.approx(0)
    back = ft.from_xarray(array.transpose("x", "element", "z", "y"))
    np.testing.assert_array_equal(back.data, tiny_phantom.data)
    assert (back.elements, back.voxel_nm) == (tiny_phantom.elements, tiny_phantom.voxel_nm)
    write_volume(tiny_phantom, tmp_path / "v.h5")
    with xr.open_dataset(tmp_path / "v.h5", group="volume", engine="h5netcdf") as kept:
        np.testing.assert_allclose(array.z, kept.z)  # as in the files


def test_an_array_that_is_no_volume_is_refused(tiny_phantom):
    array = ft.to_xarray(tiny_phantom)
    with pytest.raises(ft.InputError, match="give element, z, y and x"):
        ft.from_xarray(array.isel(z=0))
    with pytest.raises(ft.InputError, match="even steps"):
        ft.from_xarray(array.assign_coords(x=array.x**3))


def test_a_series_is_a_labelled_array(tiny_dataset):
    array = ft.to_xarray(tiny_dataset.haadf)
    assert array.dims == ("angle", "y", "x")
    assert array.angle.values.tolist() == list(tiny_dataset.haadf.scheme.angles_deg)
    assert array.attrs["units"] == "counts"


def test_plain_arrays_become_the_same_data_set(tiny_dataset):
    maps = {one.name: one.counts for one in tiny_dataset.chemical}
    made = ft.dataset_from_arrays(
        tiny_dataset.haadf.counts,
        tiny_dataset.haadf.scheme.angles_deg,
        maps,
        tiny_dataset.chemical_scheme.angles_deg,
        pixel_nm=tiny_dataset.pixel_nm,
        haadf_background=tiny_dataset.haadf.background,
        maps_background={one.name: one.background for one in tiny_dataset.chemical},
        gain={one.name: one.gain for one in tiny_dataset.chemical},
    )
    settings = ft.SolverSettings(max_iterations=2, gamma=tiny_dataset.gamma)
    first, second = (ft.reconstruct(one, settings=settings).volume.data for one in (made, tiny_dataset))
    np.testing.assert_array_equal(first, second)


def test_arrays_that_do_not_fit_are_one_message(tiny_dataset):
    maps = {one.name: one.counts for one in tiny_dataset.chemical}
    with pytest.raises(ft.InputError, match="gain names 'Xx', of which there is no map"):
        ft.dataset_from_arrays(tiny_dataset.haadf.counts, range(3), maps, pixel_nm=1.0, gain={"Xx": 1.0})
    with pytest.raises(ft.InputError, match="its scheme has 2 angles"):
        ft.dataset_from_arrays(tiny_dataset.haadf.counts, (0.0, 10.0), maps, pixel_nm=1.0)


def test_plots_are_one_line(tiny_phantom):
    figure = ft.plot.slices({"truth": tiny_phantom, "half": tiny_phantom}, plane="yx")
    assert len(figure.axes) == 2 * (len(tiny_phantom.elements) + 1) + len(tiny_phantom.elements)
    lines = ft.plot.cost({"total": [3.0, 2.0], "tv": [0.0, 0.0]}).axes[0].get_lines()
    assert [line.get_ydata().tolist() for line in lines] == [[3.0, 2.0]]


def test_a_run_is_a_table_and_a_map_to_draw(tmp_path):
    with RunFolder(tmp_path / "run", campaign()) as folder, Journal(folder.journal) as journal:
        journal.append(*TRIALS)
    table = workflows.trials(tmp_path / "run")
    assert table.groupby("status").size().to_dict() == {"failed": 1, "ok": 3}
    assert table.loc[table.condition == "fused-h5-c3", "nrmse"].tolist() == [0.5, 0.342]
    found = workflows.run_map(tmp_path / "run")
    ax = ft.plot.sampling_map(found)
    assert "0.34" in [one.get_text() for one in ax.texts]
    assert (ax.get_xlabel(), [one.get_text() for one in ax.get_yticklabels()]) == ("chemical tilts", ["5", "20"])
    with pytest.raises(ft.InputError, match="no 'resolution'; it has error"):
        ft.plot.sampling_map(found, "resolution")
    with pytest.raises(ft.InputError, match="choose values with sel"):
        ft.plot.sampling_map(found.isel(haadf_tilts=0))
