"""The volume of a file as the truth of a campaign: found, binned, told apart by its content, refused where it must."""

import os

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.io import write_volume
from fusedtomo.volume import ChemicalVolume
from phantoms.spec import PhantomSpec
from tests.workflows.tiny import config, write_toml
from workflows.campaign import load_campaign
from workflows.campaign.config import sizes_of
from workflows.campaign.specimen import elements_of, made
from workflows.trial.bench import truth_of

SPACE = {"haadf": {"low": 1e-3, "high": 1.0}, "tv": {"low": 0.1, "high": 5.0}}


def volume(shape=(32, 32, 32), seed=0):
    """A ball of random concentrations of two elements."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    data = np.random.default_rng(seed).random((2, *shape), np.float32) * (z**2 + y**2 + x**2 < 0.6)
    return ChemicalVolume(data.astype(np.float32), ("Fe", "Pt"), 0.5)


@pytest.fixture
def folder(tmp_path):
    write_volume(volume(), tmp_path / "mine.h5")
    return tmp_path


def load(folder, size=None, **changes):
    changes = {"phantom": {"volume": "mine.h5"}, **changes}
    return load_campaign(write_toml(folder / "own.toml", **changes), size)


def test_size_elements_and_voxels_are_those_of_the_file(folder):
    own = load(folder)
    (condition, *_) = own.conditions()
    assert sizes_of(own) == (32,)
    truth = truth_of(own, condition)
    np.testing.assert_array_equal(truth.data, volume().data)
    assert (truth.elements, truth.voxel_nm) == (("Fe", "Pt"), 0.5)
    assert own.phantom.name == "mine.h5"


def test_a_size_is_reached_by_binning(folder):
    for own in (load(folder, phantom={"volume": "mine.h5", "size": 16}), load(folder, size=16)):
        np.testing.assert_array_equal(made(own.phantom).data, volume().binned(2).data)
        assert made(own.phantom).voxel_nm == 1.0
    with pytest.raises(InputError, match=r"own.toml: 'phantom.size' = 20: mine.h5 has 32 voxels .*sizes fit: 16, 32"):
        load(folder, size=20)


def test_a_fine_grid_simulates_from_the_file_and_reconstructs_half_of_it(folder):
    own = load(folder, acquisition__grid="fine")
    (condition, *_) = own.conditions()
    assert sizes_of(own) == (16,)
    np.testing.assert_array_equal(truth_of(own, condition).data, volume().binned(2).data)
    np.testing.assert_array_equal(made(own.phantom, own.bins).data, volume().data)
    with pytest.raises(InputError, match=r"= 32: .*for the fine grid, .* sizes fit: 16"):
        load(folder, acquisition__grid="fine", phantom={"volume": "mine.h5", "size": 32})


def test_an_axis_of_grids_keeps_one_size_and_one_of_sizes_must_fit(folder):
    assert sizes_of(load(folder, axes={"grid": ["same", "fine"], "chemical_tilts": [2]}, **TILTS)) == (16,)
    sizes = {"axes": {"size": [16, 32]}, **BOTH_TILTS}
    assert sizes_of(load(folder, **sizes)) == (16, 32)
    with pytest.raises(InputError, match=r"'phantom.size' = 24"):
        load(folder, **{**sizes, "axes": {"size": [16, 24]}})


TILTS = {"acquisition__haadf": {"tilts": 3, "snr": 100.0}}
BOTH_TILTS = {**TILTS, "acquisition__chemical": {"tilts": 3, "snr": 3.0}}


def test_what_is_no_cube_gets_vacuum_around_it(tmp_path):
    write_volume(volume((12, 31, 32)), tmp_path / "mine.h5")
    own = load(tmp_path)
    data = made(own.phantom).data
    assert data.shape == (2, 32, 32, 32)
    np.testing.assert_array_equal(data[:, 10:22, :31], volume((12, 31, 32)).data)
    assert data.sum(dtype=np.float64) == pytest.approx(volume((12, 31, 32)).data.sum(dtype=np.float64))


def test_the_path_is_relative_to_the_campaign_and_no_part_of_the_fingerprint(folder, tmp_path_factory, monkeypatch):
    first = load(folder)
    assert first.phantom.volume == str(folder / "mine.h5")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load_campaign(os.path.relpath(folder / "own.toml")) == first
    (folder / "moved").mkdir()
    (folder / "mine.h5").rename(folder / "moved" / "another-name.h5")
    moved = load(folder, phantom={"volume": "moved/another-name.h5"})
    assert moved.fingerprint() == first.fingerprint()


def test_the_fingerprint_is_of_the_content(folder):
    first = load(folder)
    write_volume(volume(), folder / "mine.h5", {"note": "the same, written again"}, overwrite=True)
    assert load(folder).fingerprint() == first.fingerprint()
    write_volume(volume(seed=1), folder / "mine.h5", overwrite=True)
    assert load(folder).fingerprint() != first.fingerprint()


def test_a_kept_campaign_refuses_another_volume(folder):
    (folder / "campaign.json").write_text(load(folder).model_dump_json())
    assert load_campaign(folder / "campaign.json") == load(folder)
    write_volume(volume(seed=1), folder / "mine.h5", overwrite=True)
    with pytest.raises(InputError, match=r"campaign.json: 'phantom.volume': .*mine.h5: holds another volume"):
        load_campaign(folder / "campaign.json")


def test_a_worker_reads_the_file_once(folder, monkeypatch):
    reads = []
    monkeypatch.setattr("fusedtomo.io.read_volume", lambda path: reads.append(path) or volume())
    own = load(folder, axes={"size": [16, 32]}, **BOTH_TILTS)
    for condition in own.conditions():
        truth_of(own, condition)
    assert len(reads) == 1


def test_elements_of_no_phantom_are_refused():
    with pytest.raises(InputError, match="there is no phantom 'nanocubes'"):
        elements_of(PhantomSpec(name="nanocubes", size=16, seed=0))
    assert elements_of(PhantomSpec(name="conio_nanotube", size=16, seed=0)) == ("Co", "Ni", "O")


def test_the_fingerprints_of_drawn_phantoms_stay():
    assert config().fingerprint() == "9c3b45c1cff5fd93"  # of the version before volumes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"phantom": {"volume": "none.h5"}}, r"own.toml: 'phantom.volume': .*none.h5: cannot be read \(No such file"),
        ({"phantom": {"volume": "mine.h5", "seed": 3}}, "'phantom': 'seed' is of phantoms that are drawn; .*leave it"),
        ({"phantom": {"volume": "mine.h5", "sise": 32}}, "unknown key 'phantom.sise' = 32; did you mean 'size'"),
        ({"repeats": {"specimen_seed": [1, 2]}}, "volume of a file, which has no seed; leave its axis out"),
        ({"acquisition__unmapped": ["Au"]}, "'acquisition.unmapped' names 'Au'"),
        ({"acquisition__chemical": {"snr": {"Fe": 2.0}}}, "needs it for Fe, Pt"),
    ],
)
def test_what_a_volume_cannot_have_is_refused(folder, changes, said):
    with pytest.raises(InputError, match=said):
        load(folder, **changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data - 1, "down to -1 are no truth"),
        (lambda data: 0 * data, "the volume is empty"),
        (lambda data: data[:, 12:21, 12:21, 12:21], "9 voxels .*sizes fit: none from 16 to 1024"),
    ],
)
def test_a_volume_that_is_no_truth_is_refused(folder, change, said):
    write_volume(ChemicalVolume(change(volume().data), ("Fe", "Pt"), 0.5), folder / "mine.h5", overwrite=True)
    with pytest.raises(InputError, match=said):
        load(folder)
