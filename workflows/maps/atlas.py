"""The atlas: which weights are best under given conditions (paper, Supplement 22a), kept as atlas.h5.

An atlas is the data set of workflows/maps/sampling_map.py with what made it as attributes; docs/formats.md has its
layout.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
import xarray as xr

from fusedtomo.errors import InputError
from fusedtomo.files import replacing
from fusedtomo.hdf5 import attribute, check_stored, open_hdf5
from fusedtomo.heaps import check_heaps
from fusedtomo.incoming import check_regular
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.tilts import FusedDataset
from workflows.campaign import AXES, Dimension, Value
from workflows.campaign.config import SEARCHABLE
from workflows.campaign.setup import refused_plainly
from workflows.maps.carried import experience_of
from workflows.maps.learnt import Learnt, learnt
from workflows.maps.sampling_map import METHOD, axes_of

T = TypeVar("T")

FORMAT = "fusedtomo atlas"
FORMAT_VERSION = 2
WEIGHTS = tuple(Weights.model_fields)
HAADF = "HAADF"
_AGAIN = "write it again: `fusedtomo report RUN`, with its run folder"
_KEPT = {"zlib": True, "complevel": 1, "fletcher32": True}  # checksums, and zeros are none (fusedtomo.hdf5)
_RECODES = {"_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned"}  # as netCDF has them
_ROUNDED_UP = 1 + 1e-9  # means over the repeats are rounded
# the SNR differs by more than this factor: the weights were searched for other data
_SNR_FACTOR = 2.0
# between categories, far more than between any values of an axis: an empty cell is filled from its own category first
_APART = 1e6


@dataclass(frozen=True)
class AtlasLookup:
    """Weights for a data set, and what speaks against using them ("" when nothing does).

    Attributes:
        weights: by name, with gamma and eps where they were searched.
        ranges: of the searched ones, the lowest and the highest that cost at most 5 % of the error.
        nrmse: what the campaign found with such weights under these conditions; NaN in an atlas without it.
        warning: what speaks against them.
        likely: of the searched ones, from where to where the best one lies with 95 %; none where no model was made.
        loss: by how much the error is expected to be above that of the best weights, as a share of it; NaN there.
        loss_bound: the same, which holds with 95 %.
    """

    weights: dict[str, float]
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    nrmse: float = math.nan
    warning: str = ""
    likely: dict[str, tuple[float, float]] = field(default_factory=dict)
    loss: float = math.nan
    loss_bound: float = math.nan


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


def filled_cells(atlas: xr.Dataset, method: str = "fused") -> list[dict[str, Value]]:
    """The cells in which a trial of a method succeeded: a value of every axis.

    Raises:
        InputError: there is none, or no such method.
    """
    own = _of_method(atlas, method)
    axes = axes_of(atlas)
    cells = (dict(zip(axes, values, strict=True)) for values in product(*(own[name].values.tolist() for name in axes)))
    filled = [cell for cell in cells if np.isfinite(own.error.sel(cell))]
    if not filled:
        raise InputError(f"no trial of '{method}' succeeded in any cell; run the campaign again, or use another atlas")
    return filled


def _of_method(atlas: xr.Dataset, method: str) -> xr.Dataset:
    if method not in atlas[METHOD]:
        raise InputError(f"the atlas has no '{method}'; it has {', '.join(atlas[METHOD].values)}")
    return atlas.sel({METHOD: method})


def weights_for(
    atlas: xr.Dataset,
    at: Mapping[str, Value],
    maps_snr: float | None = None,
    method: str = "fused",
    *,
    estimated: bool = False,
) -> AtlasLookup:
    """Return the atlas's weights (and gamma, eps when searched) for data under given conditions.

    They are those that the model of the atlas's trials expects to be the best there (workflows/maps/learnt.py). Where
    an atlas carries too few trials, the logarithm of a weight is interpolated linearly between cells, over each axis
    on its scale; an empty cell takes the value of the nearest filled one. Outside the axes the edge is taken, and said.

    Args:
        atlas: as `read_atlas` gives it.
        at: a value of every axis.
        maps_snr: mean SNR of the data's chemical maps, held against the cells'; None when unknown.
        method: whose weights.
        estimated: whether that SNR is estimated from the counts, which is then said.

    Raises:
        InputError: a value is out of range, or the atlas has no filled cell of the method.
    """
    (found,) = lookups(atlas, [at], method)
    snr = _other_snr(_of_method(atlas, method), maps_snr, estimated)
    return replace(found, warning="; ".join(filter(None, (found.warning, snr))))


def lookups(atlas: xr.Dataset, places: Sequence[Mapping[str, Value]], method: str = "fused") -> list[AtlasLookup]:
    """The same at several places, of one model, which takes a good second to make."""
    own, axes = _of_method(atlas, method), axes_of(atlas)
    answers = [_interpolated(own, {name: _checked(name, at) for name in axes}) for at in places]
    experience = experience_of(atlas)
    found = learnt(experience, method, places) if experience else None
    if experience is None or found is None:
        return answers
    ranges = experience.config.search.space
    return [_by_model(answer, one, ranges) for answer, one in zip(answers, found, strict=True)]


def _interpolated(own: xr.Dataset, at: Mapping[str, Value]) -> AtlasLookup:
    values = list(at.values())
    names = [name for name in (*WEIGHTS, *SEARCHABLE) if name in own]
    weights = {name: _value(own[name], name, values) for name in dict.fromkeys(names)}
    warning = "; ".join(filter(None, (_outside(own, name, value) for name, value in at.items())))
    return AtlasLookup(weights, _ranges(own, names, values), _known(own.nrmse, values), warning)


def _by_model(answer: AtlasLookup, found: Learnt, space: Mapping[Any, Dimension]) -> AtlasLookup:
    on_bound = [
        f"{name} {found.weights[name]:.3g} lies on the end of what was searched, {space[name].low:g} to "
        f"{space[name].high:g}: widen search.space, better weights may lie beyond"
        for name in found.on_bound
    ]
    return replace(
        answer,
        weights=answer.weights | found.weights,
        warning="; ".join(filter(None, (answer.warning, *on_bound))),
        likely=found.likely,
        loss=found.loss,
        loss_bound=found.loss_bound,
    )


def _ranges(own: xr.Dataset, names: list[str], at: list[Value]) -> dict[str, tuple[float, float]]:
    """As far as trials tell: an atlas of an earlier version has none."""
    found = {n: tuple(_known(own[f"{n}_{end}"], at) for end in ("low", "high")) for n in names if f"{n}_low" in own}
    return {name: (low, high) for name, (low, high) in found.items() if math.isfinite(low)}


def _known(variable: xr.DataArray, at: list[Value]) -> float:
    """The value at a place; NaN where the variable has none at all."""
    return interpolate(variable, at) if np.isfinite(variable).any() else math.nan


def _checked(name: str, at: Mapping[str, Value]) -> Value:
    if name not in at:
        raise InputError(f"the atlas has the axis '{name}'; give a value of it")
    value, axis = at[name], AXES[name]
    if axis.scale == "category":
        return value
    if not isinstance(value, int | float) or not math.isfinite(value) or (axis.scale == "log" and value <= 0):
        above = " above 0" if axis.scale == "log" else ""
        raise InputError(f"{axis.label} is {value}; give a number{above}")
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


def _outside(own: xr.Dataset, name: str, value: Value) -> str:
    known, axis = own[name].values, AXES[name]
    if axis.scale == "category" or known[0] <= float(value) <= known[-1]:
        return ""
    return f"outside the atlas: {axis.said(value)} (it has {known[0]:g} to {known[-1]:g}); its edge is used"


def chemical_snr_of(atlas: xr.Dataset) -> tuple[float, float]:
    """Lowest and highest SNR of the chemical maps over the cells, mean over the elements; NaN when it has none."""
    snr = atlas.snr.sel(modality=[name for name in atlas.modality.values if name != HAADF])
    means = (snr.sum("modality") / snr.count("modality").where(lambda count: count > 0)).values
    known = means[np.isfinite(means)]
    return (float(known.min()), float(known.max())) if known.size else (math.nan, math.nan)


def _other_snr(own: xr.Dataset, data_snr: float | None, estimated: bool) -> str:
    low, high = chemical_snr_of(own)
    if data_snr is None or math.isnan(low):
        return ""
    if not (math.isfinite(data_snr) and data_snr > 0):
        cure = "give the mean SNR of the chemical maps, above 0, or leave it out"
        raise InputError(f"chemical SNR is {data_snr}; {cure}")
    if low / _SNR_FACTOR <= data_snr <= high * _SNR_FACTOR:
        return ""
    told = f"{low:.3g}" if high < 1.05 * low else f"{low:.3g} to {high:.3g}"
    found = f"{data_snr:.3g}{' (estimated from the counts)' if estimated else ''}"
    return (
        f"the data's chemical SNR {found} differs more than {_SNR_FACTOR:g}-fold from the atlas's {told}: "
        f"search the weights at this SNR, or check them before use"
    )


def build_atlas(sampling: xr.Dataset, provenance: Mapping[str, str | float]) -> xr.Dataset:
    """The map with what made it: campaign, code version, machine, ..."""
    return sampling.assign_attrs({**provenance, "format": FORMAT, "format_version": FORMAT_VERSION})


def write_atlas(atlas: xr.Dataset, path: str | Path) -> None:
    """Write atlas.h5 (layout: docs/formats.md); an older file stays whole until the new one is complete."""
    # in memory first: HDF5 ends the whole process where a disk fills up while it closes a file
    kept = {name: _KEPT for name, values in atlas.variables.items() if values.ndim and values.dtype.kind in "fiub"}
    content = atlas.to_netcdf(engine="h5netcdf", encoding=kept)
    with replacing(path, keep_suffix=False) as temporary:
        temporary.write_bytes(content)


def read_atlas(path: str | Path) -> xr.Dataset:
    """Read atlas.h5.

    Raises:
        InputError: the file is missing, torn, or not an atlas; it names the file, what lacks and the cure.
    """
    path = Path(path)
    check_regular(path, "the atlas.h5 of a finished campaign")
    if not h5py.is_hdf5(path):
        raise InputError(f"{path}: cannot be read as HDF5; give the atlas.h5 of a finished campaign")
    _check_kind(path, _whole(path, _attributes))
    return _whole(path, _loaded)


def _attributes(path: Path) -> dict[str, Any]:
    with open_hdf5(path) as file:
        return {name: attribute(file, name) for name in ("format", "format_version")}


def _check_arrays(path: Path) -> None:
    with open_hdf5(path) as file:
        check_heaps(file)
        for item in file.values():
            # the scale of an axis without values is declared and never written (netCDF 4)
            if isinstance(item, h5py.Dataset) and not (item.is_scale and not item.id.get_storage_size()):
                check_stored(item)


def _loaded(path: Path) -> xr.Dataset:
    _check_arrays(path)
    # as the numbers are stored: none of ours is a date, nor scaled, nor stands for a missing one
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False, mask_and_scale=False) as atlas:
        loaded = atlas.load()
    for name, variable in loaded.variables.items():
        _check_stored_as_is(str(name), variable.attrs)
    _check(loaded)
    return loaded


def _check_stored_as_is(name: str, attributes: dict[str, Any]) -> None:
    """Take out the mark of NaN, which says nothing new; ValueError for what makes other programs read other numbers."""
    if _listed(attributes.get("_FillValue")) == ["nan"]:
        del attributes["_FillValue"]
    if found := sorted(_RECODES & attributes.keys()):
        raise ValueError(f"'{name}' has the attribute '{found[0]}', by which its numbers would be others")


def _whole(path: Path, read: Callable[[Path], T]) -> T:
    """What is read from a file; InputError for whatever goes wrong, as a torn file may be anything."""
    try:
        return read(path)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].removeprefix(f"{path}: ")
        raise InputError(f"{path}: not a whole {FORMAT}: {reason}; {_AGAIN}") from None


def _check_kind(path: Path, facts: Mapping[str, object]) -> None:
    if _listed(facts.get("format")) != [FORMAT]:
        raise InputError(f"{path}: not a {FORMAT} (no attribute format = '{FORMAT}'); give the atlas.h5 of a campaign")
    if (version := _listed(facts.get("format_version"))) != [FORMAT_VERSION]:
        raise InputError(
            f"{path}: of format version {', '.join(map(str, version))}, this code reads {FORMAT_VERSION}; {_AGAIN}"
        )


def _listed(attribute: object) -> list[Any]:
    """The values of an attribute, which may be an array; NaN, which equals nothing, as a word."""
    return ["nan" if value != value else value for value in np.ravel(np.asarray(attribute)).tolist()]


def _check(atlas: xr.Dataset) -> None:
    """Raise ValueError for what is missing, or is no number over method and axes that a campaign can give."""
    for name in ("error", "nrmse", "snr", *WEIGHTS):
        if name not in atlas:
            raise ValueError(f"'{name}' is missing")
        if atlas[name].dtype.kind != "f" or METHOD not in atlas[name].dims:
            raise ValueError(f"'{name}' holds no numbers over method and axes")
    _check_coordinates(atlas)
    for name in WEIGHTS:
        if atlas[name].dims != atlas.error.dims:
            raise ValueError(f"'{name}' has other dimensions than 'error'")
    for variable, values in atlas.data_vars.items():
        _check_numbers(str(variable), values.values)
    for name in (*WEIGHTS, *SEARCHABLE):
        if name in atlas:
            _check_parameter(atlas, name)
    _check_counts(atlas)


def _check_coordinates(atlas: xr.Dataset) -> None:
    for name in map(str, atlas.dims):
        if name not in atlas.coords:
            raise ValueError(f"the values of '{name}' are missing")
        values = atlas[name].values.tolist()
        if name in axes_of(atlas):
            AXES[name].checked(values)
        elif len(set(values)) < len(values) or not all(isinstance(value, str) for value in values):
            raise ValueError(f"{name} = {values}: names, each once, are wanted")


def _check_numbers(name: str, values: np.ndarray) -> None:
    """Errors, weights, counts: what is not an axis is never below 0."""
    if values.dtype.kind not in "fiub":
        raise ValueError(f"'{name}' holds no numbers")
    if np.isinf(values).any() or (values < 0).any():
        raise ValueError(f"'{name}' has values from {np.nanmin(values):g} to {np.nanmax(values):g}; none is below 0")


def _check_parameter(atlas: xr.Dataset, name: str) -> None:
    """Raise ValueError for what no weight or setting can be, wherever it stands, or is not within its own range."""
    for variable in (name, f"{name}_low", f"{name}_high"):
        if variable in atlas:
            if atlas[variable].dims != atlas.error.dims:
                raise ValueError(f"'{variable}' has other dimensions than 'error'")
            _check_values(variable, name, atlas[variable].values)
    if name in WEIGHTS:
        _check_weights(name, atlas[name].values, np.isfinite(atlas.error.values))
    if f"{name}_low" in atlas:
        _check_range(name, *(atlas[one].values for one in (f"{name}_low", name, f"{name}_high")))


def _check_values(variable: str, name: str, values: np.ndarray) -> None:
    model = Weights if name in WEIGHTS else SolverSettings
    for value in (np.nanmin(values), np.nanmax(values)) if np.isfinite(values).any() else ():
        try:
            refused_plainly(model, **{name: float(value)})
        except ValueError as error:
            raise ValueError(f"'{variable}' has the value {value:g}: {error}") from None


def _check_weights(name: str, values: np.ndarray, filled: np.ndarray) -> None:
    """Raise ValueError where a cell with an error has no weight, or one that no search gives."""
    if np.isnan(values[filled]).any():
        raise ValueError(f"'{name}' lacks a value in a cell that has an error")
    for of_method in values:  # a weight that is searched is above 0; one that is not is the same in all cells
        if (of_method == 0).any() and not (of_method[np.isfinite(of_method)] == 0).all():
            raise ValueError(f"'{name}' is 0 in some cells alone, which no search gives")


def _check_range(name: str, low: np.ndarray, best: np.ndarray, high: np.ndarray) -> None:
    """Raise ValueError where the best value is not from the lowest to the highest that are about as good."""
    known = np.isfinite(low)
    within = (low <= best * _ROUNDED_UP) & (best <= high * _ROUNDED_UP)
    if (known != np.isfinite(high)).any() or not within[known].all():
        raise ValueError(f"'{name}' is not from '{name}_low' to '{name}_high' in each cell that has them")


def _check_counts(atlas: xr.Dataset) -> None:
    if {"trials", "failed"} <= set(atlas) and (atlas.failed > atlas.trials).any():
        raise ValueError("more trials failed than there were")
