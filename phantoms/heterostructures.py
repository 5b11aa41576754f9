"""ZnS nanocrystals with a disk of Cu0.64S0.36 between two caps (paper, Supplementary Fig. 4; Ha et al., 2014).

The paper gives the phases, particles rich in either, and a scale bar of 50 nm. That the crystals are spheres and
copper sulfide a disk with two flat interfaces is Ha et al.'s abstract. Every other size is chosen. Oxidized shells
are left out: the paper shows them, but names no oxide and no map of oxygen.
"""

import numpy as np

from phantoms.packing import random_direction, scatter_spheres
from phantoms.shapes import Sphere
from phantoms.specimen import Body, Cylinder, Family

_FIELD_OF_VIEW_NM = 128.0  # the thinnest disk is a voxel thick from size 43 on
_ROOM = Cylinder.inscribed(_FIELD_OF_VIEW_NM)
_CRYSTALS = 70
_DIAMETER_NM = (14.0, 22.0)
_LIGANDS_NM = 1.0  # smallest gap between two crystals, whose ligand is oleylamine (paper, Methods)
_THINNEST_DISK_NM = 3.0
_THICKEST_DISK = 0.75  # share of the diameter: rich in copper; the thinnest disk leaves a crystal rich in zinc
_OFF_CENTRE = 0.1  # the disk's middle lies at most this many radii from that of the crystal
_ROOT_NM = 1.0  # caps start this deep inside the disk, which displaces them: no seam where they meet


def _build(rng: np.random.Generator) -> list[Body]:
    """Draw crystals that keep apart, and cut each in three."""

    def propose(radius: float) -> np.ndarray | None:
        centre: np.ndarray = rng.uniform(-1, 1, 3) * _ROOM.radius_nm
        return centre if _ROOM.contains(centre, radius) else None

    radii = np.sort(rng.uniform(*_DIAMETER_NM, _CRYSTALS) / 2)[::-1]
    crystals = scatter_spheres(radii, propose, gap_nm=_LIGANDS_NM)
    return [body for crystal in crystals for body in _heterostructure(rng, crystal)]


def _heterostructure(rng: np.random.Generator, crystal: Sphere) -> list[Body]:
    """Two caps of ZnS, and the disk that displaces their roots."""
    normal, radius = random_direction(rng), crystal.radius
    middle = normal @ crystal.centre + rng.uniform(-1, 1) * _OFF_CENTRE * radius
    half = rng.uniform(_THINNEST_DISK_NM, _THICKEST_DISK * 2 * radius) / 2
    faces = [(side * normal, side * middle + half) for side in (-1, 1)]
    caps = [Sphere(crystal.centre, radius, ((-outward, _ROOT_NM - offset),)) for outward, offset in faces]
    disk = Sphere(crystal.centre, radius, tuple(faces))
    return [*(Body(cap, "ZnS") for cap in caps), Body(disk, "Cu0.64S0.36")]


FAMILY = Family(
    name="zns_cus_heterostructures",
    description="ZnS nanocrystals with a disk of Cu0.64S0.36 between two flat interfaces (Supplement 4)",
    elements=("Zn", "Cu", "S"),
    field_of_view_nm=_FIELD_OF_VIEW_NM,
    build=_build,
)
