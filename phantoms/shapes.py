"""How much of each voxel does a shape fill? Shapes in nm, anti-aliased over one voxel at their surface.

A shape gives its bounds and its signed distance (negative inside), both in nm with the origin at the volume's
centre and vectors as (z, y, x). A cube is a `Box`, a pore a `Sphere` painted with no material, a shell a body
with a smaller one painted inside.
"""

from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

Cut = tuple[np.ndarray, float]  # a plane: its unit normal, and its offset in nm along it
Grid = tuple[np.ndarray, np.ndarray, np.ndarray]  # voxel centres along z, y and x
Window = tuple[slice, ...]  # a part of a grid

# Sharp edges keep a mitre beyond the bounds: 0.5 voxel / sin(22.5 deg) = 1.3 voxels at a 45 degree rim.
_MITRE_VOXELS = 1.5


class Shape(Protocol):
    """What `occupancy` needs of a shape."""

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner (z, y, x) in nm of a box about the shape."""

    def distance(self, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Signed distance in nm to the surface at broadcastable coordinates; negative inside."""


@dataclass(frozen=True, eq=False)
class Sphere:
    """A ball, from which planes may cut parts away.

    Attributes:
        centre: (z, y, x) in nm.
        radius: in nm.
        cuts: (unit normal, offset in nm) each; only points p with normal . p <= offset remain.
    """

    centre: np.ndarray
    radius: float
    cuts: tuple[Cut, ...] = ()

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """See Shape."""
        return self.centre - self.radius, self.centre + self.radius

    def distance(self, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """See Shape; the distance to the nearest face, so that rims stay sharp."""
        cz, cy, cx = self.centre.tolist()  # Python floats keep float32 coordinates float32
        distance: np.ndarray = np.sqrt((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2) - self.radius
        return _cut(distance, self.cuts, z, y, x)


@dataclass(frozen=True, eq=False)
class Box:
    """A rotated cuboid, from which planes may cut parts away.

    Attributes:
        centre: (z, y, x) in nm.
        rotation: (3, 3), its rows are the box's own axes.
        edges: (3,) lengths in nm along those axes.
        cuts: (unit normal, offset in nm) each; only points p with normal . p <= offset remain.
    """

    centre: np.ndarray
    rotation: np.ndarray
    edges: np.ndarray
    cuts: tuple[Cut, ...] = ()

    def corners(self) -> np.ndarray:
        """The eight corners (8, 3) of the uncut box in nm."""
        signs = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3), axis=-1).reshape(8, 3)
        corners: np.ndarray = self.centre + (signs * self.edges) @ self.rotation
        return corners

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """See Shape."""
        half = np.asarray(self.edges) / 2 @ np.abs(self.rotation)
        return self.centre - half, self.centre + half

    def distance(self, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """See Shape; the distance to the nearest plane, so that edges and corners stay sharp."""
        distance: np.ndarray | float = -np.inf
        for axis, edge in zip(self.rotation, self.edges, strict=True):
            along = _height(axis, axis @ self.centre, z, y, x)
            distance = np.maximum(distance, np.abs(along) - float(edge) / 2)
        return _cut(cast(np.ndarray, distance), self.cuts, z, y, x)  # no float since the first plane


@dataclass(frozen=True, eq=False)
class Tube:
    """An open straight tube with flat ends; centre (z, y, x), unit axis, length and radii in nm."""

    centre: np.ndarray
    axis: np.ndarray
    length: float
    inner_radius: float
    outer_radius: float

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """See Shape."""
        half = np.abs(self.axis) * self.length / 2 + np.sqrt(1 - self.axis**2) * self.outer_radius
        return self.centre - half, self.centre + half

    def distance(self, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """See Shape."""
        cz, cy, cx = self.centre.tolist()
        z, y, x = z - cz, y - cy, x - cx
        along = _height(self.axis, 0.0, z, y, x)
        # rounding can leave the square of the distance from the axis just below zero
        off_axis = np.sqrt(np.maximum(z * z + (y * y + x * x) - along * along, 0))
        wall = np.maximum(off_axis - self.outer_radius, self.inner_radius - off_axis)
        distance: np.ndarray = np.maximum(wall, np.abs(along) - self.length / 2)
        return distance


def _cut(distance: np.ndarray, cuts: tuple[Cut, ...], z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Signed distance to what planes leave of a shape."""
    for normal, offset in cuts:
        distance = np.maximum(distance, _height(normal, offset, z, y, x))
    return distance


def _height(normal: np.ndarray, offset: float, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Height in nm above the plane normal . p = offset."""
    nz, ny, nx = normal.tolist()
    height: np.ndarray = nz * z + (ny * y + (nx * x - float(offset)))
    return height


def occupancy(shape: Shape, grid: Grid, voxel_nm: float) -> tuple[Window, np.ndarray]:
    """Return the part of a grid that a shape may touch and how far it fills each voxel there.

    Args:
        shape: what to paint.
        grid: voxel centres (nm, evenly spaced, ascending) along z, y and x.
        voxel_nm: edge of a voxel.

    Returns:
        ((slice, slice, slice), occupancy): occupancy = clip(0.5 - distance / voxel, 0, 1), float32 in [0, 1],
        of the voxels in the slices; empty where shape and grid do not meet. Only the bounds are evaluated.
    """
    lower, upper = shape.bounds()
    pad = _MITRE_VOXELS * voxel_nm
    window = tuple(
        slice(*np.searchsorted(centres, (low - pad, high + pad)))
        for centres, low, high in zip(grid, lower, upper, strict=True)
    )
    z, y, x = (centres[part] for centres, part in zip(grid, window, strict=True))
    distance = shape.distance(z[:, None, None], y[None, :, None], x[None, None, :])
    return window, np.clip(0.5 - distance / voxel_nm, 0, 1).astype(np.float32, copy=False)
