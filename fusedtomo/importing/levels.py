"""Levels: what does a pixel hold without specimen, what does a count mean, and what was too bright to count?

**Gain** "auto" is chosen so that concentrations come out near 1: the 99th percentile of the smoothed map
above background, times cos(tilt), over the thickness in pixels. Each element has its own, so such
concentrations compare places and not elements; give numbers (from a standard, or k-factors) for
stoichiometry.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from scipy import ndimage

from fusedtomo.errors import InputError
from fusedtomo.importing.recipe import ImportRecipe
from fusedtomo.importing.stacks import Stack, same_angle
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries

_VACUUM_RANGE = 0.01  # of the HAADF range above its darkest percent: wide beside read noise, narrow beside matter
_LEAST_VACUUM = 0.03  # a field of view full of matter has some 1 to 2 % of its pixels in that range
_SMOOTHING_PX = 2.0  # averages some 50 pixels, enough at 0.3 counts each
_GAIN_PERCENTILE = 99.0


def clip(haadf: Stack, saturation: float | None, notes: list[str]) -> Stack:
    """Return the HAADF stack with saturated pixels at the detector's limit: the least that they can be.

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


def with_levels(
    recipe: ImportRecipe, haadf: Stack, maps: Sequence[Stack], pixel_nm: float, notes: list[str]
) -> FusedDataset:
    """Return the data set, with the background of every series and the gain of every element."""
    needed = [recipe.haadf_background, *(recipe.background_of(stack.name) for stack in maps)]
    vacuum = _vacuum(haadf.images) if "auto" in needed else None
    level = recipe.haadf_background
    if level == "auto":
        level = float(np.median(haadf.images[vacuum]))
    notes.append(f"HAADF: background {level:.4g}{_origin(recipe.haadf_background)}, gain unknown")
    chemical = tuple(_chemical(recipe, stack, haadf, vacuum, pixel_nm, notes) for stack in maps)
    if vacuum is not None:
        notes.append(f"vacuum: {vacuum.mean():.1%} of the HAADF pixels are dark enough to measure backgrounds in")
    series = TiltSeries("HAADF", haadf.images, TiltScheme(haadf.angles_deg), background=level)
    return FusedDataset(series, chemical, pixel_nm)


def _origin(value: float | str) -> str:
    return " (measured)" if value == "auto" else " (from the recipe)"


def _vacuum(images: np.ndarray) -> np.ndarray:
    """Where the HAADF images (tilt, y, x) show no specimen, bool of the same shape."""
    dark, bright = np.percentile(images, (1, 99))
    vacuum: np.ndarray = images <= dark + _VACUUM_RANGE * (bright - dark)
    if not _LEAST_VACUUM < vacuum.mean() < 1:
        raise InputError(
            f"background 'auto' finds vacuum in {vacuum.mean():.1%} of the HAADF pixels, no measure; "
            f"give haadf_background and chemical_background as numbers"
        )
    return vacuum


def _chemical(
    recipe: ImportRecipe,
    stack: Stack,
    haadf: Stack,
    vacuum: np.ndarray | None,
    pixel_nm: float,
    notes: list[str],
) -> TiltSeries:
    background, gain = recipe.background_of(stack.name), recipe.gain_of(stack.name)
    level = _counts_in_vacuum(stack, haadf, vacuum) if background == "auto" else background
    factor = _gain(stack, level, cast(float, recipe.thickness_nm) / pixel_nm) if gain == "auto" else gain
    notes.append(
        f"{stack.name}: background {level:.4g} counts per pixel{_origin(background)}, gain {factor:.4g} counts "
        f"per unit of concentration and voxel"
        + (f" (chosen for concentrations near 1 in {recipe.thickness_nm:g} nm)" if gain == "auto" else _origin(gain))
    )
    return TiltSeries(stack.name, stack.images, TiltScheme(stack.angles_deg), factor, level)


def _counts_in_vacuum(stack: Stack, haadf: Stack, vacuum: np.ndarray | None) -> float:
    """Mean counts of a map where the HAADF image of the same tilt shows vacuum."""
    pairs = [
        (image, cast(np.ndarray, vacuum)[i])  # found where a background is "auto"
        for image, angle in zip(stack.images, stack.angles_deg, strict=True)
        for i, other in enumerate(haadf.angles_deg)
        if same_angle(angle, other)
    ]
    counts = np.concatenate([image[mask] for image, mask in pairs]) if pairs else np.empty(0)
    if not counts.size:
        raise InputError(
            f"chemical_background of '{stack.name}' cannot be measured: no HAADF image of its tilts "
            f"shows vacuum; give a number"
        )
    return float(counts.mean(dtype=np.float64))


def _gain(stack: Stack, background: float, thickness_px: float) -> float:
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
