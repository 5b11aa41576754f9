"""The sampling map: how good is the best reconstruction of every cell (paper, Fig. 4a and Supplement 9)?

A map is an xarray data set over (method_name, the campaign's axes): the best whole trial of every cell, averaged over the
campaign's repeats. A method that is blind to an axis has the same values all along it.
"""

import math
from collections.abc import Callable, Iterable
from itertools import product

import numpy as np
import xarray as xr

from fusedtomo.methods import METHODS
from workflows.campaign import AXES, CampaignConfig, Condition
from workflows.campaign.config import SEARCHABLE
from workflows.campaign.measures import MEASURES, label_of, symbol_of
from workflows.record.journal import CAP, TrialResult, best, by_condition, on_bound

_SURE = 2.0  # standard errors by which a cell must be ahead to be called the best

Winners = dict[Condition, TrialResult | None]


def best_by_condition(config: CampaignConfig, trials: Iterable[TrialResult]) -> Winners:
    """The best trial of every condition of the campaign, in the campaign's order; None without one."""
    groups = by_condition(list(trials))
    return {one: best(groups.get(one.key, []), config.search.minimise) for one in config.conditions()}


def sampling_map(config: CampaignConfig, trials: list[TrialResult]) -> xr.Dataset:
    """Build the map and the atlas of a campaign from its journal; trials of other conditions are left out.

    Variables over (method_name, axes): ``error`` (what was minimised), every measure, each with ``..._deviation`` over the
    repeats where there are any, ``repeats`` (how many are in the mean), ``iterations``, ``trials`` and ``failed``
    (sums), ``at_cap`` and ``on_bound`` (marks, see `marks`), the weights and searched parameters of the best trial
    (geometric means); over (method_name, element, axes) the errors by element, over (method_name, modality, axes) ``snr``.
    """
    return _Builder(config, trials).dataset()


class _Builder:
    def __init__(self, config: CampaignConfig, trials: list[TrialResult]):
        self.config, self.groups = config, by_condition(trials)
        self.winners = best_by_condition(config, trials)
        self.cells = list(product(*config.axes.values()))
        self.shape = (len(config.methods), *map(len, config.axes.values()))
        self.dims = ("method_name", *config.axes)

    def dataset(self) -> xr.Dataset:
        found = [winner for winner in self.winners.values() if winner]
        elements = tuple(dict.fromkeys(name for one in found for name in one.nrmse_by_element))
        modalities = tuple(dict.fromkeys(name for one in found for name in one.snr))
        minimised = self.config.search.minimise
        data = {
            **self._errors("error", lambda t: t.error(minimised), f"{label_of(minimised)}: what was minimised"),
            **{k: v for m in MEASURES.values() for k, v in self._measure(m.name, m.label, m.description).items()},
            "nrmse_by_element": self._by(
                "element", elements, lambda t, name: t.nrmse_by_element.get(name, np.nan), "NRMSE"
            ),
            "rmse_by_element": self._by(
                "element", elements, lambda t, name: t.rmse_by_element.get(name, np.nan), "RMSE"
            ),
            "snr": self._by("modality", modalities, lambda t, name: t.snr.get(name, np.nan), "SNR reached"),
            **{name: self._parameter(name) for name in self._parameters()},
            **self._counts(),
        }
        coordinates = {
            "method_name": list(self.config.methods),
            "element": list(elements),
            "modality": list(modalities),
        }
        dataset = xr.Dataset(data, coords={**coordinates, **{n: list(v) for n, v in self.config.axes.items()}})
        dataset["error"].attrs["symbol"] = symbol_of(minimised)
        for name in self.config.axes:
            dataset[name].attrs = {"long_name": AXES[name].label, "units": AXES[name].unit}
        dataset["method_name"].attrs["long_name"] = "method: " + ", ".join(
            METHODS[m].label for m in self.config.methods
        )
        return dataset

    def _conditions(self) -> Iterable[tuple[Condition, ...]]:
        """The conditions behind every entry of a variable over (method_name, axes), the last axis fastest."""
        for method in self.config.methods:
            for values in self.cells:
                yield self.config.repeated(self.config.cell(method, values))

    def _values(self, value_of: Callable[[TrialResult], float]) -> np.ndarray:
        """(entry, repeat) float64 of the best trials; NaN where there is none."""
        winners = ([self.winners[one] for one in group] for group in self._conditions())
        return np.array([[np.nan if w is None else value_of(w) for w in group] for group in winners], float)

    def _variable(self, values: np.ndarray, name: str, units: str = "1") -> xr.Variable:
        return xr.Variable(self.dims, values.reshape(self.shape), {"long_name": name, "units": units})

    def _measure(self, name: str, label: str, description: str) -> dict[str, xr.Variable]:
        return self._errors(name, lambda trial: trial.measure(name), f"{label}: {description}")

    def _errors(self, name: str, value_of: Callable[[TrialResult], float], said: str) -> dict[str, xr.Variable]:
        """The mean over the repeats, and where there are any their standard deviation."""
        values = self._values(value_of)
        found = {name: self._variable(_mean(values), said)}
        if self.config.repeats:
            found[f"{name}_deviation"] = self._variable(
                _deviation(values), f"standard deviation of {name} over the repeats"
            )
        return found

    def _by(
        self, dim: str, names: tuple[str, ...], value_of: Callable[[TrialResult, str], float], said: str
    ) -> xr.Variable:
        stacked = [_mean(self._values(lambda t, name=name: value_of(t, name))).reshape(self.shape) for name in names]
        values = np.array(stacked, float).reshape(len(names), *self.shape)
        return xr.Variable(
            ("method_name", dim, *self.config.axes), np.moveaxis(values, 0, 1), {"long_name": said, "units": "1"}
        )

    def _parameters(self) -> list[str]:
        searched = [name for name in SEARCHABLE if name in self.config.search.space]
        return list(dict.fromkeys(("haadf", "chemical", "tv", *searched)))

    def _parameter(self, name: str) -> xr.Variable:
        values = self._values(lambda trial: {**trial.weights, **trial.point}.get(name, np.nan))
        return self._variable(_typical(values), f"{name} of the best trial", "counts" if name == "eps" else "1")

    def _counts(self) -> dict[str, xr.Variable]:
        groups = [[t for one in group for t in self.groups.get(one.key, [])] for group in self._conditions()]
        spaces = {one: self.config.space(one) for one in self.winners}
        at_cap = self._values(lambda trial: trial.stopped == CAP)
        bound = [[bool(w := self.winners[one]) and on_bound(w, spaces[one]) for one in g] for g in self._conditions()]
        n = np.sum(np.isfinite(self._values(lambda trial: 0.0)), axis=1)
        return {
            "repeats": self._variable(n, "results in the mean"),
            "iterations": self._variable(
                _mean(self._values(lambda t: t.iterations)), "outer iterations of the best trial"
            ),
            "trials": self._variable(np.array([len(g) for g in groups]), "trials that ended, ok or failed"),
            "failed": self._variable(np.array([sum(not t.ok for t in g) for g in groups]), "trials that failed"),
            "at_cap": self._variable(np.nansum(at_cap, axis=1) > 0, "the best trial stopped at the cap of iterations"),
            "on_bound": self._variable(np.any(bound, axis=1), "the best trial lies on a bound of the search"),
        }


def _mean(values: np.ndarray) -> np.ndarray:
    """Over the repeats that there are; NaN where there is none."""
    n = np.isfinite(values).sum(axis=1)
    return np.where(n > 0, np.nansum(values, axis=1) / np.maximum(n, 1), np.nan)


def _deviation(values: np.ndarray) -> np.ndarray:
    """Standard deviation over the repeats; NaN where there are fewer than two."""
    n = np.isfinite(values).sum(axis=1)
    squares = np.nansum((values - _mean(values)[:, None]) ** 2, axis=1)
    return np.where(n > 1, np.sqrt(squares / np.maximum(n - 1, 1)), np.nan)


def _typical(values: np.ndarray) -> np.ndarray:
    """The geometric mean, or the arithmetic one where a value is 0."""
    if values.shape[1] == 1:  # exp(log(x)) is not x to the last digit
        return values[:, 0]
    positive = (values > 0) | np.isnan(values)
    logs = np.log(np.where(values > 0, values, np.nan))
    return np.where(positive.all(axis=1), np.exp(_mean(logs)), _mean(values))


def marks(cell: xr.Dataset) -> str:
    """What to know of a cell beside its error: "c" for the cap of iterations, "b" for a bound of the search."""
    return ("c" if cell.at_cap.item() else "") + ("b" if cell.on_bound.item() else "")


def lowest(sampling: xr.Dataset, method: str) -> tuple[tuple[float | int | str, ...], ...]:
    """The cells of a method that may be its best: the one of the lowest error, and those within the noise of it.

    With repeats, a cell is within the noise when it is less than two standard errors of the difference behind.
    Without repeats nothing is known of the noise, and the lowest stands alone: that it is the best is not said.
    """
    errors = sampling.error.sel(method_name=method)
    if not np.isfinite(errors).any():
        return ()
    flat = errors.values.ravel()
    first = int(np.nanargmin(flat))
    near = np.arange(flat.size) == first
    if "error_deviation" in sampling:
        variances = (
            sampling.error_deviation.sel(method_name=method) ** 2 / sampling.repeats.sel(method_name=method)
        ).values.ravel()
        gap = _SURE * np.sqrt(variances + variances[first])
        near |= np.nan_to_num(flat - flat[first], nan=math.inf) < np.nan_to_num(gap, nan=math.inf)
        near &= np.isfinite(flat)
    places = sorted(np.flatnonzero(near), key=lambda index: (flat[index], index))
    axes = [sampling[name].values for name in errors.dims]
    shaped = (np.unravel_index(index, errors.shape) for index in places)
    return tuple(tuple(axis[i].item() for axis, i in zip(axes, index, strict=True)) for index in shaped)


def improvement(sampling: xr.Dataset, method: str, over: str) -> float:
    """How many times lower the NRMSE of a method is than another's: median over cells with both, or NaN."""
    ratios = (sampling.nrmse.sel(method_name=over) / sampling.nrmse.sel(method_name=method)).values
    return float(np.median(ratios[np.isfinite(ratios)])) if np.isfinite(ratios).any() else math.nan
