"""Which weights has an atlas for data (paper, Supplement 22a), and what speaks against using them?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from fusedtomo.elements import HAADF
from fusedtomo.errors import InputError
from fusedtomo.tilts import FusedDataset
from workflows.campaign import AXES, Dimension, Value
from workflows.campaign.search import SEARCHABLE, WEIGHTS
from workflows.maps.carried import experience_of
from workflows.maps.interpolation import interpolate
from workflows.maps.learnt import Learnt, learnt
from workflows.maps.sampling_map import METHOD, axes_of

# the SNR differs by more than this factor: the weights were searched for other data
_SNR_FACTOR = 2.0


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
