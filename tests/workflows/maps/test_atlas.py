"""The atlas: what it holds, what weights it gives, and the data set of atlas.h5."""

import os

import h5py
import numpy as np
import pytest
import xarray as xr

from fusedtomo.errors import InputError, NoRoom
from fusedtomo.files import replacing
from tests.disks import file_size_limit
from tests.workflows.values import PROVENANCE, SPACE, campaign, filled, over, trial
from workflows.maps.atlas import build_atlas, read_atlas, write_atlas
from workflows.maps.interpolation import interpolate
from workflows.maps.lookup import conditions_of, filled_cells, weights_for
from workflows.maps.sampling_map import sampling_map

GAMMA = {"gamma": {"low": 1.0, "high": 2.0, "scale": "linear"}}


def built(trials, config=None, provenance=PROVENANCE):
    return build_atlas(sampling_map(config or campaign(), list(trials)), provenance)


def at(haadf_tilts, chemical_tilts):
    return {"haadf_tilts": haadf_tilts, "chemical_tilts": chemical_tilts}


@pytest.fixture
def atlas():
    return built(filled(skip=[(20, 27)]))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> bytes:
    """The file of the atlas, which takes longer to make than to copy."""
    path = tmp_path_factory.mktemp("written") / "atlas.h5"
    write_atlas(built(filled(skip=[(20, 27)])), path)
    return path.read_bytes()


@pytest.fixture
def path(written, tmp_path):
    (tmp_path / "atlas.h5").write_bytes(written)
    return tmp_path / "atlas.h5"


def test_parameters_are_those_of_the_best_trial(atlas):
    fused = atlas.sel(method_name="fused")
    np.testing.assert_allclose(fused.haadf, [[0.05] * 3, [0.2, 0.2, np.nan]])
    np.testing.assert_allclose(fused.tv, [[10, 10 / 3, 10 / 9], [10, 10 / 3, np.nan]])
    np.testing.assert_allclose(fused.chemical, [[1, 1, 1], [1, 1, np.nan]])


def test_searched_solver_settings_are_parameters_too():
    found = built([trial("fused-h5-c3", 0, 0.5, gamma=1.7, tv=2.0)], campaign(space={**SPACE, **GAMMA}))
    assert found.gamma.sel(method_name="fused", **at(5, 3)).item() == 1.7
    assert weights_for(found, at(5, 3)).weights["gamma"] == 1.7


def test_weights_of_a_cell_and_between_cells():
    atlas = built(filled())
    assert weights_for(atlas, at(20, 9)).weights == pytest.approx({"haadf": 0.2, "chemical": 1.0, "tv": 30 / 9})
    between = weights_for(atlas, at(10, 5), maps_snr=3.0)
    assert between.weights == pytest.approx({"haadf": 0.1, "chemical": 1.0, "tv": 6.0})
    assert between.warning == ""


# trials of (HAADF tilts, chemical tilts, haadf, tv, NRMSE) in cells that no power law describes, one left empty
SCATTERED = [
    (5, 3, 1.6596, 17.0515, 0.5607),
    (5, 9, 0.0139, 0.0164, 0.4684),
    (5, 27, 0.043, 0.0152, 0.2341),
    (20, 3, 9.9244, 4.0689, 0.3642),
    (20, 9, 0.0549, 78.8397, 0.8284),
    (50, 3, 2.3819, 0.3712, 0.5451),
    (50, 9, 0.509, 0.0175, 0.5889),
    (50, 27, 0.0122, 33.0069, 0.245),
]
# what SamplingMap.interpolate and Atlas.weights_for of commit bde12ed gave for them: haadf, tv, NRMSE
EARLIER = {
    (5, 3): (1.6596, 17.0515, 0.5607),
    (7, 4): (0.7131659263239891, 3.6667143271229485, 0.5133831684889744),
    (13, 11): (0.03160787894940206, 5.048185143366547, 0.5722503856913784),
    (20, 27): (0.012200000000000003, 33.006899999999995, 0.245),
    (33.5, 20): (0.02591309258153957, 11.4828404510085, 0.32426667301489126),
    (60, 2): (2.3819, 0.3712, 0.5451),
    (2, 40): (0.04299999999999999, 0.015200000000000002, 0.2341),
    (45, 26): (0.013746851581461689, 26.33373866180677, 0.25283406742178166),
}


@pytest.mark.parametrize("place", EARLIER)
def test_two_tilt_axes_are_interpolated_as_before_there_were_others(place):
    trials = [trial(f"fused-h{h}-c{c}", 0, error, haadf=haadf, tv=tv) for h, c, haadf, tv, error in SCATTERED]
    found = built(trials, campaign((5, 20, 50)))
    weights = weights_for(found, at(*place)).weights
    error = interpolate(found.nrmse.sel(method_name="fused"), list(place))
    assert (weights["haadf"], weights["tv"], error) == pytest.approx(EARLIER[place], rel=1e-13)


def grid(values, **coordinates):
    """Values of a variable over axes, as in an atlas."""
    return xr.DataArray(np.array(values, float), coordinates, list(coordinates))


TILTS = {"haadf_tilts": [5, 20], "chemical_tilts": [3, 9, 27]}


def test_interpolation_is_exact_for_power_laws():
    h, c = np.meshgrid(*TILTS.values(), indexing="ij")
    assert interpolate(grid(3.0 * h**0.5 * c**-1.5, **TILTS), [8, 12]) == pytest.approx(3.0 * 8**0.5 * 12**-1.5)


def test_interpolation_uses_the_two_neighbours_only():
    three_quarters_on = 3 * 3**0.75
    assert interpolate(grid([[1, 16, 1]] * 2, **TILTS), [5, three_quarters_on]) == pytest.approx(16**0.75)


def test_interpolation_clamps_at_the_edges():
    values = grid([[1, 2, 3], [4, 5, 6]], **TILTS)
    assert interpolate(values, [2, 2]) == pytest.approx(1.0)
    assert interpolate(values, [1000, 1000]) == pytest.approx(6.0)


def test_interpolation_takes_the_nearest_filled_cell_for_an_empty_one():
    # (5, 3): log(9 / 3) = 1.10 away from (5, 9), log(20 / 5) = 1.39 away from (20, 3)
    assert interpolate(grid([[np.nan, 2, 3], [4, 5, 6]], **TILTS), [5, 3]) == pytest.approx(2.0)


def test_interpolation_of_values_with_a_zero_is_linear_in_them():
    assert interpolate(grid([[0, 1, 1]] * 2, **TILTS), [5, np.sqrt(27)]) == pytest.approx(0.5)


def test_a_linear_axis_is_interpolated_linearly():
    values = grid([1.0, 16.0], background_misfit=[-0.2, 0.2])
    assert interpolate(values, [0.1]) == pytest.approx(16**0.75)
    assert interpolate(values, [0.9]) == pytest.approx(16.0)


def test_categories_are_taken_as_they_are_and_never_mixed():
    values = grid([[1, 2], [3, np.nan], [np.nan, np.nan]], unmapped=["none", "Co", "O"], haadf_tilts=[5, 2000])
    assert interpolate(values, ["none", 5]) == pytest.approx(1.0)
    assert interpolate(values, ["Co", 5]) == pytest.approx(3.0)
    assert interpolate(values, ["Co", 2000]) == pytest.approx(3.0)  # its own, however near the other's cell is
    with pytest.raises(InputError, match="element without maps is Cu; the atlas has none, Co, O"):
        interpolate(values, ["Cu", 5])


def test_weights_outside_the_map_come_from_its_edge_with_a_warning(atlas):
    found = weights_for(atlas, at(1000, 3))
    assert found.weights["haadf"] == pytest.approx(0.2)
    assert found.warning == "outside the atlas: 1000 HAADF tilts (it has 5 to 20); its edge is used"
    assert "chemical tilts" in weights_for(atlas, at(5, 2)).warning


@pytest.mark.parametrize(("snr", "warned"), [(1.6, False), (5.9, False), (1.4, True), (6.1, True), (None, False)])
def test_another_snr_warns(atlas, snr, warned):
    assert ("chemical SNR" in weights_for(atlas, at(5, 3), snr).warning) is warned


@pytest.mark.parametrize("counts", [(0, 3), (5, -1), (np.nan, 3), ("many", 3)])
def test_impossible_values_are_refused(atlas, counts):
    with pytest.raises(InputError, match=r"tilts is .*; give a number above 0"):
        weights_for(atlas, at(*counts))


def test_impossible_snr_is_refused(atlas):
    with pytest.raises(InputError, match="SNR is 0"):
        weights_for(atlas, at(5, 3), 0.0)


def test_a_missing_axis_and_a_missing_method_are_refused(atlas):
    with pytest.raises(InputError, match="the atlas has the axis 'chemical_tilts'; give a value of it"):
        weights_for(atlas, {"haadf_tilts": 5})
    with pytest.raises(InputError, match="the atlas has no 'sirt'; it has fused, poisson-tv, poisson"):
        weights_for(atlas, at(5, 3), method="sirt")


class Series:
    def __init__(self, n_tilts):
        self.scheme = range(n_tilts)


class DataSet:
    haadf, chemical = Series(12), (Series(7), Series(7))


def test_a_data_set_tells_where_it_stands(atlas):
    assert conditions_of(atlas, DataSet()) == {"haadf_tilts": 12, "chemical_tilts": 7}
    assert conditions_of(atlas, DataSet(), {"haadf_tilts": 5})["haadf_tilts"] == 5
    with pytest.raises(InputError, match="the atlas has the axis 'background_misfit', of which the data says nothing"):
        conditions_of(built([], over({"background_misfit": [0.0, 0.1]})), DataSet())


@pytest.mark.parametrize("journal", [[], [trial("fused-h5-c3", 0, None)]])
def test_an_empty_atlas_has_no_weights_but_can_be_kept(journal, tmp_path):
    empty = built(journal)
    with pytest.raises(InputError, match="no trial of its campaign succeeded"):
        weights_for(empty, at(5, 3))
    write_atlas(empty, tmp_path / "atlas.h5")
    xr.testing.assert_identical(read_atlas(tmp_path / "atlas.h5"), empty)


THREE = {"unmapped": ["none", "O"], "haadf_tilts": [5, 20], "chemical_tilts": [3, 9]}
CONFIGS = {
    "two axes": campaign(),
    "one axis": over({"chemical_dose": [10.0, 40.0]}),
    "three axes": over(THREE),
    "repeats": campaign(repeats={"noise_seed": [1, 2]}),
    "a single cell": campaign((5,), (3,)),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_round_trip(name, tmp_path):
    config = CONFIGS[name]
    rng = np.random.default_rng(0)
    written = built([trial(one.key, 0, rng.uniform(), tv=rng.uniform()) for one in config.conditions()], config)
    write_atlas(written, tmp_path / "atlas.h5")
    again = read_atlas(tmp_path / "atlas.h5")
    xr.testing.assert_identical(again, written)
    assert {name: one.dtype.kind for name, one in again.data_vars.items()} == {
        name: one.dtype.kind for name, one in written.data_vars.items()
    }
    here = {name: values[-1] for name, values in config.axes.items()}
    assert weights_for(again, here) == weights_for(written, here)


def test_the_file_is_a_labelled_data_set_to_anyone(path):
    with xr.open_dataset(path, engine="h5netcdf") as found:
        assert found.nrmse.dims == ("method_name", "haadf_tilts", "chemical_tilts")
        assert found.sizes == {"method_name": 3, "haadf_tilts": 2, "chemical_tilts": 3, "element": 2, "modality": 3}
        assert found.nrmse.sel(method_name="fused", haadf_tilts=20, chemical_tilts=9).item() == pytest.approx(1 / 29)
        assert found.chemical_tilts.attrs == {"long_name": "chemical tilts", "units": "tilts"}
        assert found.tv.attrs == {"long_name": "tv of the best trial", "units": "1"}
        assert found.nrmse_by_element.sel(element="Au", method_name="fused").notnull().sum() == 5
        assert found.at_cap.dtype == bool
        assert {name: found.attrs[name] for name in PROVENANCE} == PROVENANCE
        assert (found.attrs["format"], found.attrs["format_version"]) == ("fusedtomo atlas", 2)


def test_the_file_has_dimension_scales_for_those_without_xarray(path):
    with h5py.File(path) as file:
        assert [len(dim) for dim in file["nrmse"].dims] == [1, 1, 1]
        assert file["nrmse"].dims[1][0][()].tolist() == [5, 20]
        assert file["haadf_tilts"].attrs["units"] == "tilts"


@pytest.mark.parametrize("limit", [0, 100, 3000])
def test_a_full_disk_keeps_the_old_atlas_and_the_process(path, limit):
    before = path.read_bytes()
    with pytest.raises(NoRoom, match=r"File too large.*make room"), file_size_limit(limit):
        write_atlas(built(filled()), path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["atlas.h5"]


def test_a_failed_write_harms_no_file(atlas, path):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_atlas(atlas.assign_attrs(broken=object()), path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["atlas.h5"]


def test_replacing_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "a.png") as temporary:
        assert temporary.suffix == ".png"
        assert temporary.parent == tmp_path
        temporary.write_text("new")
    assert (tmp_path / "a.png").read_text() == "new"


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.h5: cannot be read .*give the path of the atlas"):
        read_atlas(tmp_path / "nowhere.h5")


@pytest.mark.parametrize("kept", [0, 300, 3000, -100])
def test_torn_file(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    told = "not a whole fusedtomo atlas: .*; write it again" if kept else "cannot be read as HDF5; give the atlas"
    with pytest.raises(InputError, match=rf"atlas\.h5: {told}"):
        read_atlas(path)


def test_file_of_another_kind(tmp_path):
    with h5py.File(tmp_path / "volume.h5", "w") as file:
        file["data"] = [1, 2]
    with pytest.raises(InputError, match=r"volume\.h5: not a fusedtomo atlas \(no attribute format = "):
        read_atlas(tmp_path / "volume.h5")


def test_atlas_of_an_earlier_version(tmp_path):
    """The layout of commit bde12ed."""
    with h5py.File(tmp_path / "atlas.h5", "w") as file:
        file.attrs.update({"campaign": "tiny", "format": "fusedtomo atlas", "format_version": 1})
        for name, values in {"haadf_tilts": [5, 20], "chemical_tilts": [3, 9], "elements": ["Co"]}.items():
            file[f"axes/{name}"] = values
        for name in ("map/nrmse", "map/failed", "counts/trials", "atlas/haadf", "atlas/chemical", "atlas/tv"):
            file[name] = np.ones((2, 2))
        file.create_group("snr")
    said = r"atlas\.h5: of format version 1, this code reads 2; write it again: `fusedtomo report RUN`, with its run f"
    with pytest.raises(InputError, match=said):
        read_atlas(tmp_path / "atlas.h5")


DAMAGES = {
    "'nrmse' is missing": lambda one: one.drop_vars("nrmse"),
    "'tv' is missing": lambda one: one.drop_vars("tv"),
    "'snr' is missing": lambda one: one.drop_vars("snr"),
    "'nrmse' holds no numbers": lambda one: one.assign(nrmse=one.nrmse.astype(str)),
    "'tv' holds no numbers": lambda one: one.assign(tv=one.tv.isel(method_name=0, drop=True)),
    "'tv' has other dimensions": lambda one: one.assign(tv=one.tv.isel(haadf_tilts=0, drop=True)),
    r"haadf_tilts = \[20, 5\]: values must rise": lambda one: one.isel(haadf_tilts=[1, 0]),
    r"haadf_tilts = \[5, 5\]: values must rise": lambda one: one.isel(haadf_tilts=[0, 0]),
    "haadf_tilts = nan": lambda one: one.assign_coords(haadf_tilts=[5, np.nan]),
    "the values of 'haadf_tilts' are missing": lambda one: one.drop_vars("haadf_tilts"),
    "there is no axis 'days'": lambda one: one.rename(haadf_tilts="days"),
    "the values of 'method_name' are missing": lambda one: one.drop_vars("method_name"),
    "'tv' has values from -": lambda one: one.assign(tv=-one.tv),
    "'haadf' has values from .* to inf": lambda one: one.assign(haadf=one.haadf.where(one.error.isnull(), np.inf)),
    "'tv' is 0 in some cells alone": lambda one: one.assign(tv=one.tv.where(one.tv < one.tv.max(), 0.0)),
    "'tv' lacks a value in a cell that has an error": lambda one: one.assign(tv=one.tv * np.nan),
    "'tv' has the value .* less than or equal to": lambda one: one.assign(tv=1e12 * one.tv),
    "'tv_low' has values from -": lambda one: one.assign(tv_low=-one.tv_low),
    "'haadf_high' has values from .* to inf": lambda one: one.assign(haadf_high=one.haadf_high * np.inf),
    "'tv' is not from 'tv_low' to 'tv_high'": lambda one: one.assign(tv_low=one.tv_high * 2, tv_high=one.tv_high * 3),
    "'haadf' is not from 'haadf_low' to": lambda one: one.assign(haadf_high=one.haadf_high * np.nan),
    "'haadf_low' has other dimensions": lambda one: one.assign(haadf_low=one.haadf_low.isel(haadf_tilts=0, drop=True)),
    "'nrmse' has values from -": lambda one: one.assign(nrmse=-one.nrmse),
    "'snr' has values from -": lambda one: one.assign(snr=-one.snr),
    "'rmse' has values from .* to inf": lambda one: one.assign(rmse=one.rmse.fillna(np.inf)),
    "'trials' has values from -": lambda one: one.assign(trials=-one.trials),
    "more trials failed than there were": lambda one: one.assign(failed=one.trials + 1),
    r"method_name = \['fused', 'fused', 'poisson'\]: names, each once": lambda one: one.assign_coords(
        method_name=["fused", "fused", "poisson"]
    ),
    r"modality = \['HAADF', 'Co', 'Co'\]: names, each once": lambda one: one.assign_coords(
        modality=["HAADF", "Co", "Co"]
    ),
}


@pytest.mark.parametrize("said", DAMAGES)
def test_a_damaged_file_is_refused(atlas, tmp_path, said):
    DAMAGES[said](atlas).to_netcdf(tmp_path / "atlas.h5", engine="h5netcdf")  # past the checks
    with pytest.raises(InputError, match=rf"atlas\.h5: .*{said}.*write it again"):
        read_atlas(tmp_path / "atlas.h5")


@pytest.mark.parametrize("attribute", ["_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned"])
@pytest.mark.parametrize("name", ["tv", "tv_low", "haadf_tilts", "nrmse", "trials"])
def test_an_attribute_by_which_numbers_would_be_others_is_refused(path, name, attribute):
    with h5py.File(path, "a") as file:
        file[name].attrs[attribute] = file[name].dtype.type(5)
    with pytest.raises(InputError, match=rf"atlas\.h5: .*'{name}' has the attribute '{attribute}'.*write it again"):
        read_atlas(path)


@pytest.mark.parametrize("name", ["format", "format_version"])
@pytest.mark.parametrize("value", [3, "x", [1, 2], np.array([b"a", b"b"]), h5py.Empty("f")], ids=repr)
def test_an_odd_attribute_is_one_message(path, name, value):
    with h5py.File(path, "a") as file:
        file.attrs[name] = value
    with pytest.raises(InputError, match=r"atlas\.h5: (not a fusedtomo atlas|of format version)"):
        read_atlas(path)


def test_numbers_are_kept_with_checksums(path):
    with h5py.File(path) as file:
        numbers = [file[name] for name in file if file[name].ndim and file[name].dtype.kind in "fi" and file[name].size]
        written = [one for one in numbers if one.id.get_storage_size()]
        assert len(written) > 10
        assert all(one.fletcher32 and one.compression == "gzip" for one in written)


@pytest.mark.parametrize("damage", ["nrmse", "haadf_tilts", "method_name"])
def test_a_file_that_hdf5_lost_a_part_of_is_refused(path, damage):
    with h5py.File(path, "a") as file:
        del file[damage]
    with pytest.raises(InputError, match=r"atlas\.h5: .*write it again"):
        read_atlas(path)


def test_an_atlas_without_a_number_gives_no_weights(atlas, tmp_path):
    empty = atlas.drop_vars(["tv_low", "tv_high"]).assign(tv=atlas.tv * np.nan, error=atlas.error * np.nan)
    write_atlas(empty, tmp_path / "atlas.h5")
    with pytest.raises(InputError, match="no value of 'tv' in any cell"):
        weights_for(read_atlas(tmp_path / "atlas.h5"), at(5, 3))


def test_an_answer_has_the_range_of_each_searched_weight_and_the_nrmse_to_expect():
    trials = [
        trial("fused-h5-c3", 0, 0.40, haadf=0.1, tv=1.0),
        trial("fused-h5-c3", 1, 0.41, haadf=0.4, tv=2.0),
        trial("fused-h20-c3", 0, 0.20, haadf=0.4, tv=1.0),
    ]
    answer = weights_for(built(trials), at(10, 3))
    assert answer.ranges["haadf"] == pytest.approx((0.2, 0.4))  # half-way on the axis' scale, the logarithm
    assert answer.ranges["tv"] == pytest.approx((1.0, 2**0.5))
    assert set(answer.ranges) == {"haadf", "tv"}
    assert answer.nrmse == pytest.approx((0.4 * 0.2) ** 0.5)


def test_an_atlas_without_ranges_is_answered_from_all_the_same(atlas):
    earlier = atlas.drop_vars([name for name in atlas if str(name).endswith(("_low", "_high"))])
    answer = weights_for(earlier, at(5, 9))
    assert (answer.ranges, answer.weights) == ({}, weights_for(atlas, at(5, 9)).weights)


def test_filled_cells_are_those_with_a_result(atlas):
    assert filled_cells(atlas) == [at(h, c) for h in (5, 20) for c in (3, 9, 27) if (h, c) != (20, 27)]
    with pytest.raises(InputError, match="no trial of 'poisson-tv' succeeded"):
        filled_cells(atlas, "poisson-tv")
    with pytest.raises(InputError, match="has no 'sirt'"):
        filled_cells(atlas, "sirt")
