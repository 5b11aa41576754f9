"""Do materials displace one another, keep their formula, and average to the same specimen at small sizes?"""

import numpy as np
import pytest

from phantoms.materials import STOICHIOMETRY
from phantoms.painting import paint
from phantoms.shapes import Box, Sphere
from phantoms.specimen import Body

CENTRE = np.zeros(3)


def _cube(edge, material):
    return Body(Box(CENTRE, np.eye(3), np.full(3, float(edge))), material)


@pytest.mark.parametrize("size", [128, 129])
def test_origin_is_the_middle_of_the_volume(size):
    """Voxel (n - 1) / 2 is the centre of rotation, for even and odd n."""
    gold = paint([Body(Sphere(CENTRE, 20.0), "Au")], ("Au",), size, 128.0)["Au"]
    np.testing.assert_allclose(gold, gold[::-1, ::-1, ::-1], atol=1e-4)


def test_every_formula_adds_up_to_one():
    assert all(sum(formula.values()) == 1 for formula in STOICHIOMETRY.values())


def test_oxide_voxel_is_half_metal_half_oxygen():
    volume = paint([_cube(64, "CoO")], ("Co", "O"), 128, 128.0)
    np.testing.assert_array_equal(volume.data[:, 64, 64, 64], [0.5, 0.5])


def test_pore_displaces_and_gold_displaces_the_pore():
    bodies = [_cube(64, "CoO"), Body(Sphere(CENTRE, 20.0), None), Body(Sphere(CENTRE, 8.0), "Au")]
    volume = paint(bodies, ("Co", "O", "Au"), 128, 128.0)
    np.testing.assert_array_equal(volume.data[:, 64, 64, 64], [0, 0, 1])  # gold
    np.testing.assert_array_equal(volume.data[:, 64, 64, 78], [0, 0, 0])  # pore
    np.testing.assert_array_equal(volume.data[:, 64, 64, 90], [0.5, 0.5, 0])  # oxide


def test_later_material_takes_the_voxels_of_the_earlier():
    volume = paint([_cube(64, "Mn3O4"), _cube(31, "Co3O4")], ("Co", "Mn", "O"), 128, 128.0)
    metal = volume["Co"] + volume["Mn"]
    inside = metal[33:95, 33:95, 33:95]
    np.testing.assert_allclose(inside, 3 / 7, atol=1e-6)  # no seam between core and shell
    assert volume["Co"].sum(dtype=float) == pytest.approx(31**3 * 3 / 7, rel=0.01)


@pytest.mark.parametrize("size", [16, 50, 100, 128, 200])
def test_volume_in_nm3_is_the_same_at_every_size(size):
    """Even where the particle (10 nm) is smaller than a voxel (16 nm at size 16)."""
    volume = paint([Body(Sphere(np.array([3.0, 50.0, -20.0]), 5.0), "Au")], ("Au",), size, 256.0)
    gold_nm3 = volume["Au"].sum(dtype=float) * volume.voxel_nm**3
    assert gold_nm3 == pytest.approx(4 / 3 * np.pi * 5**3, rel=0.06)


def test_slabs_meet_without_a_seam(monkeypatch):
    bodies = [_cube(40, "CoO"), Body(Sphere(np.array([10.0, 3.0, 1.0]), 15.0), "Au")]
    whole = paint(bodies, ("Co", "O", "Au"), 64, 128.0)
    monkeypatch.setattr("phantoms.painting._VOXELS_PER_SLAB", 128 * 128 * 6)
    np.testing.assert_array_equal(paint(bodies, ("Co", "O", "Au"), 64, 128.0).data, whole.data)
