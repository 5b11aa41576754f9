"""What is a variable of a map between its cells, and where cells are empty?"""

import math

import numpy as np
import xarray as xr

from fusedtomo.errors import InputError
from workflows.campaign import AXES, Value

# between categories, far more than between any values of an axis: an empty cell is filled from its own category first
_APART = 1e6


def interpolate(variable: xr.DataArray, at: list[Value]) -> float:
    """The value of a variable over axes at any place on them; see `weights_for` (workflows/maps/lookup.py)."""
    places = [_places(variable, str(name), value) for name, value in zip(variable.dims, at, strict=True)]
    filled = _filled([axis for axis, _ in places], variable.values)
    positive = bool((filled > 0).all())
    found = _multilinear(np.log(filled) if positive else filled, places)
    return math.exp(found) if positive else found


def _places(variable: xr.DataArray, name: str, value: Value) -> tuple[np.ndarray, float]:
    """The values of an axis as coordinates, and where a value lies among them."""
    known, axis = variable[name].values, AXES[name]
    if axis.scale == "category":
        if value not in known.tolist():
            raise InputError(f"{axis.label} is {value}; the atlas has {', '.join(map(str, known.tolist()))}")
        return _APART * np.arange(len(known)), _APART * known.tolist().index(value)
    scale = np.log if axis.scale == "log" else np.asarray
    return scale(known.astype(float)), float(scale(float(value)))


def _multilinear(values: np.ndarray, places: list[tuple[np.ndarray, float]]) -> float:
    for axis, position in places:
        index = float(np.interp(position, axis, np.arange(len(axis))))  # fractional, and clamped at the ends
        low = int(index)
        high = min(low + 1, len(axis) - 1)
        values = values[low] + (index - low) * (values[high] - values[low])
    return float(values)


def _filled(axes: list[np.ndarray], grid: np.ndarray) -> np.ndarray:
    """Give every empty cell the value of its nearest filled one."""
    full = np.argwhere(np.isfinite(grid))
    positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distances = np.linalg.norm(positions[..., np.newaxis, :] - positions[tuple(full.T)], axis=-1)
    nearest = full[distances.argmin(axis=-1)]
    return np.where(np.isfinite(grid), grid, grid[tuple(np.moveaxis(nearest, -1, 0))])
