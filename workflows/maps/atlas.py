"""The atlas: which weights are best under given conditions (paper, Supplement 22a), kept as atlas.h5.

An atlas is the data set of workflows/maps/sampling_map.py with what made it as attributes; docs/formats.md has its
layout.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from fusedtomo.errors import InputError
from fusedtomo.files import replacing
from fusedtomo.settings import Weights
from fusedtomo.tilts import FusedDataset
from workflows.campaign import AXES, Value
from workflows.campaign.config import SEARCHABLE

FORMAT = "fusedtomo atlas"
FORMAT_VERSION = 2
WEIGHTS = tuple(Weights.model_fields)
HAADF = "HAADF"
# the SNR differs by more than this factor: the weights were searched for other data
_SNR_FACTOR = 2.0


@dataclass(frozen=True)
class AtlasLookup:
    """Weights for a data set, and what speaks against using them ("" when nothing does)."""

    weights: dict[str, float]
    warning: str = ""


def conditions_of(
    atlas: xr.Dataset, dataset: FusedDataset, given: Mapping[str, Value] | None = None
) -> dict[str, Value]:
    """Where a data set stands on the axes of an atlas: as measured, or as given.

    Raises:
        InputError: the data does not tell, and nothing is given.
    """
    found: dict[str, Value] = dict(given or {})
    for name in axes_of(atlas):
        if name not in found:
            value = AXES[name].measured(dataset)
            if value is None:
                raise InputError(f"the atlas has the axis '{name}', of which the data says nothing; use another atlas")
            found[name] = value
    return found


def axes_of(atlas: xr.Dataset) -> tuple[str, ...]:
    """The axes of an atlas or map, in its order."""
    return tuple(str(name) for name in atlas.error.dims if name != "method_name")


def weights_for(
    atlas: xr.Dataset, at: Mapping[str, Value], chemical_snr: float | None = None, method: str = "fused"
) -> AtlasLookup:
    """Return the atlas's weights (and gamma, eps when searched) for data under given conditions.

    Between cells the logarithm of a weight is interpolated linearly over each axis on its scale; outside the axes the
    edge is taken, and said; an empty cell takes the value of the nearest filled one.

    Args:
        atlas: as `read_atlas` gives it.
        at: a value of every axis.
        chemical_snr: mean SNR of the chemical maps; None when unknown. An atlas without an axis of it holds for one.
        method: whose weights.

    Raises:
        InputError: a value is out of range, or the atlas has no filled cell of the method.
    """
    if method not in atlas.method_name:
        raise InputError(f"the atlas has no '{method}'; it has {', '.join(atlas.method_name.values)}")
    own = atlas.sel(method_name=method)
    axes = axes_of(atlas)
    values = [_checked(name, at) for name in axes]
    names = [name for name in (*WEIGHTS, *SEARCHABLE) if name in own]
    weights = {name: _value(own[name], name, values) for name in dict.fromkeys(names)}
    warnings = [*(_outside(own, n, v) for n, v in zip(axes, values, strict=True)), _other_snr(own, chemical_snr)]
    return AtlasLookup(weights, "; ".join(filter(None, warnings)))


def _checked(name: str, at: Mapping[str, Value]) -> Value:
    if name not in at:
        raise InputError(f"the atlas has the axis '{name}'; give a value of it")
    value, axis = at[name], AXES[name]
    if axis.scale == "log" and not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
        raise InputError(f"{axis.label} is {value}; give a number above 0")
    return value


def _value(variable: xr.DataArray, name: str, at: list[Value]) -> float:
    if not np.isfinite(variable).any():
        cure = "no trial of its campaign succeeded; run the campaign again, or use another atlas"
        raise InputError(f"the atlas has no value of '{name}' in any cell: {cure}")
    return interpolate(variable, at)


def interpolate(variable: xr.DataArray, at: list[Value]) -> float:
    """The value of a variable over axes at any place on them; see `weights_for`."""
    places = [_places(variable, str(name), value) for name, value in zip(variable.dims, at, strict=True)]
    filled = _filled([axis for axis, _ in places], variable.values)
    positive = bool((filled > 0).all())
    found = _multilinear(np.log(filled) if positive else filled, places)
    return float(np.exp(found)) if positive else float(found)


def _places(variable: xr.DataArray, name: str, value: Value) -> tuple[np.ndarray, float]:
    """The values of an axis as coordinates, and where a value lies among them."""
    known, axis = variable[name].values, AXES[name]
    if axis.scale == "category":
        if value not in known.tolist():
            raise InputError(f"{axis.label} is {value}; the atlas has {', '.join(map(str, known.tolist()))}")
        return np.arange(len(known), dtype=float), float(known.tolist().index(value))
    scale = np.log if axis.scale == "log" else np.asarray
    return scale(known.astype(float)), float(scale(float(value)))


def _multilinear(values: np.ndarray, places: list[tuple[np.ndarray, float]]) -> np.ndarray:
    for axis, position in places:
        index = float(np.interp(position, axis, np.arange(len(axis))))  # fractional, and clamped at the ends
        low = int(index)
        high = min(low + 1, len(axis) - 1)
        values = values[low] + (index - low) * (values[high] - values[low])
    return values


def _filled(axes: list[np.ndarray], grid: np.ndarray) -> np.ndarray:
    """Give every empty cell the value of its nearest filled one."""
    full = np.argwhere(np.isfinite(grid))
    positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distances = np.linalg.norm(positions[..., np.newaxis, :] - positions[tuple(full.T)], axis=-1)
    nearest = full[distances.argmin(axis=-1)]
    return np.where(np.isfinite(grid), grid, grid[tuple(np.moveaxis(nearest, -1, 0))])


def _outside(own: xr.Dataset, name: str, value: Value) -> str:
    known, axis = own[name].values, AXES[name]
    if axis.scale == "category" or known[0] <= value <= known[-1]:
        return ""
    return f"{axis.said(value)} lies outside the atlas ({known[0]:g} to {known[-1]:g}): its edge is used"


def chemical_snr_of(atlas: xr.Dataset) -> float:
    """Mean SNR reached by the chemical maps over elements and cells; NaN when the atlas has none."""
    values = atlas.snr.sel(modality=[name for name in atlas.modality.values if name != HAADF]).values
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else math.nan


def _other_snr(own: xr.Dataset, data_snr: float | None) -> str:
    atlas_snr = chemical_snr_of(own)
    if data_snr is None or math.isnan(atlas_snr):
        return ""
    if not (math.isfinite(data_snr) and data_snr > 0):
        raise InputError(
            f"chemical SNR is {data_snr}; give the mean SNR of the chemical maps, above 0, or leave it out"
        )
    if 1 / _SNR_FACTOR <= data_snr / atlas_snr <= _SNR_FACTOR:
        return ""
    return (
        f"the data's chemical SNR {data_snr:.3g} differs more than {_SNR_FACTOR:g}-fold from the atlas's "
        f"{atlas_snr:.3g}: search the weights at this SNR, or check them before use"
    )


def build_atlas(sampling: xr.Dataset, provenance: Mapping[str, str | float]) -> xr.Dataset:
    """The map with what made it: campaign, code version, machine, ..."""
    return sampling.assign_attrs({**provenance, "format": FORMAT, "format_version": FORMAT_VERSION})


def write_atlas(atlas: xr.Dataset, path: str | Path) -> None:
    """Write atlas.h5 (layout: docs/formats.md); an older file stays whole until the new one is complete."""
    # in memory first: HDF5 ends the whole process where a disk fills up while it closes a file
    content = atlas.to_netcdf(engine="h5netcdf")
    with replacing(path, keep_suffix=False) as temporary:
        temporary.write_bytes(content)


def read_atlas(path: str | Path) -> xr.Dataset:
    """Read atlas.h5.

    Raises:
        InputError: the file is missing, torn, or not an atlas; it names the file, what lacks and the cure.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the atlas.h5 of a finished campaign")
    try:
        with xr.open_dataset(path, engine="h5netcdf") as atlas:
            loaded = atlas.load()
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as HDF5 ({reason}); write it again from its journal") from None
    _check(path, loaded)
    return loaded


def _check(path: Path, atlas: xr.Dataset) -> None:
    again = "write it again: `fusedtomo report RUN`, with its run folder"
    if atlas.attrs.get("format") != FORMAT:
        raise InputError(f"{path}: not a {FORMAT} (no attribute format = '{FORMAT}'); give the atlas.h5 of a campaign")
    if (version := atlas.attrs.get("format_version")) != FORMAT_VERSION:
        raise InputError(f"{path}: of format version {version}, this code reads {FORMAT_VERSION}; {again}")
    for name in ("error", "nrmse", "snr", *WEIGHTS):
        if name not in atlas:
            raise InputError(f"{path}: not a whole {FORMAT}, '{name}' is missing; {again}")
        if atlas[name].dtype.kind != "f" or "method_name" not in atlas[name].dims:
            raise InputError(f"{path}: '{name}' holds no numbers over method and axes; {again}")
    for name in axes_of(atlas):
        AXES[name].checked(atlas[name].values.tolist() if name in atlas.coords else [])
