"""Cu nanoparticles on and inside a porous SiC support (paper, Supplementary Fig. 5)."""

import numpy as np

from phantoms.packing import random_direction, random_rotation, scatter_spheres
from phantoms.shapes import Box, Sphere
from phantoms.specimen import Body, Cylinder, Family

_FIELD_OF_VIEW_NM = 100.0  # Supplement 5b has a scale bar of 50 nm
_ROOM = Cylinder.inscribed(_FIELD_OF_VIEW_NM)
_CU_DIAMETER_NM = (3.0, 11.0)  # Supplement 5c shows one of 3 nm
_WETTING = 0.5  # a surface particle's centre lies at most this many radii above or below the surface


def _build(rng: np.random.Generator) -> list[Body]:
    """Draw grains of SiC, etch pores into them and add copper."""
    grains = _grains(rng)
    pores = _pores(rng, grains)
    support = [Body(grain, "SiC") for grain in grains] + [Body(pore, None) for pore in pores]
    return support + [Body(particle, "Cu") for particle in _copper(rng, grains, pores)]


def _grains(rng: np.random.Generator) -> list[Box]:
    """Angular grains that grow out of one another, so that the support is one piece."""
    grains = [Box(np.zeros(3), random_rotation(rng), rng.uniform(28, 40, 3))]
    for _ in range(400):
        parent = grains[rng.integers(len(grains))]
        centre = parent.centre + rng.uniform(0.4, 0.55) * parent.edges.mean() * random_direction(rng)
        grain = Box(centre, random_rotation(rng), rng.uniform(16, 36, 3))
        if _ROOM.contains(grain.corners()):
            grains.append(grain)
        if len(grains) == 16:
            break
    return grains


def _pores(rng: np.random.Generator, grains: list[Box]) -> list[Sphere]:
    """Pores of 4 to 16 nm anywhere in the grains; neighbours open into each other."""

    def propose(radius: float) -> np.ndarray:
        grain = grains[rng.integers(len(grains))]
        centre: np.ndarray = grain.centre + (rng.uniform(-0.5, 0.5, 3) * grain.edges) @ grain.rotation
        return centre

    return scatter_spheres(rng.triangular(4, 5, 16, 90) / 2, propose, gap_nm=-1.0)


def _copper(rng: np.random.Generator, grains: list[Box], pores: list[Sphere]) -> list[Sphere]:
    """Particles on the outer surface, on the walls of pores and a third of them embedded in SiC."""
    places = rng.uniform(-1, 1, (20_000, 3)) * _ROOM.radius_nm
    depths = -_support_distance(places, grains, pores)

    def propose(radius: float) -> np.ndarray | None:
        index, embedded = rng.integers(len(places)), rng.random() < 1 / 3
        wanted = depths[index] > radius if embedded else abs(depths[index]) < _WETTING * radius
        return places[index] if wanted and _ROOM.contains(places[index], radius) else None

    diameters = np.clip(rng.lognormal(np.log(4.5), 0.4, 90), *_CU_DIAMETER_NM)
    return scatter_spheres(np.sort(diameters / 2)[::-1], propose, gap_nm=0.5)


def _support_distance(points: np.ndarray, grains: list[Box], pores: list[Sphere]) -> np.ndarray:
    """Signed distance (n,) in nm from points (n, 3) to the porous support; negative in SiC."""
    to_grains = np.minimum.reduce([grain.distance(*points.T) for grain in grains])
    to_pores = np.minimum.reduce([pore.distance(*points.T) for pore in pores])
    distance: np.ndarray = np.maximum(to_grains, -to_pores)
    return distance


FAMILY = Family(
    name="cu_sic_catalyst",
    description="Cu nanoparticles of 3 nm and larger on and inside a porous SiC support (Supplement 5)",
    elements=("Cu", "Si", "C"),
    field_of_view_nm=_FIELD_OF_VIEW_NM,
    build=_build,
)
