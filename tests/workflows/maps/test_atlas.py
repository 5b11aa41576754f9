"""The atlas: what it holds, what weights it gives, and the layout of atlas.h5."""

import os

import h5py
import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.files import replacing
from tests.workflows.values import SPACE, campaign, trial
from workflows.maps.atlas import build_atlas, read_atlas, write_atlas

PROVENANCE = {"campaign": "tiny", "seconds": 36.5, "seed": 3}


def filled(haadf=(5, 20), chemical=(3, 9, 27), skip=()):
    """One winning and one losing trial a cell; weights are power laws of the tilts."""
    for h in haadf:
        for c in chemical:
            if (h, c) not in skip:
                yield trial(f"fused-h{h}-c{c}", 0, 0.9, haadf=5.0, tv=5.0)
                yield trial(f"fused-h{h}-c{c}", 1, 1 / (h + c), haadf=0.01 * h, tv=30.0 / c)
    yield trial("poisson-c3", 0, 1.5)


@pytest.fixture
def atlas():
    return build_atlas(campaign(), list(filled(skip=[(20, 27)])), PROVENANCE)


def same(a, b):
    np.testing.assert_equal(vars(a.map), vars(b.map))
    np.testing.assert_equal(a.parameters, b.parameters)
    np.testing.assert_equal(a.snr, b.snr)
    assert a.provenance == b.provenance


def test_parameters_are_those_of_the_best_trial(atlas):
    assert list(atlas.parameters) == ["haadf", "chemical", "tv"]
    np.testing.assert_allclose(atlas.parameters["haadf"], [[0.05] * 3, [0.2, 0.2, np.nan]])
    np.testing.assert_allclose(atlas.parameters["tv"], [[10, 10 / 3, 10 / 9], [10, 10 / 3, np.nan]])
    np.testing.assert_allclose(atlas.parameters["chemical"], [[1, 1, 1], [1, 1, np.nan]])


def test_searched_solver_settings_are_parameters_too():
    config = campaign(space={**SPACE, "gamma": {"low": 1.0, "high": 2.0, "scale": "linear"}})
    atlas = build_atlas(config, [trial("fused-h5-c3", 0, 0.5, gamma=1.7, tv=2.0)], {})
    assert atlas.parameters["gamma"][0, 0] == 1.7
    assert "gamma" in atlas.weights_for(5, 3).weights


def test_snr_by_modality_and_its_chemical_mean(atlas):
    assert list(atlas.snr) == ["HAADF", "Co", "Au"]
    assert np.nanmean(atlas.snr["HAADF"]) == 2000.0
    assert atlas.chemical_snr == pytest.approx(3.0)


def test_weights_of_a_cell_and_between_cells():
    atlas = build_atlas(campaign(), list(filled()), {})
    assert atlas.weights_for(20, 9).weights == pytest.approx({"haadf": 0.2, "chemical": 1.0, "tv": 30 / 9})
    between = atlas.weights_for(10, 5, chemical_snr=3.0)
    assert between.weights == pytest.approx({"haadf": 0.1, "chemical": 1.0, "tv": 6.0})
    assert between.warning == ""


def test_weights_outside_the_map_come_from_its_edge_with_a_warning(atlas):
    found = atlas.weights_for(1000, 3)
    assert found.weights["haadf"] == pytest.approx(0.2)
    assert "1000 HAADF tilts" in found.warning
    assert "5 to 20" in found.warning
    assert "chemical tilts" in atlas.weights_for(5, 2).warning


@pytest.mark.parametrize(("snr", "warned"), [(1.6, False), (5.9, False), (1.4, True), (6.1, True), (None, False)])
def test_another_snr_warns(atlas, snr, warned):
    assert ("SNR" in atlas.weights_for(5, 3, snr).warning) is warned


@pytest.mark.parametrize("counts", [(0, 3), (5, -1), (np.nan, 3)])
def test_impossible_tilts_are_refused(atlas, counts):
    with pytest.raises(InputError, match="number of tilts"):
        atlas.weights_for(*counts)


def test_impossible_snr_is_refused(atlas):
    with pytest.raises(InputError, match="SNR is 0"):
        atlas.weights_for(5, 3, 0.0)


@pytest.mark.parametrize("journal", [[], [trial("fused-h5-c3", 0, None)]])
def test_an_empty_atlas_has_no_weights_but_can_be_kept(journal, tmp_path):
    empty = build_atlas(campaign(), journal, {})
    with pytest.raises(InputError, match="no trial of its campaign succeeded"):
        empty.weights_for(5, 3)
    write_atlas(empty, tmp_path / "atlas.h5")
    same(read_atlas(tmp_path / "atlas.h5"), empty)


def test_round_trip(atlas, tmp_path):
    write_atlas(atlas, tmp_path / "atlas.h5")
    again = read_atlas(tmp_path / "atlas.h5")
    same(again, atlas)
    assert list(again.map.baselines) == ["poisson-tv", "poisson"]
    assert again.weights_for(7, 7) == atlas.weights_for(7, 7)


def test_layout_of_the_file(atlas, tmp_path):
    write_atlas(atlas, tmp_path / "atlas.h5")
    shapes = {}
    with h5py.File(tmp_path / "atlas.h5") as file:
        file.visititems(lambda name, item: shapes.update({name: item.shape}) if hasattr(item, "shape") else None)
        assert file.attrs["campaign"] == "tiny"
        assert file["axes/haadf_tilts"][()].tolist() == [5, 20]
        assert file["axes/chemical_tilts"].attrs["units"] == "tilts"
        assert file["axes/elements"].asstr()[()].tolist() == ["Co", "Au"]
        assert file["map/nrmse"].dims[0][0] == file["axes/haadf_tilts"]
        assert file["atlas/tv"].dims[1]["chemical_tilts"] == file["axes/chemical_tilts"]
        assert file["map/nrmse_by_element"].dims[0].label == "elements"
        assert file["counts/trials"][()].tolist() == [[2, 2, 2], [2, 2, 0]]
    cells = ["map/nrmse", "map/failed", "counts/trials", "atlas/haadf", "atlas/chemical", "atlas/tv"]
    assert shapes == {
        "axes/haadf_tilts": (2,),
        "axes/chemical_tilts": (3,),
        "axes/elements": (2,),
        "map/nrmse_by_element": (2, 2, 3),
        "baselines/poisson/nrmse": (3,),
        "baselines/poisson-tv/nrmse": (3,),
        **dict.fromkeys((*cells, "snr/HAADF", "snr/Co", "snr/Au"), (2, 3)),
    }


def test_a_failed_write_harms_no_file(atlas, tmp_path, monkeypatch):
    path = tmp_path / "atlas.h5"
    write_atlas(atlas, path)
    before = path.read_bytes()
    atlas.provenance["broken"] = object()
    with pytest.raises(TypeError):
        write_atlas(atlas, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["atlas.h5"]


def test_replacing_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "a.png") as temporary:
        assert temporary.suffix == ".png"
        assert temporary.parent == tmp_path
        temporary.write_text("new")
    assert (tmp_path / "a.png").read_text() == "new"


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.h5: no such file; give the atlas"):
        read_atlas(tmp_path / "nowhere.h5")


def test_truncated_file(atlas, tmp_path):
    path = tmp_path / "atlas.h5"
    write_atlas(atlas, path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"atlas\.h5: cannot be read as HDF5"):
        read_atlas(path)


def test_file_of_another_kind(tmp_path):
    with h5py.File(tmp_path / "volume.h5", "w") as file:
        file["data"] = [1, 2]
    with pytest.raises(InputError, match=r"volume\.h5: not a whole fusedtomo atlas, the attribute format"):
        read_atlas(tmp_path / "volume.h5")


@pytest.mark.parametrize("name", ["map/nrmse", "axes/elements", "counts/trials", "atlas", "atlas/tv", "snr"])
def test_file_that_lacks_a_data_set(atlas, tmp_path, name):
    write_atlas(atlas, tmp_path / "atlas.h5")
    with h5py.File(tmp_path / "atlas.h5", "a") as file:
        del file[name]
    with pytest.raises(InputError, match=f"/{name} is missing; write it again"):
        read_atlas(tmp_path / "atlas.h5")


def test_file_with_a_data_set_of_another_shape(atlas, tmp_path):
    write_atlas(atlas, tmp_path / "atlas.h5")
    with h5py.File(tmp_path / "atlas.h5", "a") as file:
        del file["map/failed"]
        file["map/failed"] = np.zeros((3, 2))
    with pytest.raises(InputError, match=r"/map/failed of shape \(2, 3\)"):
        read_atlas(tmp_path / "atlas.h5")


def test_file_with_text_in_place_of_numbers(atlas, tmp_path):
    write_atlas(atlas, tmp_path / "atlas.h5")
    with h5py.File(tmp_path / "atlas.h5", "a") as file:
        shape = file["map/nrmse"].shape
        del file["map/nrmse"]
        file["map/nrmse"] = np.full(shape, b"text")
    with pytest.raises(InputError, match=r"atlas\.h5: /map/nrmse holds no numbers"):
        read_atlas(tmp_path / "atlas.h5")
