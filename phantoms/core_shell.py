"""Co3O4 nanocubes with a Mn3O4 shell of several grains on each face (paper, Fig. 2; Oh et al., 2020)."""

import numpy as np

from phantoms.packing import cluster_cubes
from phantoms.shapes import Box, Cut
from phantoms.specimen import Body, Cylinder, Family

_FIELD_OF_VIEW_NM = 128.0  # several particles; the shell is a voxel thick from size 32 on
_ROOM = Cylinder.inscribed(_FIELD_OF_VIEW_NM)
_BOUNDARY_NM = 1.2  # open grain boundary between two grains
_ROOT_NM = 2.0  # grains start this deep inside the core, which displaces them: no seam where they meet
_SHELL_NM = (4.0, 7.0)  # thickness differs from face to face with strain and surface energy (Fig. 2k)


def _build(rng: np.random.Generator) -> list[Body]:
    """Draw a cluster of particles: grains first, then the cores that displace the grains' roots."""
    core_edges = np.sort(rng.uniform(12, 16, 14))[::-1]  # more than fit
    hull_edges = core_edges + 2 * _SHELL_NM[1]
    hulls = cluster_cubes(rng, hull_edges, int(rng.integers(6, 10)), _ROOM, overlap_nm=0.0)
    cores = [Box(hull.centre, hull.rotation, hull.edges - 2 * _SHELL_NM[1]) for hull in hulls]
    grains = [grain for core in cores for face in _faces(core) for grain in _grains_on_face(rng, core, face)]
    return [Body(grain, "Mn3O4") for grain in grains] + [Body(core, "Co3O4") for core in cores]


def _faces(core: Box) -> list[np.ndarray]:
    """The six outward normals."""
    return [sign * axis for axis in core.rotation for sign in (-1, 1)]


def _grains_on_face(rng: np.random.Generator, core: Box, outward: np.ndarray) -> list[Box]:
    """Two grains, each as thick as it likes, divided by a boundary across the face."""
    in_plane = [axis for axis in core.rotation if abs(axis @ outward) < 0.5]
    angle = rng.uniform(0, 2 * np.pi)
    across = np.cos(angle) * in_plane[0] + np.sin(angle) * in_plane[1]
    place = across @ core.centre + rng.uniform(-0.2, 0.2) * core.edges[0]
    cuts = [(side * across, side * place - _BOUNDARY_NM / 2) for side in (-1, 1)]
    return [_grain(core, outward, in_plane, rng.uniform(*_SHELL_NM), cut) for cut in cuts]


def _grain(core: Box, outward: np.ndarray, in_plane: list[np.ndarray], thickness: float, cut: Cut) -> Box:
    """A plate on a face, widening outwards up to the 45 degree planes through the cube's edges."""
    half = core.edges[0] / 2
    height, width = thickness + _ROOT_NM, 2 * (half + thickness)
    centre = core.centre + (half + (thickness - _ROOT_NM) / 2) * outward
    slopes = [(sign * axis - outward) / np.sqrt(2) for axis in in_plane for sign in (-1, 1)]
    cuts = [(slope, slope @ core.centre - _BOUNDARY_NM / 2) for slope in slopes]
    return Box(centre, np.array([outward, *in_plane]), np.array([height, width, width]), (*cuts, cut))


FAMILY = Family(
    name="co3o4_mn3o4_core_shell",
    description="Co3O4 nanocubes with a Mn3O4 shell of several grains on each face (Fig. 2)",
    elements=("Co", "Mn", "O"),
    field_of_view_nm=_FIELD_OF_VIEW_NM,
    build=_build,
)
