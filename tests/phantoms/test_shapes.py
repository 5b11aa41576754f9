"""Do painted shapes have the volume, edge and place that their nanometres say?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phantoms.packing import random_rotation
from phantoms.shapes import Box, Sphere, Tube, occupancy

VOXEL_NM = 1.5
CENTRES = ((np.arange(64) - 31.5) * VOXEL_NM).astype(np.float32)
GRID = (CENTRES, CENTRES, CENTRES)
OFF_GRID = np.array([3.3, -5.1, 2.2])


def _painted(shape):
    """Occupancy on the whole grid."""
    full = np.zeros((64, 64, 64), np.float32)
    window, part = occupancy(shape, GRID, VOXEL_NM)
    full[window] = part
    return full


def _volume_nm3(shape):
    return _painted(shape).sum(dtype=float) * VOXEL_NM**3


def _rotation(seed):
    return random_rotation(np.random.default_rng(seed))


def _tube(seed=0):
    return Tube(OFF_GRID, _rotation(seed)[0], 40.0, 12.0, 22.0)


def test_sphere_has_its_volume():
    assert _volume_nm3(Sphere(OFF_GRID, 20.0)) == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_rotated_box_has_its_volume(seed):
    box = Box(OFF_GRID, _rotation(seed), np.array([40.0, 30.0, 24.0]))
    assert _volume_nm3(box) == pytest.approx(40 * 30 * 24, rel=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_tube_has_its_volume(seed):
    assert _volume_nm3(_tube(seed)) == pytest.approx(np.pi * (22**2 - 12**2) * 40, rel=0.01)


def test_cut_takes_its_part_away():
    rotation = _rotation(1)
    diagonal = (rotation[0] + rotation[1]) / np.sqrt(2)
    middle = ((diagonal, diagonal @ OFF_GRID),)
    assert _volume_nm3(Box(OFF_GRID, rotation, np.full(3, 30.0), middle)) == pytest.approx(30**3 / 2, rel=0.01)
    assert _volume_nm3(Sphere(OFF_GRID, 20.0, middle)) == pytest.approx(2 / 3 * np.pi * 20**3, rel=0.01)


def test_sphere_sits_at_its_centre():
    filled = _painted(Sphere(OFF_GRID, 12.0)).astype(float)
    along_z, along_y, along_x = (filled.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1)))
    centre = [(weights @ CENTRES) / filled.sum() for weights in (along_z, along_y, along_x)]
    np.testing.assert_allclose(centre, OFF_GRID, atol=0.02)


def test_edge_is_anti_aliased_by_position():
    """A face moved by a quarter of a voxel changes the voxel it crosses by a quarter."""
    cut_voxel = [
        _painted(Box(np.zeros(3), np.eye(3), np.full(3, 2 * face)))[32, 32, 40]
        for face in (8.5 * VOXEL_NM, 8.75 * VOXEL_NM)
    ]
    np.testing.assert_allclose(cut_voxel, [0.5, 0.75], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["sphere", "box", "tube"]))
def test_nothing_is_lost_at_the_bounds(seed, kind):
    """The window about a shape holds all that evaluating the whole grid would find."""
    rng = np.random.default_rng(seed)
    centre, rotation = rng.uniform(-25, 25, 3), random_rotation(rng)
    shape = {
        "sphere": Sphere(centre, 9.0),
        "box": Box(centre, rotation, rng.uniform(4, 30, 3)),
        "tube": Tube(centre, rotation[0], 30.0, 6.0, 11.0),
    }[kind]
    z, y, x = np.meshgrid(*GRID, indexing="ij", sparse=True)
    everywhere = np.clip(0.5 - shape.distance(z, y, x) / VOXEL_NM, 0, 1)
    np.testing.assert_allclose(_painted(shape), everywhere, atol=1e-4)


def test_shape_off_the_grid_is_an_empty_window():
    _, part = occupancy(Sphere(np.full(3, 500.0), 5.0), GRID, VOXEL_NM)
    assert part.size == 0


CUTS = ((_rotation(1)[0], 2.0),)


@pytest.mark.parametrize(
    "shape",
    [Sphere(OFF_GRID, 9.0), Sphere(OFF_GRID, 9.0, CUTS), Box(OFF_GRID, _rotation(0), np.full(3, 9.0), CUTS), _tube()],
)
def test_distances_stay_float32(shape):
    """Half the memory and time at 1024^3; one float64 scalar would promote them all."""
    assert shape.distance(*np.meshgrid(*GRID, indexing="ij", sparse=True)).dtype == np.float32
