"""The frame: how are images shifted, cropped and turned until the tilt axis is x, through their centre?

**Shifts** move pixels and mix none (order 0), so counts stay Poisson counts. What comes in at an edge is
the image mirrored there: zeros would be vacuum that was never seen, and repeating the last pixel would
stretch one noisy count over the whole gap, where mirrored counts keep the local mean and its noise. HAADF
and chemistry are filled alike. `crop_px` removes those edges where the field of view allows it.

**Turning.** tilt_axis = "x": the rows of an image are lines along the axis already, nothing is turned.
tilt_axis = "y": every image makes a quarter turn counterclockwise on the screen (`numpy.rot90`): new x =
old y, new y = -old x about the centre. A turn and not a transpose, so that images are never mirrored and
look as at the microscope.

**Sense of the tilt.** A positive tilt moves matter at +z towards +y of the turned image (``t = y cos + z
sin``). Files do not tell whether the holder did that. The wrong sense fits the data equally well and gives
the specimen mirrored in z, as a clockwise turn would give its mirror image. (A transpose would not: it
reverses y, the data then reverse z too, and the specimen is only turned over.) `reverse_tilt = true` negates
the angles, which mirrors z, where the handedness of the specimen matters and is known.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from fusedtomo.alignment.quality import neighbour_correlation
from fusedtomo.errors import InputError
from fusedtomo.importing.recipe import ImportRecipe, Shifts
from fusedtomo.importing.stacks import ANGLE_TOLERANCE_DEG, Stack
from fusedtomo.incoming import read_json


def read_shifts(shifts: Shifts, folder: Path) -> np.ndarray:
    """Return the whole-pixel shifts (tilt, 2) of a JSON file, in the order (y, x)."""
    path = folder / shifts.file
    content = read_json(path, "the JSON file of the shifts")
    try:
        pairs = np.array(content, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{path}: no list of pairs ({str(error).splitlines()[0]}); give [[x, y], ...]") from None
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise InputError(f"{path}: shifts have shape {pairs.shape}; give one pair a tilt, [[x, y], ...]")
    uneven = pairs[pairs != np.rint(pairs)]
    if len(uneven):
        raise InputError(f"{path}: shift {uneven[0]:g} is no whole number; round it, or counts would be mixed")
    return pairs[:, ::-1] if shifts.order == "xy" else pairs


def shifted(
    regular: Shifts, shifts: np.ndarray, haadf: Stack, maps: Sequence[Stack], notes: list[str]
) -> tuple[Stack, list[Stack]]:
    """Return the stacks with every image shifted; `shifts` (tilt, 2) as `read_shifts` returned them."""
    _check_size(regular, shifts, haadf)
    moved, *moved_maps = [_shifted(stack, regular, shifts) for stack in (haadf, *maps)]
    y, x = np.array([_shift_of(angle, regular, shifts) for angle in haadf.angles_deg]).T
    before, after = neighbour_correlation(haadf.images), neighbour_correlation(moved.images)
    notes.append(
        f"shifts: x by {x.min():g} to {x.max():g}, y by {y.min():g} to {y.max():g} whole pixels from "
        f"'{regular.file}'; edges are filled by mirroring; neighbouring HAADF images correlate "
        f"{before:.3f} before and {after:.3f} after"
    )
    return moved, moved_maps


def _check_size(regular: Shifts, shifts: np.ndarray, haadf: Stack) -> None:
    """Refuse shifts that leave nothing of an image; beyond 2^63 scipy ends the whole process by them."""
    n_yx = haadf.images.shape[1:]
    far = shifts[(np.abs(shifts) >= n_yx).any(axis=1)]
    if len(far):
        raise InputError(
            f"'{regular.file}' shifts x by {far[0, 1]:g} and y by {far[0, 0]:g} pixels, but images have {n_yx[1]} x "
            f"{n_yx[0]} (x, y); give shifts in pixels that are smaller than the images"
        )


def _shifted(stack: Stack, regular: Shifts, shifts: np.ndarray) -> Stack:
    images = np.empty_like(stack.images)
    for image, angle, out in zip(stack.images, stack.angles_deg, images, strict=True):
        ndimage.shift(image, _shift_of(angle, regular, shifts), output=out, order=0, mode="reflect")
    return replace(stack, images=images)


def _shift_of(angle: float, regular: Shifts, shifts: np.ndarray) -> np.ndarray:
    """The shift (y, x) of one tilt angle."""
    position = (angle - regular.first_angle_deg) / regular.step_deg
    index = round(position)
    off_deg = abs(position - index) * regular.step_deg
    if not (0 <= index < len(shifts) and off_deg < ANGLE_TOLERANCE_DEG):
        last = regular.first_angle_deg + (len(shifts) - 1) * regular.step_deg
        raise InputError(
            f"tilt {angle:g} degrees has no shift: '{regular.file}' has {len(shifts)}, from "
            f"{regular.first_angle_deg:g} to {last:g} in steps of {regular.step_deg:g}; "
            f"mend first_angle_deg or step_deg"
        )
    shift: np.ndarray = shifts[index]
    return shift


def frame(recipe: ImportRecipe, stacks: Sequence[Stack], notes: list[str]) -> list[Stack]:
    """Return the stacks cropped and turned until the tilt axis is x; the centre stays the centre."""
    framed = [_framed(stack, recipe) for stack in stacks]
    turn = "turned a quarter counterclockwise" if recipe.tilt_axis == "y" else "not turned"
    crop = f"{recipe.crop_px} pixels cut from every edge, " if recipe.crop_px else ""
    sense = "negated" if recipe.reverse_tilt else "as recorded"
    notes.append(
        f"frame: {crop}images {turn}, so that the tilt axis '{recipe.tilt_axis}' is x, through their "
        f"centre; angles {sense} (the file cannot tell their sense; the wrong one mirrors the volume in z)"
    )
    return framed


def _framed(stack: Stack, recipe: ImportRecipe) -> Stack:
    crop, (_, y, x) = recipe.crop_px, stack.images.shape
    if 2 * crop >= min(y, x):
        raise InputError(f"crop_px = {crop} leaves nothing of {x} x {y} pixels; give less than half of them")
    images = stack.images[:, crop : y - crop, crop : x - crop]
    if recipe.tilt_axis == "y":
        images = np.rot90(images, axes=(1, 2))
    angles = tuple(-angle for angle in stack.angles_deg) if recipe.reverse_tilt else stack.angles_deg
    return Stack(stack.name, np.ascontiguousarray(images), angles)
