"""Is each specimen, before any voxel, built like the one in the paper and inside its room?"""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from phantoms.registry import PhantomSpec, list_phantoms, phantom_rng
from phantoms.shapes import Box, Sphere
from phantoms.specimen import Cylinder

FAMILIES = list_phantoms()
SEEDS = range(6)


@cache
def _bodies(name, seed):
    return FAMILIES[name].build(phantom_rng(PhantomSpec(name=name, size=16, seed=seed)))


def _of(bodies, material):
    return [body.shape for body in bodies if body.material == material]


def _gaps(spheres):
    """Smallest distance in nm between the surfaces of any two spheres."""
    centres, radii = np.array([s.centre for s in spheres]), np.array([s.radius for s in spheres])
    gaps = np.linalg.norm(centres[:, None] - centres, axis=-1) - radii[:, None] - radii
    return gaps[~np.eye(len(spheres), dtype=bool)].min()


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_bodies_fit_their_room_and_fill_it(name):
    room = Cylinder.inscribed(FAMILIES[name].field_of_view_nm)
    for seed in SEEDS:
        shapes = [body.shape for body in _bodies(name, seed) if body.material]
        assert all(room.contains(s.centre, s.radius) for s in shapes if isinstance(s, Sphere))
        assert all(room.contains(s.corners()) for s in shapes if isinstance(s, Box) and not s.cuts)
        lower, upper = np.array([s.bounds() for s in shapes]).swapaxes(0, 1)
        extent = upper.max(axis=0) - lower.min(axis=0)
        assert (extent > 0.5 * FAMILIES[name].field_of_view_nm).all()


def _surface(cube, n=40):
    """Points (6 n^2, 3) spread over a cube's faces, rims included."""
    steps = np.linspace(-0.5, 0.5, n)
    local = np.stack(np.meshgrid([-0.5, 0.5], steps, steps), axis=-1).reshape(-1, 3)
    faces = np.concatenate([np.roll(local, shift, axis=1) for shift in range(3)])
    return cube.centre + cube.edges * faces @ cube.rotation


def test_nanocubes_touch_without_running_into_each_other():
    for seed in SEEDS[:3]:
        bodies = _bodies("cuo_coo_nanocubes", seed)
        cubes = _of(bodies, "CoO") + _of(bodies, "CuO")
        points = [_surface(cube).T for cube in cubes]
        near = np.array([[other.distance(*p).min() for other in cubes] for p in points])
        np.fill_diagonal(near, np.inf)
        near = np.minimum(near, near.T)  # a rim of one may rest on a face of the other
        assert near.min(axis=1).max() < 1  # nm; the points are up to 1.8 nm apart
        assert near.min() > -1.6  # sintered necks are 1.5 nm deep


def test_nanocubes_are_hollow_and_carry_gold_outside():
    for seed in SEEDS:
        bodies = _bodies("cuo_coo_nanocubes", seed)
        cubes = _of(bodies, "CoO") + _of(bodies, "CuO")
        assert 6 <= len(cubes) <= 10
        assert min(len(_of(bodies, oxide)) for oxide in ("CoO", "CuO")) >= 3
        for pore in _of(bodies, None):
            assert min(cube.distance(*pore.centre) for cube in cubes) < -pore.radius
        gold = _of(bodies, "Au")
        assert len(gold) >= 36
        assert _gaps(gold) >= 1
        for particle in gold:
            above = min(cube.distance(*particle.centre) for cube in cubes)
            assert above == pytest.approx(0.7 * particle.radius)


def test_nanotube_particles_lie_inside_the_wall():
    for seed in SEEDS:
        bodies = _bodies("conio_nanotube", seed)
        (tube,) = _of(bodies, "NiO")
        particles = _of(bodies, "CoO")
        assert len(particles) >= 80
        assert _gaps(particles) >= 2
        assert all(tube.distance(*particle.centre) < -particle.radius for particle in particles)


def test_core_shell_has_two_grains_on_each_face():
    for seed in SEEDS:
        counts = Counter(body.material for body in _bodies("co3o4_mn3o4_core_shell", seed))
        assert counts["Co3O4"] >= 4
        assert counts["Mn3O4"] == 12 * counts["Co3O4"]


def test_superlattice_has_the_papers_diameters_and_one_to_two_order():
    bodies = [body for seed in SEEDS for body in _bodies("au_fe3o4_superlattice", seed)]
    iron, gold = _of(bodies, "Fe3O4"), _of(bodies, "Au")
    assert 2 * np.mean([s.radius for s in iron]) == pytest.approx(10.2, abs=0.25)
    assert 2 * np.mean([s.radius for s in gold]) == pytest.approx(3.9, abs=0.1)
    assert 1.8 < len(gold) / len(iron) < 3.3  # AlB2; the smaller particles reach nearer to the rim


def test_superlattice_particles_do_not_overlap():
    assert all(_gaps([body.shape for body in _bodies("au_fe3o4_superlattice", seed)]) > 0 for seed in SEEDS)


def test_catalyst_copper_is_on_and_inside_the_support():
    for seed in SEEDS:
        bodies = _bodies("cu_sic_catalyst", seed)
        copper, grains, pores = _of(bodies, "Cu"), _of(bodies, "SiC"), _of(bodies, None)
        diameters = [2 * particle.radius for particle in copper]
        assert min(diameters) >= 3
        assert len(copper) > 60
        depth = [_depth(particle, grains, pores) for particle in copper]
        assert sum(d > 1 for d in depth) > 5  # embedded, in radii below the surface
        assert sum(abs(d) <= 0.5 for d in depth) > 30  # on the surface or the wall of a pore
        assert min(depth) >= -0.5  # none floats


def _depth(particle, grains, pores):
    to_grains = min(grain.distance(*particle.centre) for grain in grains)
    return -max(to_grains, -min(pore.distance(*particle.centre) for pore in pores)) / particle.radius
