"""CoO nanoparticles embedded in the wall of a NiO nanotube (paper, Supplementary Figs. 3, 10 and 23)."""

import numpy as np

from phantoms.packing import scatter_spheres
from phantoms.shapes import Tube
from phantoms.specimen import Body, Family

_FIELD_OF_VIEW_NM = 256.0  # 256^3 voxels; scale bars of 50 nm (Supplement 10) and 75 nm (Supplement 23)
_COVER_NM = 1.5  # NiO left between a particle and the wall's surfaces


def _build(rng: np.random.Generator) -> list[Body]:
    """Draw a tube along the tilt axis, up to 6 degrees off it, and fill its wall with particles."""
    tube = _tube(rng)
    wall = tube.outer_radius - tube.inner_radius
    diameters = np.minimum(rng.uniform(10, 30, 100), wall - 2 * _COVER_NM)

    def propose(radius: float) -> np.ndarray:
        return _in_wall(rng, tube, radius)

    particles = scatter_spheres(np.sort(diameters / 2)[::-1], propose, gap_nm=2.0)
    return [Body(tube, "NiO"), *(Body(particle, "CoO") for particle in particles)]


def _tube(rng: np.random.Generator) -> Tube:
    off_axis, around = np.radians(rng.uniform(0, 6)), rng.uniform(0, 2 * np.pi)
    axis = np.array([np.sin(off_axis) * np.sin(around), np.sin(off_axis) * np.cos(around), np.cos(off_axis)])
    outer = rng.uniform(75, 88)
    return Tube(rng.uniform(-4, 4, 3), axis, rng.uniform(180, 194), outer - rng.uniform(30, 38), outer)


def _in_wall(rng: np.random.Generator, tube: Tube, radius: float) -> np.ndarray:
    """A centre at which a sphere lies wholly inside the wall, uniform along the tube and around it."""
    cover = radius + _COVER_NM
    off_axis = rng.uniform(tube.inner_radius + cover, tube.outer_radius - cover)
    along = (tube.length / 2 - cover) * rng.uniform(-1, 1)
    sideways = np.cross(tube.axis, rng.standard_normal(3))  # isotropic about the axis
    return tube.centre + along * tube.axis + off_axis * sideways / np.linalg.norm(sideways)


FAMILY = Family(
    name="conio_nanotube",
    description="CoO nanoparticles embedded in the wall of a NiO nanotube (Supplement 10)",
    elements=("Co", "Ni", "O"),
    field_of_view_nm=_FIELD_OF_VIEW_NM,
    build=_build,
)
