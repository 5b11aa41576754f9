"""A thick TiO2 particle decorated with acrylic latex (paper, Methods and Supplementary Fig. 14).

The paper gives the particle's 280 nm and the pixel of 2.015 nm. Facets, latex and number of pixels are chosen. Latex
is carbon alone: hydrogen has no map, and the paper names neither the polymer nor a map of its oxygen.
"""

import numpy as np

from phantoms.packing import random_direction, scatter_spheres
from phantoms.shapes import Sphere
from phantoms.specimen import Body, Cylinder, Family

_FIELD_OF_VIEW_NM = 256 * 2.015  # Supplement 14 has a scale bar of 100 nm
_ROOM = Cylinder.inscribed(_FIELD_OF_VIEW_NM)
_TIO2_DIAMETER_NM = 280.0
_OFF_CENTRE_NM = 10.0  # along each axis
_FACETS = 14
_FACET_DEPTH = (0.03, 0.13)  # share of the radius that a facet takes away
_LATEX_DIAMETER_NM = (40.0, 75.0)
_LATEX_PARTICLES = 65
_SPREAD = (0.3, 0.8)  # latex lies flat on what it wets: distance of its centre from the TiO2, in radii
_MERGED_NM = -6.0  # neighbours have flowed into each other this deep (paper, Methods: cross-linked)


def _build(rng: np.random.Generator) -> list[Body]:
    """Draw the crystal and latex on it; the crystal displaces the latex that would lie inside."""
    crystal = _crystal(rng)

    def propose(radius: float) -> np.ndarray | None:
        centre = _on_surface(rng, crystal, rng.uniform(*_SPREAD) * radius)
        return centre if _ROOM.contains(centre, radius) else None

    latex = scatter_spheres(rng.uniform(*_LATEX_DIAMETER_NM, _LATEX_PARTICLES) / 2, propose, gap_nm=_MERGED_NM)
    return [*(Body(particle, "C") for particle in latex), Body(crystal, "TiO2")]


def _crystal(rng: np.random.Generator) -> Sphere:
    """A ball with flat facets in random directions."""
    centre, radius = rng.uniform(-1, 1, 3) * _OFF_CENTRE_NM, _TIO2_DIAMETER_NM / 2
    normals = [random_direction(rng) for _ in range(_FACETS)]
    depths = rng.uniform(*_FACET_DEPTH, _FACETS) * radius
    facets = [(normal, normal @ centre + radius - depth) for normal, depth in zip(normals, depths, strict=True)]
    return Sphere(centre, radius, tuple(facets))


def _on_surface(rng: np.random.Generator, crystal: Sphere, height: float) -> np.ndarray:
    """A point `height` above the ball or the facet that a random direction leaves the crystal through."""
    direction = random_direction(rng)
    normals, offsets = (np.array(part) for part in zip(*crystal.cuts, strict=True))
    steepness = np.maximum(normals @ direction, 1e-9)  # a facet on the far side is never reached
    to_facets = (offsets - normals @ crystal.centre + height) / steepness
    reach = min(crystal.radius + height, to_facets.min())
    point: np.ndarray = crystal.centre + reach * direction
    return point


FAMILY = Family(
    name="c_tio2_particles",
    description="a thick TiO2 particle of 280 nm decorated with acrylic latex (Supplement 14)",
    elements=("C", "Ti", "O"),
    field_of_view_nm=_FIELD_OF_VIEW_NM,
    build=_build,
)
