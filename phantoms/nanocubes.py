"""Gold-decorated CoO and CuO nanocubes with internal pores (paper, Fig. 4c and Methods)."""

import numpy as np

from phantoms.packing import cluster_cubes, scatter_spheres
from phantoms.shapes import Box, Sphere
from phantoms.specimen import Body, Cylinder, Family

_FIELD_OF_VIEW_NM = 256.0  # Fig. 4c: 256^3 voxels and a scale bar of 75 nm
_ROOM = Cylinder.inscribed(_FIELD_OF_VIEW_NM)
_NECK_NM = 1.5  # touching cubes are sintered this deep
_WALL = 0.08  # smallest wall about a pore, as a share of the cube's edge
_GOLD_ABOVE_FACE = 0.7  # height of gold centres in radii: they wet the oxide a little


def _build(rng: np.random.Generator) -> list[Body]:
    """Draw the cubes, hollow them and put gold onto their outer faces."""
    edges = np.sort(rng.uniform(40, 70, 16))[::-1]  # more than fit: the small ones find the gaps left
    cubes = cluster_cubes(rng, edges, int(rng.integers(7, 11)), _ROOM, _NECK_NM)
    oxides = rng.permutation(np.resize(["CoO", "CuO"], len(cubes)))
    pores = [pore for cube in cubes for pore in _pores(rng, cube)]
    bodies = [Body(cube, str(oxide)) for cube, oxide in zip(cubes, oxides, strict=True)]
    bodies += [Body(pore, None) for pore in pores]
    return bodies + [Body(particle, "Au") for particle in _gold(rng, cubes)]


def _pores(rng: np.random.Generator, cube: Box) -> list[Sphere]:
    """A Kirkendall void near the middle of a cube and a few small ones around it."""
    edge = cube.edges[0]
    radii = edge * np.concatenate([rng.uniform(0.16, 0.26, 1), rng.uniform(0.05, 0.1, rng.integers(3, 8))])

    def propose(radius: float) -> np.ndarray:
        reach = edge * (0.5 - _WALL) - radius
        centre: np.ndarray = cube.centre + rng.uniform(-reach, reach, 3) @ cube.rotation
        return centre

    return scatter_spheres(radii, propose, gap_nm=1.0)


def _gold(rng: np.random.Generator, cubes: list[Box]) -> list[Sphere]:
    """Particles of 5 to 14 nm on faces that are free there."""

    def propose(radius: float) -> np.ndarray | None:
        own = rng.integers(len(cubes))
        centre = _on_face(rng, cubes[own], radius)
        others = (cube for index, cube in enumerate(cubes) if index != own)
        free = all(cube.distance(*centre) > _GOLD_ABOVE_FACE * radius for cube in others)
        return centre if free and _ROOM.contains(centre, radius) else None

    return scatter_spheres(rng.uniform(5, 14, rng.integers(50, 80)) / 2, propose, gap_nm=1.0)


def _on_face(rng: np.random.Generator, cube: Box, radius: float) -> np.ndarray:
    """A centre at which a sphere rests on one of a cube's faces, not beyond its rim."""
    half = cube.edges[0] / 2
    local = rng.uniform(-half + radius, half - radius, 3)
    local[rng.integers(3)] = rng.choice([-1, 1]) * (half + _GOLD_ABOVE_FACE * radius)
    centre: np.ndarray = cube.centre + local @ cube.rotation
    return centre


FAMILY = Family(
    name="cuo_coo_nanocubes",
    description="gold-decorated CoO and CuO nanocubes with internal pores (Fig. 4)",
    elements=("Co", "Cu", "O", "Au"),
    field_of_view_nm=_FIELD_OF_VIEW_NM,
    build=_build,
)
