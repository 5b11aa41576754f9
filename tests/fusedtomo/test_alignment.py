"""Alignment: are known moves found again, is nothing else moved, and are no counts mixed?"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from typer.testing import CliRunner

from benchmarks.alignment import spoilt
from fusedtomo.alignment import Moves, align, aligned, neighbour_correlation, reprojection_error
from fusedtomo.errors import InputError
from fusedtomo.io import read_dataset, write_dataset
from fusedtomo.settings import Acquisition
from fusedtomo.simulate import simulate
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng
from workflows.command.cli import app

pytest.importorskip("skimage")
AXIS_DEG, SD_PX = 2.0, 2.0


@pytest.fixture(scope="module")
def straight():
    """A specimen that stands free, at the paper's HAADF SNR."""
    spec = PhantomSpec(name="cuo_coo_nanocubes", size=48, seed=1)
    acquisition = {"haadf": {"tilts": {"count": 21}, "snr": 2208.67}, "chemical": {"tilts": {"count": 5}, "snr": 3.0}}
    return simulate(make_phantom(spec, phantom_rng(spec)), Acquisition.model_validate(acquisition))


@pytest.fixture(scope="module")
def moves(straight):
    """Random shifts, and a tilt axis that is not quite x."""
    angles = straight.haadf.scheme.angles_deg
    return Moves(np.random.default_rng(0).normal(0, SD_PX, (len(angles), 2)), AXIS_DEG, angles)


@pytest.fixture(scope="module")
def recorded(straight, moves):
    """The data set as it would be recorded: HAADF images moved, so that `moves` aligns them."""
    return spoilt(straight, moves)


def test_known_moves_align_what_was_moved_by_them(straight, recorded, moves):
    found = moves.moved(recorded.haadf.counts)
    assert neighbour_correlation(recorded.haadf.counts) < 0.6
    assert neighbour_correlation(found) > neighbour_correlation(straight.haadf.counts) - 0.02


@pytest.mark.slow
def test_shifts_and_axis_are_found_again(straight, recorded, moves):
    level, angles, said = recorded.haadf.background, moves.angles_deg, []
    found = align(recorded.haadf.counts, angles, level, said.append)
    assert found.coarse == "centres of mass"
    assert found.settled
    assert found.moves.axis_deg == pytest.approx(AXIS_DEG, abs=0.5)  # 48 pixels are few for an angle
    off = replace(moves, shifts_px=found.moves.shifts_px - moves.shifts_px).observable().shifts_px
    assert np.median(np.abs(off), axis=0).max() < 0.2
    errors = [
        reprojection_error(images - level, angles)
        for images in (found.moves.moved(recorded.haadf.counts), straight.haadf.counts, recorded.haadf.counts)
    ]
    assert errors[0] < 1.05 * errors[1]
    assert errors[1] < 0.7 * errors[2]
    assert said[0] == "shifts across the axis by centres of mass"


def test_what_only_moves_the_specimen_is_left_out(moves):
    angles = np.deg2rad(moves.angles_deg)
    whole = np.stack([3 * np.cos(angles) - 2 * np.sin(angles), np.full(len(angles), 1.5)], axis=1)
    further = replace(moves, shifts_px=moves.shifts_px + whole @ moves.rotation.T)
    np.testing.assert_allclose(further.observable().shifts_px, moves.observable().shifts_px, atol=1e-12)


def test_moves_follow_each_other(moves, rng):
    images = ndimage.gaussian_filter(rng.random((len(moves.angles_deg), 40, 40)), (0, 3, 3))
    further = rng.normal(0, 1, moves.shifts_px.shape)
    at_once = moves.onwards(further).moved(images)
    once = moves.moved(images)
    then = np.stack([ndimage.shift(image, shift, order=1) for image, shift in zip(once, further, strict=True)])
    inner = (slice(None), slice(10, 30), slice(10, 30))
    np.testing.assert_allclose(at_once[inner], then[inner], atol=0.02 * np.ptp(images))


def test_counts_of_maps_are_taken_whole_from_the_tilt_next_to_them(recorded, moves):
    found = aligned(recorded, moves)
    for before, after in zip(recorded.chemical, found.chemical, strict=True):
        assert set(np.unique(after.counts)) <= set(np.unique(before.counts))
        assert (after.counts != before.counts).any()
    at = moves.at(recorded.chemical_scheme.angles_deg)
    assert [moves.angles_deg.index(angle) for angle in at.angles_deg] == [0, 5, 10, 15, 20]
    np.testing.assert_array_equal(at.shifts_px, moves.shifts_px[[0, 5, 10, 15, 20]])


def test_too_little_to_align_is_told():
    with pytest.raises(InputError, match="4 images are too few to align"):
        align(np.ones((4, 8, 8)), (-30.0, 0.0, 20.0, 40.0))
    images = np.ones((5, 8, 8))
    images[3] = 0
    with pytest.raises(InputError, match="the image at 20 degrees is dark; leave that tilt out"):
        align(images, (-30.0, -10.0, 0.0, 20.0, 40.0), 0.0)


def test_the_command_writes_data_moves_and_a_figure(recorded, moves, tmp_path, monkeypatch):
    from fusedtomo.alignment import Aligned

    monkeypatch.setattr("fusedtomo.alignment.align", lambda *_: Aligned(moves, "centres of mass", 3, True))
    write_dataset(recorded, tmp_path / "data.h5")
    ended = CliRunner().invoke(app, ["align", str(tmp_path / "data.h5"), "--out", str(tmp_path / "out.h5")])
    assert ended.exit_code == 0, ended.output
    assert "tilt axis +2.00 degrees from x" in " ".join(ended.output.split())
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["data.h5", "out.alignment.png", "out.alignment.svg", "out.h5", "out.moves.json"]
    np.testing.assert_array_equal(read_dataset(tmp_path / "out.h5").haadf.counts, aligned(recorded, moves).haadf.counts)
