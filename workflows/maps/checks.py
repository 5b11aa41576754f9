"""What can no atlas of a campaign hold? Whatever changed the file since it was written."""

import numpy as np
import xarray as xr

from fusedtomo.settings import SolverSettings, Weights
from workflows.campaign import AXES
from workflows.campaign.search import SEARCHABLE, WEIGHTS
from workflows.campaign.setup import refused_plainly
from workflows.maps.sampling_map import METHOD, axes_of

_ROUNDED_UP = 1 + 1e-9  # means over the repeats are rounded


def check(atlas: xr.Dataset) -> None:
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
