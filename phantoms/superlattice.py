"""A binary superlattice of 10.2 nm Fe3O4 and 3.9 nm Au nanoparticles (paper, Figs. 1 and 3), bare or in carbon.

The paper's lies in an organic matrix, polystyrene ligands on a carbon film, and Supplement 1 shows its carbon. Here the
matrix is carbon alone: hydrogen has no map. How far it reaches is chosen, for the paper does not say it.
"""

import numpy as np

from phantoms.packing import random_rotation
from phantoms.shapes import Sphere
from phantoms.specimen import FILL, Body, Family

_FIELD_OF_VIEW_NM = 80.0  # part of the paper's 115 nm, so that gold is more than a voxel wide from size 32 on
_DIAMETER_NM = {"Fe3O4": (10.2, 1.1), "Au": (3.9, 0.4)}  # mean and standard deviation (paper, Results)
_LATTICE_NM = (13.0, 13.0)  # a and c: particles and the polystyrene ligands between them
_DISORDER_NM = 0.15  # standard deviation of a particle's place
_VACANCIES = 0.03  # share of empty sites
_SITES = {  # AlB2 type, common among polymer-grafted particles (Ye et al., Nat. Commun. 6, 10052, 2015)
    "Fe3O4": [(0, 0, 0)],
    "Au": [(1 / 3, 2 / 3, 1 / 2), (2 / 3, 1 / 3, 1 / 2)],
}


def _build(rng: np.random.Generator) -> list[Body]:
    """Draw the particles of a grain."""
    return _grain(rng, _semi_axes(rng))


def _build_in_carbon(rng: np.random.Generator) -> list[Body]:
    """Draw carbon that reaches as far as the grain in all directions; particles displace it."""
    semi_axes = _semi_axes(rng)
    faces = [(sign * axis, reach) for axis, reach in zip(np.eye(3), semi_axes, strict=True) for sign in (-1, 1)]
    return [Body(Sphere(np.zeros(3), float(semi_axes.max()), tuple(faces)), "C"), *_grain(rng, semi_axes)]


def _semi_axes(rng: np.random.Generator) -> np.ndarray:
    """Of an ellipsoidal grain, (z, y, x) in nm."""
    semi_axes: np.ndarray = FILL * _FIELD_OF_VIEW_NM / 2 * np.array([rng.uniform(0.8, 1), rng.uniform(0.8, 1), 1])
    return semi_axes


def _grain(rng: np.random.Generator, semi_axes: np.ndarray) -> list[Body]:
    """Cut an ellipsoidal grain out of a randomly oriented crystal."""
    vectors = _lattice_vectors() @ random_rotation(rng)
    origin = rng.uniform(-0.5, 0.5, 3)
    return [body for kind in _SITES for body in _particles(rng, kind, vectors, origin, semi_axes)]


def _lattice_vectors() -> np.ndarray:
    """Rows: the three vectors of a hexagonal cell in nm."""
    a, c = _LATTICE_NM
    return np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]])


def _particles(
    rng: np.random.Generator, kind: str, vectors: np.ndarray, origin: np.ndarray, semi_axes: np.ndarray
) -> list[Body]:
    """Spheres of one kind on their sites, wholly inside the ellipsoid of semi-axes (z, y, x) in nm."""
    cells = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    centres = ((cells + np.array(_SITES[kind])).reshape(-1, 3) + origin) @ vectors
    centres += _DISORDER_NM * _normal_within(rng, 2, centres.shape)
    mean, deviation = _DIAMETER_NM[kind]
    radii = (mean + deviation * _normal_within(rng, 2, len(centres))) / 2
    inside = (centres**2 / (semi_axes - radii[:, None]) ** 2).sum(axis=1) <= 1
    kept = inside & (rng.random(len(centres)) >= _VACANCIES)
    spheres = map(Sphere, centres[kept], radii[kept].tolist())
    return [Body(sphere, kind) for sphere in spheres]


def _normal_within(rng: np.random.Generator, limit: float, shape: int | tuple[int, ...]) -> np.ndarray:
    """Standard normal values, cut off at +-limit so that neighbours stay apart."""
    return np.clip(rng.standard_normal(shape), -limit, limit)


FAMILY = Family(
    name="au_fe3o4_superlattice",
    description="10.2 nm Fe3O4 and 3.9 nm Au particles in a binary superlattice (Figs. 1 and 3)",
    elements=("Fe", "O", "Au"),
    field_of_view_nm=_FIELD_OF_VIEW_NM,
    build=_build,
)
IN_CARBON = Family(
    name="au_fe3o4_in_carbon",
    description="the same superlattice inside a matrix of carbon (Supplement 1)",
    elements=(*FAMILY.elements, "C"),
    field_of_view_nm=_FIELD_OF_VIEW_NM,
    build=_build_in_carbon,
)
