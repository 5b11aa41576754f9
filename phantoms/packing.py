"""Where do particles sit? Random orientations, clusters of touching cubes, spheres that keep apart."""

from collections.abc import Callable, Iterable

import numpy as np

from phantoms.shapes import Box, Sphere
from phantoms.specimen import Cylinder

_CUBE_TRIES = 80
_SPHERE_TRIES = 200


def random_direction(rng: np.random.Generator) -> np.ndarray:
    """Return a unit vector (3,), uniform on the sphere."""
    vector = rng.standard_normal(3)
    return vector / np.linalg.norm(vector)


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Return a rotation matrix (3, 3), uniform over all orientations (unit quaternions, Shoemake 1992)."""
    w, *imaginary = (q := rng.standard_normal(4)) / np.linalg.norm(q)
    v = np.array(imaginary)
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    rotation: np.ndarray = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    return rotation


def cluster_cubes(
    rng: np.random.Generator, edges_nm: Iterable[float], n_cubes: int, room: Cylinder, overlap_nm: float
) -> list[Box]:
    """Return cubes at random orientations, each touching an earlier one, close about the centre.

    Args:
        rng: draws orientations and places.
        edges_nm: edge of each cube; one that finds no place in the room is left out.
        n_cubes: stop at so many.
        room: every corner stays inside.
        overlap_nm: how deep touching cubes may sink into each other (sintered necks).
    """
    cubes: list[Box] = []
    for edge in edges_nm:
        tries = [_place(rng, cubes, edge, overlap_nm) for _ in range(_CUBE_TRIES)]
        inwards = sorted(tries, key=lambda cube: np.linalg.norm(cube.centre))
        innermost = next((cube for cube in inwards if _fits(cube, cubes, room, overlap_nm)), None)
        cubes += [innermost] if innermost else []
        if len(cubes) == n_cubes:
            break
    return cubes


def _place(rng: np.random.Generator, cubes: list[Box], edge: float, overlap_nm: float) -> Box:
    """A cube in contact with one of `cubes`, from a random direction; the first leaves room at the centre."""
    cube = Box(0.5 * edge * random_direction(rng), random_rotation(rng), np.full(3, edge))
    if not cubes:
        return cube
    neighbour, direction = cubes[rng.integers(len(cubes))], random_direction(rng)
    axes, reach = _separating_axes(neighbour, cube)
    contact = np.min(reach / np.maximum(np.abs(axes @ direction), 1e-9))
    return Box(neighbour.centre + (contact - overlap_nm) * direction, cube.rotation, cube.edges)


def _fits(cube: Box, cubes: list[Box], room: Cylinder, overlap_nm: float) -> bool:
    deepest = -overlap_nm - 1e-6  # rounding
    return room.contains(cube.corners()) and all(_gap(cube, other) >= deepest for other in cubes)


def _gap(one: Box, other: Box) -> float:
    """Gap between two boxes in nm along their best separating axis; negative where they overlap."""
    axes, reach = _separating_axes(one, other)
    return float(np.max(np.abs(axes @ (other.centre - one.centre)) - reach))


def _separating_axes(one: Box, other: Box) -> tuple[np.ndarray, np.ndarray]:
    """Axes (n, 3) and the centre distance in nm along each at which two boxes touch (Gottschalk 1996)."""
    crossed = np.cross(one.rotation[:, None], other.rotation[None]).reshape(9, 3)
    length = np.linalg.norm(crossed, axis=1)
    parallel = length < 1e-6  # parallel edges span no axis of their own
    axes = np.vstack([one.rotation, other.rotation, crossed[~parallel] / length[~parallel, None]])
    reach = sum(np.abs(axes @ box.rotation.T) @ (box.edges / 2) for box in (one, other))
    return axes, reach


def scatter_spheres(
    radii_nm: Iterable[float], propose: Callable[[float], np.ndarray | None], gap_nm: float
) -> list[Sphere]:
    """Return spheres that keep `gap_nm` from one another.

    Args:
        radii_nm: radius of each; one that finds no place is left out.
        propose: draws a centre (3,) in nm for a radius, or None where the draw is of no use.
        gap_nm: smallest distance between two surfaces.
    """
    placed = np.empty((0, 4))  # z, y, x and radius
    for radius in radii_nm:
        for _ in range(_SPHERE_TRIES):
            centre = propose(radius)
            if centre is not None and _clear(centre, radius + gap_nm, placed):
                placed = np.vstack([placed, [*centre, radius]])
                break
    return [Sphere(row[:3], float(row[3])) for row in placed]


def _clear(centre: np.ndarray, radius: float, placed: np.ndarray) -> bool:
    squared = ((placed[:, :3] - centre) ** 2).sum(axis=1)
    return bool((squared >= (radius + placed[:, 3]) ** 2).all())
