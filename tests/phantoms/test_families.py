"""Is each specimen, before any voxel, built like the one in the paper and inside its room?"""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from phantoms.painting import paint
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


def test_superlattice_in_carbon_lies_inside_it():
    for seed in SEEDS:
        matrix, *particles = _bodies("au_fe3o4_in_carbon", seed)
        assert (matrix.material, {body.material for body in particles}) == ("C", {"Fe3O4", "Au"})
        centres = np.array([body.shape.centre for body in particles])
        depths = -matrix.shape.distance(*centres.T)
        assert (depths >= [body.shape.radius for body in particles]).all()


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


def _heterostructures(seed):
    """The three bodies of each crystal: cap, cap, disk."""
    bodies = _bodies("zns_cus_heterostructures", seed)
    return [bodies[start : start + 3] for start in range(0, len(bodies), 3)]


def _directions(rng, n):
    """Unit vectors (n, 3), uniform on the sphere."""
    vectors = rng.standard_normal((n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _points_inside(ball, n=1000):
    """Points (n, 3) uniform in a ball."""
    rng = np.random.default_rng(1)
    return ball.centre + ball.radius * rng.random((n, 1)) ** (1 / 3) * _directions(rng, n)


def _painted(bodies, points):
    """The material of the last body about each point."""
    names = np.full(len(points), "", dtype=object)
    for body in bodies:
        names[body.shape.distance(*points.T) < 0] = body.material
    return names


def test_heterostructures_are_balls_with_a_disk_between_two_flat_interfaces():
    for seed in SEEDS[:3]:
        for bodies in _heterostructures(seed):
            disk = bodies[-1].shape
            points = _points_inside(disk)
            heights = (points - disk.centre) @ disk.cuts[0][0]
            materials = _painted(bodies, points)
            sulfide = heights[materials == "Cu0.64S0.36"]
            zinc = heights[materials == "ZnS"]
            assert len(sulfide) + len(zinc) == len(points)
            assert not ((sulfide.min() < zinc) & (zinc < sulfide.max())).any()
            assert zinc.min() < sulfide.min() < sulfide.max() < zinc.max()
            assert 2.8 < sulfide.max() - sulfide.min() < 0.75 * 2 * disk.radius


def test_some_heterostructures_are_rich_in_copper_and_some_in_zinc():
    for seed in SEEDS:
        crystals = _heterostructures(seed)
        balls = [bodies[-1].shape for bodies in crystals]
        assert len(crystals) > 60
        assert 14 <= 2 * min(b.radius for b in balls) < 2 * max(b.radius for b in balls) <= 22
        assert _gaps(balls) >= 1
        shares = np.array([np.mean(ball.distance(*_points_inside(ball, 300).T) < 0) for ball in balls])
        assert (shares > 0.6).sum() > 5
        assert (shares < 0.4).sum() > 5


def test_heterostructures_have_no_seam_at_their_interfaces():
    bodies = _heterostructures(0)[0]
    total = paint(bodies, ("Zn", "Cu", "S"), 128, 128.0).data.sum(axis=0)
    ball = Sphere(bodies[0].shape.centre, bodies[0].shape.radius)
    distance = ball.distance(*np.meshgrid(*[np.arange(128) - 63.5] * 3, indexing="ij", sparse=True))
    np.testing.assert_allclose(total[distance < -0.5], 1, atol=1e-6)
    assert not total[distance > 0.5].any()


def test_latex_sits_on_the_tio2_and_leaves_part_of_it_bare():
    for seed in SEEDS:
        bodies = _bodies("c_tio2_particles", seed)
        (crystal,) = _of(bodies, "TiO2")
        latex = _of(bodies, "C")
        assert bodies[-1].shape is crystal  # it displaces the latex inside
        assert len(latex) > 50
        assert _gaps(latex) >= -6
        heights = np.array([crystal.distance(*particle.centre) / particle.radius for particle in latex])
        assert 0.3 - 1e-9 <= heights.min() < heights.max() <= 0.8 + 1e-9
        covered = np.mean(_latex_above(crystal, latex))
        assert 0.2 < covered < 0.8


def _latex_above(crystal, latex):
    """Whether latex lies on the crystal, for a thousand points spread over its surface."""
    rays = _directions(np.random.default_rng(1), 1000)
    reach = crystal.radius * np.linspace(0.8, 1, 101)
    along = np.moveaxis(crystal.centre + reach[:, None, None] * rays, -1, 0)
    surface = reach[(crystal.distance(*along) < 0).sum(axis=0) - 1, None] * rays + crystal.centre
    return np.any([particle.distance(*surface.T) < 0 for particle in latex], axis=0)
