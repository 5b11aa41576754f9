"""Which phantoms are there, and how is one made?

A plug-in adds a specimen by `FAMILIES.register(FAMILY)` (fusedtomo.registry).
"""

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.registry import Registry
from fusedtomo.volume import ChemicalVolume
from phantoms import catalyst, core_shell, heterostructures, nanocubes, nanotube, pigment, superlattice
from phantoms.painting import paint
from phantoms.spec import PhantomSpec, phantom_rng
from phantoms.specimen import Family

__all__ = ["FAMILIES", "Family", "PhantomSpec", "list_phantoms", "make_phantom", "phantom_rng"]

MOST_VACUUM = 4  # fields of view of its own: a specimen still has some voxels across at the smallest size, 16

FAMILIES: Registry[Family] = Registry("phantom")
for _module in (nanocubes, nanotube, core_shell, superlattice, catalyst, heterostructures, pigment):
    FAMILIES.register(_module.FAMILY)
FAMILIES.register(superlattice.IN_CARBON)


def list_phantoms() -> dict[str, Family]:
    """Return every family by name; it tells its description, elements and field of view."""
    return dict(FAMILIES)


def make_phantom(spec: PhantomSpec, rng: np.random.Generator) -> ChemicalVolume:
    """Return the ground truth (element, z, y, x) that a spec describes.

    The specimen is drawn in nm from `rng` alone, before any voxel exists, so that one generator state is one
    specimen at every size. It lies inside the inscribed cylinder about x, the tilt axis, and ends before the
    volume does.

    Args:
        spec: family, size and field of view.
        rng: draws the specimen; `phantom_rng(spec)` for the one that `spec.seed` means.

    Raises:
        InputError: the name is unknown, or the field of view too small or too large for the specimen.
    """
    family = FAMILIES[spec.name]
    field_of_view_nm = _field_of_view_nm(spec, family)
    return paint(family.build(rng), family.elements, spec.size, field_of_view_nm)


def _field_of_view_nm(spec: PhantomSpec, family: Family) -> float:
    wanted = spec.field_of_view_nm or family.field_of_view_nm
    if wanted < family.field_of_view_nm:
        raise InputError(
            f"a field of view of {wanted:g} nm would cut the specimen of phantom '{family.name}'; "
            f"give field_of_view_nm of at least {family.field_of_view_nm:g} or leave it out"
        )
    if wanted > MOST_VACUUM * family.field_of_view_nm:
        raise InputError(
            f"in a field of view of {wanted:g} nm little would be seen of phantom '{family.name}', which fills "
            f"{family.field_of_view_nm:g} nm; give field_of_view_nm of at most "
            f"{MOST_VACUUM * family.field_of_view_nm:g} or leave it out"
        )
    return wanted
