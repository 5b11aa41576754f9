"""The stacks: which images were recorded, at which tilt angles, and how large is a pixel?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.hdf5 import naming
from fusedtomo.importing.formats import Reader
from fusedtomo.importing.recipe import Angles, ImportRecipe, PixelSize
from fusedtomo.tilts import TiltScheme

ANGLE_TOLERANCE_DEG = 0.01  # float32 angles name the same tilt as the recipe's decimals


@dataclass(frozen=True, eq=False)
class Stack:
    """One stack (tilt, y, x) float32 and the angle of every image."""

    name: str
    images: np.ndarray
    angles_deg: tuple[float, ...]


def read_stacks(recipe: ImportRecipe, file: Reader, notes: list[str]) -> tuple[Stack, list[Stack]]:
    """Return the HAADF stack and those of the elements, all of one image size."""
    angles = chemical_angles = _read_angles(file, "angles_deg", recipe.angles_deg, notes)
    if recipe.chemical_angles_deg is not None:
        chemical_angles = _read_angles(file, "chemical_angles_deg", recipe.chemical_angles_deg, notes)
    haadf = _read_stack(file, "HAADF", recipe.haadf, angles)
    maps = [_read_stack(file, element, path, chemical_angles) for element, path in recipe.elements.items()]
    for stack, path in zip((haadf, *maps), (recipe.haadf, *recipe.elements.values()), strict=True):
        n_tilts, y, x = stack.images.shape
        mean = f"{stack.images.mean():.4g}"
        notes.append(f"{stack.name}: {n_tilts} images of {x} x {y} pixels (x, y) from '{path}', mean {mean}")
        if (y, x) != haadf.images.shape[1:]:
            raise InputError(f"data set '{path}' has {x} x {y} pixels, HAADF other; resample them to one pixel size")
    return haadf, maps


def _read_angles(file: Reader, field: str, angles: Angles, notes: list[str]) -> tuple[float, ...]:
    if isinstance(angles, str):
        values, source = tuple(file.array(angles, 1, np.float64).tolist()), f"'{angles}'"
    else:
        values, source = angles, "the recipe"
    with naming(f"{field} (from {source})"):
        TiltScheme(values)
    notes.append(f"{field}: {len(values)} tilts from {min(values):g} to {max(values):g} degrees, from {source}")
    return values


def _read_stack(file: Reader, name: str, path: str, angles_deg: tuple[float, ...]) -> Stack:
    images = file.array(path, 3)
    if len(images) != len(angles_deg):
        raise InputError(
            f"data set '{path}' has {len(images)} images for {len(angles_deg)} angles; name its own angles"
        )
    return Stack(name, images, angles_deg)


def read_pixel_nm(pixel: float | PixelSize, file: Reader, notes: list[str]) -> float:
    """Return the edge of a pixel in nanometres."""
    if not isinstance(pixel, PixelSize):
        notes.append(f"pixel size: {pixel:.6g} nm, from the recipe")
        return pixel
    values = np.atleast_1d(file.array(pixel.dataset, None, np.float64)).ravel()
    if not (values[0] > 0 and np.allclose(values, values[0], rtol=1e-6, atol=0)):
        raise InputError(
            f"data set '{pixel.dataset}' holds {values.min():g} to {values.max():g}; a pixel size is "
            f"one number above 0, so give pixel_nm as a number"
        )
    pixel_nm = float(values[0] * pixel.nm_per_unit)
    notes.append(f"pixel size: {pixel_nm:.6g} nm, from '{pixel.dataset}' times {pixel.nm_per_unit:g}")
    return pixel_nm


def without(excluded: Sequence[float], stacks: list[Stack], notes: list[str]) -> list[Stack]:
    """Drop the tilts of the listed angles, as they were recorded, from every stack."""
    for angle in excluded:
        if not any(same_angle(angle, each) for stack in stacks for each in stack.angles_deg):
            listed = ", ".join(f"{each:g}" for each in stacks[0].angles_deg)
            raise InputError(f"exclude_angles_deg has {angle:g}, but the tilts are {listed}; name one of them")
    if excluded:
        notes.append(f"left out: the tilts of {', '.join(f'{angle:g}' for angle in excluded)} degrees")
    kept = [_kept(stack, excluded) for stack in stacks]
    for before, after in zip(stacks, kept, strict=True):
        if excluded and len(after.images) < 2:
            raise InputError(
                f"exclude_angles_deg leaves {len(after.images)} of the {len(before.images)} tilts of {before.name}; "
                f"a tilt series needs at least two angles, so leave out fewer"
            )
    return kept


def _kept(stack: Stack, excluded: Sequence[float]) -> Stack:
    keep = [not any(same_angle(angle, each) for each in excluded) for angle in stack.angles_deg]
    angles = tuple(angle for angle, kept in zip(stack.angles_deg, keep, strict=True) if kept)
    return replace(stack, images=stack.images[keep], angles_deg=angles)


def same_angle(angle: float, other: float) -> bool:
    """Whether two angles in degrees name the same tilt."""
    return abs(angle - other) < ANGLE_TOLERANCE_DEG
