"""What is a specimen: bodies of one material each, in nm, inside a cylinder about the tilt axis."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from phantoms.shapes import Shape

# Share of the inscribed cylinder's radius and half length that specimens may fill. At the smallest size, 16,
# a voxel whose centre lies outside the cylinder reaches in to (8 - sqrt(2) / 2) / 8 = 0.91 of the radius and
# must stay empty.
FILL = 0.86


@dataclass(frozen=True)
class Body:
    """One shape of one material; `material` None is a pore, which displaces everything painted before it."""

    shape: Shape
    material: str | None


@dataclass(frozen=True)
class Family:
    """One kind of specimen.

    Attributes:
        name: as in PhantomSpec.
        description: one line for people.
        elements: symbols in the order of the volume's channels.
        field_of_view_nm: edge of the volume that fits the specimen, and the smallest allowed.
        build: draws the bodies (nm, origin at the volume's centre) in painting order; later ones displace
            earlier ones.
    """

    name: str
    description: str
    elements: tuple[str, ...]
    field_of_view_nm: float
    build: Callable[[np.random.Generator], list[Body]]


@dataclass(frozen=True)
class Cylinder:
    """The room for a specimen: a cylinder about x, the tilt axis, centred on the origin."""

    radius_nm: float
    half_length_nm: float

    @classmethod
    def inscribed(cls, field_of_view_nm: float) -> "Cylinder":
        """Return the room that a field of view leaves, with a margin of vacuum."""
        half = FILL * field_of_view_nm / 2
        return cls(half, half)

    def contains(self, points: np.ndarray, margin_nm: float = 0.0) -> bool:
        """Whether every one of `points` (..., 3) as (z, y, x) in nm stays `margin_nm` away from the wall."""
        z, y, x = np.moveaxis(np.asarray(points), -1, 0)
        radially = np.hypot(z, y) <= self.radius_nm - margin_nm
        return bool(np.all(radially & (np.abs(x) <= self.half_length_nm - margin_nm)))
