"""Measured tilt series: how do a laboratory's HDF5 stacks become a fused data set?

A recipe (TOML, `ImportRecipe`) says where the stacks, angles and pixel size are, how the images are aligned
and turned, and what a count means. Names in it are relative to the data folder and cannot leave it. Nothing
is taken on trust: `import_dataset` returns notes that say in plain words what was read and done, because
vendors' metadata lies (tilt 0.0 in every Bruker file, pixels of 1 Angstrom in MRC).

In this order: saturated HAADF pixels are clipped, every image is shifted by whole pixels, tilts are
left out, images are cropped and turned until the tilt axis is x, then backgrounds and gains are set.

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

**Gain** "auto" is chosen so that concentrations come out near 1: the 99th percentile of the smoothed map
above background, times cos(tilt), over the thickness in pixels. Each element has its own, so such
concentrations compare places and not elements; give numbers (from a standard, or k-factors) for
stoichiometry.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, Literal, Self

import h5py
import numpy as np
from pydantic import AfterValidator, Field, ValidationError, model_validator
from scipy import ndimage

from fusedtomo.elements import atomic_number
from fusedtomo.errors import InputError, nearest
from fusedtomo.io import naming, open_hdf5, read_array
from fusedtomo.settings import Settings, TiltDegrees
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries

_ANGLE_TOLERANCE_DEG = 0.01  # float32 angles name the same tilt as the recipe's decimals
_VACUUM_RANGE = 0.01  # of the HAADF range above its darkest percent: wide beside read noise, narrow beside matter
_LEAST_VACUUM = 0.03  # a field of view full of matter has some 1 to 2 % of its pixels in that range
_SMOOTHING_PX = 2.0  # averages some 50 pixels, enough at 0.3 counts each
_GAIN_PERCENTILE = 99.0


# ------------------------------------------------------------------------------------------------- the recipe


def _inside(name: str) -> str:
    """Refuse a name that could leave the data folder, on any operating system."""
    path = PureWindowsPath(name)  # knows both kinds of slash, and drives
    if not name or path.anchor or ".." in path.parts or "\0" in name:
        raise ValueError(f"'{name}' must be a name inside the data folder: not absolute, no '..'")
    return name


def _symbol(symbol: str) -> str:
    atomic_number(symbol)
    return symbol


FileName = Annotated[str, AfterValidator(_inside)]
Symbol = Annotated[str, AfterValidator(_symbol)]
Level = Annotated[float, Field(ge=0)] | Literal["auto"]
Gain = Annotated[float, Field(gt=0)] | Literal["auto"]
Angles = str | tuple[TiltDegrees, ...]


class PixelSize(Settings):
    """A pixel size kept in a data set."""

    dataset: str = Field(description="HDF5 path of the pixel size: one number, or one equal number a tilt")
    nm_per_unit: float = Field(gt=0, description="nanometres in one of its units, for example 1000 for micrometres")


class Shifts(Settings):
    """Whole-pixel shifts that align the tilts, from a JSON list with one pair a tilt of a regular scheme."""

    file: FileName = Field(description="JSON file inside the data folder")
    first_angle_deg: TiltDegrees = Field(description="tilt angle of the first pair")
    step_deg: float = Field(gt=0, le=90, description="degrees between pairs")
    order: Literal["xy", "yx"] = Field("xy", description="which of a pair's numbers moves along x (columns)")


class ImportRecipe(Settings):
    """Where a measured HAADF and chemical tilt series are kept, and how they become a data set."""

    file: FileName = Field(description="HDF5 file inside the data folder")
    haadf: str = Field(description="HDF5 path of the HAADF stack (tilt, y, x)")
    elements: dict[Symbol, str] = Field(
        min_length=1, description="HDF5 path of the stack (tilt, y, x) of raw counts of each element"
    )
    angles_deg: Angles = Field(description="HDF5 path of the tilt angles in degrees, or the angles themselves")
    chemical_angles_deg: Angles | None = Field(
        None, description="the same for the chemical stacks; default: those of the HAADF stack"
    )
    pixel_nm: Annotated[float, Field(gt=0)] | PixelSize = Field(
        description="edge of a pixel in nanometres, or the data set that holds it"
    )
    tilt_axis: Literal["x", "y"] = Field(description="image axis parallel to the tilt axis: x (columns) or y (rows)")
    reverse_tilt: bool = Field(False, description="negate the angles, which mirrors the volume in z")
    shifts: Shifts | None = Field(None, description="alignment shifts; default: the stacks are aligned already")
    crop_px: int = Field(0, ge=0, description="pixels to cut from every edge after shifting")
    exclude_angles_deg: tuple[TiltDegrees, ...] = Field((), description="tilts to leave out")
    haadf_saturation: float | None = Field(
        None, gt=0, description="HAADF value at which the detector saturates; higher ones are clipped to it"
    )
    haadf_background: Level = Field("auto", description="HAADF level of vacuum; auto: measured where it is dark")
    chemical_background: Level | dict[Symbol, Level] = Field(
        "auto",
        description="counts per pixel without specimen, for all or by element; auto: the mean in vacuum",
    )
    chemical_gain: Gain | dict[Symbol, Gain] = Field(
        "auto",
        description="counts per unit of concentration and voxel, for all or by element; auto: from thickness",
    )
    thickness_nm: float | None = Field(None, gt=0, description="specimen thickness at 0 degrees, for automatic gains")

    @model_validator(mode="after")
    def _numbers_fit_the_elements(self) -> Self:
        for field in ("chemical_background", "chemical_gain"):
            value = getattr(self, field)
            for symbol in value if isinstance(value, Mapping) else ():
                if symbol not in self.elements:
                    raise ValueError(f"{field} names '{symbol}'; {nearest(symbol, self.elements)}")
        if self.thickness_nm is None and "auto" in [_of(self.chemical_gain, e) for e in self.elements]:
            raise ValueError("chemical_gain 'auto' needs thickness_nm; add it, or give every element's gain")
        return self


def _of(value: float | str | Mapping[str, float | str], element: str) -> float | str:
    """The value of one element; "auto" for those that a table leaves out."""
    return value.get(element, "auto") if isinstance(value, Mapping) else value


def read_recipe(path: str | Path) -> ImportRecipe:
    """Return the recipe in a TOML file, or raise one InputError naming file, key, value and cure."""
    content = _toml(Path(path))
    try:
        return ImportRecipe.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_message(content, error)}") from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "nested too deeply"
        raise InputError(f"{path}: cannot be read ({reason}); give the path of a TOML file") from None
    except ValueError as error:  # TOML and utf-8 errors
        raise InputError(f"{path}: not valid TOML: {error}; mend that line") from None


def _message(content: Mapping, error: ValidationError) -> str:
    # unknown keys first: a misspelt key also makes its intended field 'missing'
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    field, name = _field(content, first["loc"]), str(first["loc"][-1] if first["loc"] else "")
    if first["type"] == "extra_forbidden":
        table = {"shifts": Shifts, "pixel_nm": PixelSize}.get(str(first["loc"][0]), ImportRecipe)
        return f"unknown key '{field}' = {first['input']!r}; {nearest(name, table.model_fields)}"
    if first["type"] == "missing":
        known = {**PixelSize.model_fields, **Shifts.model_fields, **ImportRecipe.model_fields}
        return f"'{'.'.join(filter(None, (field, name)))}' is missing; add it: {known[name].description}"
    # a value that may be a number or a word fails once for each: one message for them all
    texts = [p["msg"].removeprefix("Value error, ") for p in problems if _field(content, p["loc"]) == field]
    told = " or ".join(dict.fromkeys(text[0].lower() + text[1:] for text in texts))
    return f"'{field}' = {first['input']!r}: {told}" if field else texts[0]


def _field(content: Any, location: Sequence) -> str:
    """The keys of `location` that the file has; the others name alternatives of a type."""
    found = []
    for part in location:
        if isinstance(content, Mapping) and part in content:
            content = content[part]
            found.append(str(part))
        elif isinstance(content, list) and isinstance(part, int):
            found.append(str(part))
    return ".".join(found)


# ------------------------------------------------------------------------------------------------- the import


@dataclass(frozen=True, eq=False)
class _Stack:
    """One stack (tilt, y, x) float32 and the angle of every image."""

    name: str
    images: np.ndarray
    angles_deg: tuple[float, ...]


def import_dataset(recipe: ImportRecipe, data_dir: str | Path) -> tuple[FusedDataset, list[str]]:
    """Return the data set that a recipe describes, and notes on what was read and done.

    Args:
        recipe: what `read_recipe` returned.
        data_dir: folder that holds the recipe's files.

    Raises:
        InputError: a file, data set or value is missing or unfit; it names file, field, value and cure.
    """
    folder, notes = Path(data_dir), []
    shifts = _read_shifts(recipe.shifts, folder) if recipe.shifts else None
    with open_hdf5(folder / recipe.file) as file:
        haadf, maps = _read_stacks(recipe, file, notes)
        pixel_nm = _pixel_nm(recipe.pixel_nm, file, notes)
        haadf = _clipped(haadf, recipe.haadf_saturation, notes)
        if shifts is not None:
            haadf, maps = _aligned(recipe, shifts, haadf, maps, notes)
        haadf, *maps = _without(recipe.exclude_angles_deg, [haadf, *maps], notes)
        haadf, *maps = [_framed(stack, recipe) for stack in (haadf, *maps)]
        notes.append(_framing_note(recipe))
        return _with_levels(recipe, haadf, maps, pixel_nm, notes), notes


def _read_stacks(recipe: ImportRecipe, file: h5py.File, notes: list[str]) -> tuple[_Stack, list[_Stack]]:
    angles = _read_angles(file, "angles_deg", recipe.angles_deg, notes)
    chemical = angles
    if recipe.chemical_angles_deg is not None:
        chemical = _read_angles(file, "chemical_angles_deg", recipe.chemical_angles_deg, notes)
    haadf = _read_stack(file, "HAADF", recipe.haadf, angles)
    maps = [_read_stack(file, element, path, chemical) for element, path in recipe.elements.items()]
    for stack, path in zip((haadf, *maps), (recipe.haadf, *recipe.elements.values()), strict=True):
        tilts, y, x = stack.images.shape
        notes.append(
            f"{stack.name}: {tilts} images of {x} x {y} pixels (x, y) from '{path}', mean {stack.images.mean():.4g}"
        )
        if stack.images.shape[1:] != haadf.images.shape[1:]:
            raise InputError(f"data set '{path}' has {x} x {y} pixels, HAADF other; resample them to one pixel size")
    return haadf, maps


def _read_angles(file: h5py.File, field: str, angles: Angles, notes: list[str]) -> tuple[float, ...]:
    if isinstance(angles, str):
        values, source = tuple(read_array(file, angles, 1, np.float64).tolist()), f"'{angles}'"
    else:
        values, source = angles, "the recipe"
    with naming(f"{field} (from {source})"):
        TiltScheme(values)
    notes.append(f"{field}: {len(values)} tilts from {min(values):g} to {max(values):g} degrees, from {source}")
    return values


def _read_stack(file: h5py.File, name: str, path: str, angles_deg: tuple[float, ...]) -> _Stack:
    images = read_array(file, path, 3)
    if len(images) != len(angles_deg):
        raise InputError(
            f"data set '{path}' has {len(images)} images for {len(angles_deg)} angles; name its own angles"
        )
    return _Stack(name, images, angles_deg)


def _pixel_nm(pixel: float | PixelSize, file: h5py.File, notes: list[str]) -> float:
    if not isinstance(pixel, PixelSize):
        notes.append(f"pixel size: {pixel:.6g} nm, from the recipe")
        return pixel
    values = np.atleast_1d(read_array(file, pixel.dataset, None, np.float64)).ravel()
    if not (values[0] > 0 and np.allclose(values, values[0], rtol=1e-6, atol=0)):
        raise InputError(
            f"data set '{pixel.dataset}' holds {values.min():g} to {values.max():g}; a pixel size is "
            f"one number above 0, so give pixel_nm as a number"
        )
    pixel_nm = float(values[0] * pixel.nm_per_unit)
    notes.append(f"pixel size: {pixel_nm:.6g} nm, from '{pixel.dataset}' times {pixel.nm_per_unit:g}")
    return pixel_nm


def _clipped(haadf: _Stack, saturation: float | None, notes: list[str]) -> _Stack:
    """Saturated pixels stay at the detector's limit: the least that they can be.

    In the one measured series at hand they sit on bright plateaus whose median is 2.5 % below the limit: a
    local median in their place would be a known underestimate.
    """
    if saturation is None:
        return haadf
    count = int((haadf.images >= saturation).sum())
    notes.append(
        f"HAADF: {count} pixels ({count / haadf.images.size:.2%}) are saturated; they stay at "
        f"{saturation:g}, the least they can be"
    )
    return replace(haadf, images=np.minimum(haadf.images, np.float32(saturation)))


# ------------------------------------------------------------------------------------------------- alignment


def _read_shifts(shifts: Shifts, folder: Path) -> np.ndarray:
    """Whole-pixel shifts (tilt, 2) in the order (y, x)."""
    path = folder / shifts.file
    try:
        pairs = np.array(json.loads(path.read_text(encoding="utf-8")), dtype=np.float64)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the JSON file of the shifts") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: no list of pairs ({str(error).splitlines()[0]}); give [[x, y], ...]") from None
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise InputError(f"{path}: shifts have shape {pairs.shape}; give one pair a tilt, [[x, y], ...]")
    uneven = pairs[~(pairs == np.rint(pairs))]  # NaN is uneven too
    if len(uneven):
        raise InputError(f"{path}: shift {uneven[0]:g} is no whole number; round it, or counts would be mixed")
    return pairs[:, ::-1] if shifts.order == "xy" else pairs


def _aligned(
    recipe: ImportRecipe, shifts: np.ndarray, haadf: _Stack, maps: list[_Stack], notes: list[str]
) -> tuple[_Stack, list[_Stack]]:
    before = neighbour_correlation(haadf.images)
    moved, *moved_maps = [_shifted(stack, recipe.shifts, shifts) for stack in (haadf, *maps)]
    rows = np.array([_shift_of(angle, recipe.shifts, shifts) for angle in haadf.angles_deg])
    notes.append(
        f"shifts: x by {rows[:, 1].min():g} to {rows[:, 1].max():g}, y by {rows[:, 0].min():g} to "
        f"{rows[:, 0].max():g} whole pixels from '{recipe.shifts.file}'; edges are filled by mirroring; "
        f"neighbouring HAADF images correlate {before:.3f} before and "
        f"{neighbour_correlation(moved.images):.3f} after"
    )
    return moved, moved_maps


def _shifted(stack: _Stack, regular: Shifts, shifts: np.ndarray) -> _Stack:
    images = np.empty_like(stack.images)
    for image, angle, out in zip(stack.images, stack.angles_deg, images, strict=True):
        ndimage.shift(image, _shift_of(angle, regular, shifts), output=out, order=0, mode="reflect")
    return replace(stack, images=images)


def _shift_of(angle: float, regular: Shifts, shifts: np.ndarray) -> np.ndarray:
    """The shift (y, x) of one tilt angle."""
    position = (angle - regular.first_angle_deg) / regular.step_deg
    index = round(position)
    off_deg = abs(position - index) * regular.step_deg
    if not (0 <= index < len(shifts) and off_deg < _ANGLE_TOLERANCE_DEG):
        last = regular.first_angle_deg + (len(shifts) - 1) * regular.step_deg
        raise InputError(
            f"tilt {angle:g} degrees has no shift: '{regular.file}' has {len(shifts)}, from "
            f"{regular.first_angle_deg:g} to {last:g} in steps of {regular.step_deg:g}; "
            f"mend first_angle_deg or step_deg"
        )
    return shifts[index]


def neighbour_correlation(images: np.ndarray) -> float:
    """Mean correlation of neighbouring images (tilt, y, x), 3/32 of each edge left out (24 of 256 pixels)."""
    y, x = (n * 3 // 32 for n in images.shape[1:])
    inner = images[:, y : images.shape[1] - y, x : images.shape[2] - x].reshape(len(images), -1)
    centred = inner - inner.mean(axis=1, keepdims=True, dtype=np.float64)
    norms = np.linalg.norm(centred, axis=1)
    products = np.einsum("ij,ij->i", centred[:-1], centred[1:])
    return float(np.mean(products / np.maximum(norms[:-1] * norms[1:], np.finfo(np.float64).tiny)))


def _framed(stack: _Stack, recipe: ImportRecipe) -> _Stack:
    """Crop the edges and turn the images until the tilt axis is x; the centre stays the centre."""
    crop, (_, y, x) = recipe.crop_px, stack.images.shape
    if 2 * crop >= min(y, x):
        raise InputError(f"crop_px = {crop} leaves nothing of {x} x {y} pixels; give less than half of them")
    images = stack.images[:, crop : y - crop, crop : x - crop]
    if recipe.tilt_axis == "y":
        images = np.rot90(images, axes=(1, 2))
    angles = tuple(-angle for angle in stack.angles_deg) if recipe.reverse_tilt else stack.angles_deg
    return _Stack(stack.name, np.ascontiguousarray(images), angles)


def _framing_note(recipe: ImportRecipe) -> str:
    turn = "turned a quarter counterclockwise" if recipe.tilt_axis == "y" else "not turned"
    crop = f"{recipe.crop_px} pixels cut from every edge, " if recipe.crop_px else ""
    sense = "negated" if recipe.reverse_tilt else "as recorded"
    return (
        f"frame: {crop}images {turn}, so that the tilt axis '{recipe.tilt_axis}' is x, through their "
        f"centre; angles {sense} (the file cannot tell their sense; the wrong one mirrors the volume in z)"
    )


def _without(excluded: Sequence[float], stacks: list[_Stack], notes: list[str]) -> list[_Stack]:
    """Drop the tilts of the listed angles, as they were recorded, from every stack."""
    for angle in excluded:
        if not any(_same(angle, each) for stack in stacks for each in stack.angles_deg):
            listed = ", ".join(f"{each:g}" for each in stacks[0].angles_deg)
            raise InputError(f"exclude_angles_deg has {angle:g}, but the tilts are {listed}; name one of them")
    if excluded:
        notes.append(f"left out: the tilts of {', '.join(f'{angle:g}' for angle in excluded)} degrees")
    return [_kept(stack, excluded) for stack in stacks]


def _kept(stack: _Stack, excluded: Sequence[float]) -> _Stack:
    keep = [not any(_same(angle, each) for each in excluded) for angle in stack.angles_deg]
    angles = tuple(angle for angle, kept in zip(stack.angles_deg, keep, strict=True) if kept)
    return replace(stack, images=stack.images[keep], angles_deg=angles)


def _same(angle: float, other: float) -> bool:
    return abs(angle - other) < _ANGLE_TOLERANCE_DEG


# ------------------------------------------------------------------------------------------------- levels


def _with_levels(
    recipe: ImportRecipe, haadf: _Stack, maps: list[_Stack], pixel_nm: float, notes: list[str]
) -> FusedDataset:
    """The data set, with the background of every series and the gain of every element."""
    needed = [recipe.haadf_background, *(_of(recipe.chemical_background, stack.name) for stack in maps)]
    vacuum = _vacuum(haadf.images) if "auto" in needed else None
    level = recipe.haadf_background
    if level == "auto":
        level = float(np.median(haadf.images[vacuum]))
    notes.append(f"HAADF: background {level:.4g}{_auto(recipe.haadf_background)}, gain unknown")
    series = tuple(_chemical(recipe, stack, haadf, vacuum, pixel_nm, notes) for stack in maps)
    if vacuum is not None:
        notes.append(f"vacuum: {vacuum.mean():.1%} of the HAADF pixels are dark enough to measure backgrounds in")
    return FusedDataset(
        TiltSeries("HAADF", haadf.images, TiltScheme(haadf.angles_deg), background=level), series, pixel_nm
    )


def _auto(value: float | str) -> str:
    return " (measured)" if value == "auto" else " (from the recipe)"


def _vacuum(images: np.ndarray) -> np.ndarray:
    """Where the HAADF images (tilt, y, x) show no specimen, bool of the same shape."""
    dark, bright = np.percentile(images, (1, 99))
    vacuum = images <= dark + _VACUUM_RANGE * (bright - dark)
    if not _LEAST_VACUUM < vacuum.mean() < 1:
        raise InputError(
            f"background 'auto' finds vacuum in {vacuum.mean():.1%} of the HAADF pixels, no measure; "
            f"give haadf_background and chemical_background as numbers"
        )
    return vacuum


def _chemical(
    recipe: ImportRecipe,
    stack: _Stack,
    haadf: _Stack,
    vacuum: np.ndarray | None,
    pixel_nm: float,
    notes: list[str],
) -> TiltSeries:
    background, gain = _of(recipe.chemical_background, stack.name), _of(recipe.chemical_gain, stack.name)
    level = _counts_in_vacuum(stack, haadf, vacuum) if background == "auto" else background
    factor = _gain(stack, level, recipe.thickness_nm / pixel_nm) if gain == "auto" else gain
    notes.append(
        f"{stack.name}: background {level:.4g} counts per pixel{_auto(background)}, gain {factor:.4g} counts "
        f"per unit of concentration and voxel"
        + (f" (chosen for concentrations near 1 in {recipe.thickness_nm:g} nm)" if gain == "auto" else _auto(gain))
    )
    return TiltSeries(stack.name, stack.images, TiltScheme(stack.angles_deg), factor, level)


def _counts_in_vacuum(stack: _Stack, haadf: _Stack, vacuum: np.ndarray) -> float:
    """Mean counts of a map where the HAADF image of the same tilt shows vacuum."""
    pairs = [
        (image, vacuum[i])
        for image, angle in zip(stack.images, stack.angles_deg, strict=True)
        for i, other in enumerate(haadf.angles_deg)
        if _same(angle, other)
    ]
    counts = np.concatenate([image[mask] for image, mask in pairs]) if pairs else np.empty(0)
    if not counts.size:
        raise InputError(
            f"chemical_background of '{stack.name}' cannot be measured: no HAADF image of its tilts "
            f"shows vacuum; give a number"
        )
    return float(counts.mean(dtype=np.float64))


def _gain(stack: _Stack, background: float, thickness_px: float) -> float:
    """Counts per unit of concentration and voxel, such that strong places of a slab come out near 1."""
    smooth = ndimage.gaussian_filter(stack.images, (0, _SMOOTHING_PX, _SMOOTHING_PX), mode="reflect")
    # a slab tilted by theta is 1 / cos(theta) thicker along the beam
    flat = (smooth - background) * np.cos(np.deg2rad(stack.angles_deg))[:, None, None]
    gain = float(np.percentile(flat, _GAIN_PERCENTILE) / thickness_px)
    if not gain > 0:
        raise InputError(
            f"chemical_gain of '{stack.name}' cannot be chosen: its counts do not rise above the background "
            f"{background:.3g}; leave the element out, or give a gain"
        )
    return gain
