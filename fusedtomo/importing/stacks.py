"""The stacks: which images were recorded, at which tilt angles, and how large is a pixel?"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.hdf5 import naming
from fusedtomo.importing.angles import read_angles
from fusedtomo.importing.formats import ANGLE, Reader, opened, read_tilts
from fusedtomo.importing.recipe import ImportRecipe, PixelSize

ANGLE_TOLERANCE_DEG = 0.01  # float32 angles name the same tilt as the recipe's decimals


@dataclass(frozen=True, eq=False)
class Stack:
    """One stack (tilt, y, x) float32 and the angle of every image."""

    name: str
    images: np.ndarray
    angles_deg: tuple[float, ...]


@contextmanager
def opened_maps(recipe: ImportRecipe, folder: Path) -> Iterator[Reader]:
    """The file of the maps, or a reader of all its tilts; every InputError inside the block names it."""
    images = [*recipe.elements.values(), *([] if recipe.haadf_file else [recipe.haadf])]
    once = [recipe.pixel_nm.dataset] if isinstance(recipe.pixel_nm, PixelSize) else []
    with _opened(folder, recipe.file, images, once) as file:
        yield file


@contextmanager
def _opened(folder: Path, name: str, images: Sequence[str], once: Sequence[str] = ()) -> Iterator[Reader]:
    if ANGLE not in name:
        with opened(folder / name) as file:
            yield file
    else:
        file = read_tilts(folder, name, images, once)  # whose errors name the single file
        with naming(f"{folder / name}"):
            yield file


def read_stacks(recipe: ImportRecipe, folder: Path, file: Reader, notes: list[str]) -> tuple[Stack, list[Stack]]:
    """Return the HAADF stack and those of the elements, all of one image size; `file` is that of the maps."""
    haadf = _read_haadf(recipe, folder, file, notes)
    angles = _chemical_angles(recipe, folder, file, notes) or haadf.angles_deg
    maps = [_read_stack(file, element, path, angles) for element, path in recipe.elements.items()]
    for stack, path in zip((haadf, *maps), (recipe.haadf, *recipe.elements.values()), strict=True):
        n_tilts, y, x = stack.images.shape
        mean = f"{stack.images.mean():.4g}"
        notes.append(f"{stack.name}: {n_tilts} images of {x} x {y} pixels (x, y) from '{path}', mean {mean}")
    notes += file.remarks(recipe.elements)
    return _binned(haadf, maps, notes), maps


def _read_haadf(recipe: ImportRecipe, folder: Path, maps: Reader, notes: list[str]) -> Stack:
    own = recipe.haadf_file
    with nullcontext(maps) if own is None else _opened(folder, own, [recipe.haadf]) as file:
        angles = read_angles(file, folder, "angles_deg", recipe.angles_deg, notes)
        return _read_stack(file, "HAADF", recipe.haadf, angles)


def _chemical_angles(recipe: ImportRecipe, folder: Path, file: Reader, notes: list[str]) -> tuple[float, ...] | None:
    """The angles of the maps; None where HAADF has the same."""
    if recipe.chemical_angles_deg is not None:
        return read_angles(file, folder, "chemical_angles_deg", recipe.chemical_angles_deg, notes)
    if recipe.haadf_file is not None and ANGLE in recipe.file:
        return read_angles(file, folder, "chemical_angles_deg", None, notes)
    return None


def _read_stack(file: Reader, name: str, path: str, angles_deg: tuple[float, ...]) -> Stack:
    images = file.array(path, 3)
    if len(images) != len(angles_deg):
        raise InputError(
            f"data set '{path}' has {len(images)} images for {len(angles_deg)} angles; name its own angles"
        )
    return Stack(name, images, angles_deg)


def _binned(haadf: Stack, maps: Sequence[Stack], notes: list[str]) -> Stack:
    """HAADF on the pixels of the maps, whose counts must not be mixed."""
    (y, x), (map_y, map_x) = haadf.images.shape[1:], maps[0].images.shape[1:]
    for stack in maps:
        if stack.images.shape[1:] != (map_y, map_x):
            raise InputError(f"maps of '{stack.name}' are of another size than those of '{maps[0].name}'")
    if (y, x) == (map_y, map_x):
        return haadf
    factor, rest = divmod(y, map_y)
    if rest or x != factor * map_x:
        raise InputError(
            f"HAADF has {x} x {y} pixels, the maps {map_x} x {map_y} (x, y); resample or crop HAADF until it has as "
            f"many, or a whole multiple"
        )
    notes.append(f"HAADF: {factor} x {factor} pixels averaged to one of the maps'")
    blocks = haadf.images.reshape(len(haadf.images), map_y, factor, map_x, factor)
    return replace(haadf, images=blocks.mean(axis=(2, 4), dtype=np.float64).astype(np.float32))


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
