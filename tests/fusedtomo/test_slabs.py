"""A volume cut into slabs along x: every operator, simulation, method and score has the bits of the whole."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from fusedtomo.operators.projector import Projector
from fusedtomo.operators.zcontrast import ZContrast
from fusedtomo.volume import ChemicalVolume
from tests.mpi import needs_mpi, run_ranks

EVERY_METHOD = str(Path(__file__).with_name("every_method.py"))


def _wide(rng, shape):
    """Numbers over 18 decades, so that no difference in rounding hides behind larger summands."""
    return (10.0 ** rng.uniform(-9, 9, shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("size", "nx", "cut", "angle"),
    [
        (5, 20, slice(4, 5), 30.0),
        (20, 70, slice(0, 64), -70.0),
        (9, 130, slice(60, 125), -51.2),
    ],
)
def test_projections_of_a_slab_are_those_of_the_whole(size, nx, cut, angle, rng):
    angles = (angle, 45.0, 0.0)
    projector, volume = Projector(angles, size, size), _wide(rng, (size, size, nx))
    stack = _wide(rng, (len(angles), size, nx))
    for operator, whole in ((projector.forward, volume), (projector.adjoint, stack)):
        np.testing.assert_array_equal(operator(np.ascontiguousarray(whole[..., cut])), operator(whole)[..., cut])


def test_a_ray_meets_a_plane_at_the_same_place_in_slabs_of_any_thickness():
    """Rays through voxel centres, where a last bit decides which neighbour has the rest of 1e-14 of the weight."""
    size, angles = 128, np.degrees(np.arctan2([3, -5, 8, 7], [4, 12, 15, 24]))
    projector, volume = Projector(angles, size, size), np.zeros((size, size, 66), np.float32)
    for x in range(33):  # so far apart that a ray meets one of them at most
        volume[3 * x, ::4, x] = 1
    np.testing.assert_array_equal(projector.forward(volume[..., :33].copy()), projector.forward(volume)[..., :33])


def test_contrast_of_a_slab_is_that_of_the_whole(rng):
    contrast, volume = ZContrast((27, 8), 1.7), rng.random((2, 3, 4, 37), dtype=np.float32)
    for cut in (slice(0, 5), slice(5, 37), slice(7, 8)):
        np.testing.assert_array_equal(contrast.density(volume[..., cut].copy()), contrast.density(volume)[..., cut])


@pytest.mark.parametrize("cut", [slice(0, 1), slice(3, 9), slice(9, 10)])
def test_binning_a_slab_gives_the_columns_of_the_whole(cut, rng):
    volume = ChemicalVolume(_wide(rng, (2, 6, 8, 20)), ("Co", "O"), 1.0)
    part = ChemicalVolume(volume.data[..., 2 * cut.start : 2 * cut.stop], ("Co", "O"), 1.0)
    np.testing.assert_array_equal(part.binned(2).data, volume.binned(2).data[..., cut])


@cache
def _digests(*widths: int) -> dict[str, str]:
    """What every_method.py prints on as many ranks as there are widths."""
    ended = run_ranks(max(len(widths), 1), EVERY_METHOD, *map(str, widths))
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@needs_mpi
@pytest.mark.parametrize(
    "widths",
    [
        (1, 30, 6),
        pytest.param((19, 18), marks=pytest.mark.nightly),
        pytest.param((10, 9, 9, 9), marks=pytest.mark.nightly),
    ],
    ids=str,
)
def test_simulations_and_every_method_have_the_bits_of_one_rank(widths):
    expected, found = _digests(), _digests(*widths)
    assert len(set(expected.values())) > 15  # digests do tell volumes apart
    assert [name for name in expected if found[name] != expected[name]] == []
