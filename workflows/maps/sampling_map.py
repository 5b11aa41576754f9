"""The sampling map: how good is the best reconstruction of every cell (paper, Fig. 4a and Supplement 9)?

A map is an xarray data set over (method_name, the campaign's axes): the best whole trial of every cell, averaged over
the campaign's repeats. A method that is blind to an axis has the same values all along it.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product

import numpy as np
import xarray as xr

from fusedtomo.methods import METHODS
from workflows.campaign import AXES, STRATEGIES, CampaignConfig, Condition, Value
from workflows.campaign.measures import MEASURES, label_of, symbol_of
from workflows.campaign.search import SEARCHABLE
from workflows.record.journal import CAP, TrialResult, best, by_condition, on_bound
from workflows.search.certificate import MARKED
from workflows.search.certified_map import bounds_of

METHOD = "method_name"  # the first dimension; "method" is a parameter of xarray's sel()
_TOLERATED = 1.05  # times the lowest error: a weight that gives no more is as good
SURE = 2.0  # standard errors by which a cell must be ahead to be called the best

Winners = dict[Condition, TrialResult | None]


def best_by_condition(config: CampaignConfig, trials: Iterable[TrialResult]) -> Winners:
    """The best trial of every condition of the campaign, in the campaign's order; None without one."""
    groups = by_condition(list(trials))
    return {one: best(groups.get(one.key, []), config.search.minimise) for one in config.conditions()}


def axes_of(sampling: xr.Dataset) -> tuple[str, ...]:
    """The axes of a map, in the campaign's order."""
    return tuple(str(name) for name in sampling.error.dims if name != METHOD)


def sampling_map(config: CampaignConfig, trials: list[TrialResult]) -> xr.Dataset:
    """Build the map and the atlas of a campaign from its journal; trials of other conditions are left out.

    Returns:
        A data set. Over (method_name, axes): ``error`` (what was minimised) and every measure, each with
        ``..._deviation`` over the repeats where there are any; ``repeats`` (how many are in the mean);
        ``iterations``; ``trials`` and ``failed`` (sums); ``at_cap`` and ``on_bound`` (marks, see `marks`);
        ``regret_bound``, the largest over the repeats, where the strategy has a certificate; weights and
        searched parameters of the best trial (geometric means over the repeats), and of each searched one the
        ``..._low`` and ``..._high`` between which trials have errors at most 5 % above the lowest. Over
        (method_name, element, axes) the errors by element, over (method_name, modality, axes) ``snr``.
    """
    return _Builder(config, trials).dataset()


class _Builder:
    def __init__(self, config: CampaignConfig, trials: list[TrialResult]):
        self.config, self.groups = config, by_condition(trials)
        self.winners = best_by_condition(config, trials)
        self.bounds = bounds_of(config, trials)
        self.cells = list(product(*config.axes.values()))
        self.shape = (len(config.methods), *map(len, config.axes.values()))
        self.dims = (METHOD, *config.axes)

    def dataset(self) -> xr.Dataset:
        """Everything, with coordinates, names and units."""
        names = {"element": self._names("nrmse_by_element"), "modality": self._names("snr")}
        data = {**self._all_errors(), **self._by_name(names), **self._parameters(), **self._counts()}
        data |= self._certificate()
        dataset = xr.Dataset(data, {**self._coordinates(), **names})
        dataset["error"].attrs["symbol"] = symbol_of(self.config.search.minimise)
        return dataset

    def _names(self, field: str) -> list[str]:
        """The keys of a field of the best trials, in the order of first sight."""
        return list(dict.fromkeys(name for one in self.winners.values() if one for name in getattr(one, field)))

    def _coordinates(self) -> dict[str, xr.Variable]:
        labels = ", ".join(METHODS[name].label for name in self.config.methods)
        methods = xr.Variable(METHOD, list(self.config.methods), {"long_name": "method", "labels": labels})
        return {METHOD: methods} | {
            name: xr.Variable(name, list(values), {"long_name": AXES[name].label, "units": AXES[name].unit})
            for name, values in self.config.axes.items()
        }

    def _all_errors(self) -> dict[str, xr.Variable]:
        minimised = self.config.search.minimise
        found = self._errors("error", lambda trial: trial.error(minimised), f"{label_of(minimised)}, as minimised")
        for one in MEASURES.values():
            found |= self._measure(one.name, f"{one.label}: {one.description}")
        return found

    def _measure(self, name: str, said: str) -> dict[str, xr.Variable]:
        return self._errors(name, lambda trial: trial.measure(name), said)

    def _errors(self, name: str, value_of: Callable[[TrialResult], float], said: str) -> dict[str, xr.Variable]:
        """The mean over the repeats, and where there are any their standard deviation."""
        values = self._values(value_of)
        found = {name: self._variable(_mean(values), said)}
        if self.config.repeats:
            deviation = f"standard deviation of {name} over the repeats"
            found[f"{name}_deviation"] = self._variable(_deviation(values), deviation)
        return found

    def _conditions(self) -> Iterator[tuple[Condition, ...]]:
        """The conditions behind every entry of a variable over (method_name, axes), the last axis fastest."""
        for method in self.config.methods:
            for values in self.cells:
                yield self.config.repeated(self.config.cell(method, values))

    def _values(self, value_of: Callable[[TrialResult], float]) -> np.ndarray:
        """(entry, repeat) float64 of the best trials; NaN where there is none."""
        winners = ([self.winners[one] for one in group] for group in self._conditions())
        return np.array([[np.nan if w is None else value_of(w) for w in group] for group in winners], float)

    def _variable(self, values: np.ndarray, said: str, units: str = "1") -> xr.Variable:
        return xr.Variable(self.dims, values.reshape(self.shape), {"long_name": said, "units": units})

    def _by_name(self, names: dict[str, list[str]]) -> dict[str, xr.Variable]:
        """What a trial has by element or by modality."""
        said = {"nrmse_by_element": "NRMSE", "rmse_by_element": "RMSE", "snr": "SNR reached"}
        dims = {"nrmse_by_element": "element", "rmse_by_element": "element", "snr": "modality"}
        return {field: self._stacked(field, dim, names[dim], said[field]) for field, dim in dims.items()}

    def _stacked(self, field: str, dim: str, names: list[str], said: str) -> xr.Variable:
        values = [_mean(self._field(field, name)).reshape(self.shape) for name in names]
        stacked = np.moveaxis(np.array(values, float).reshape(len(names), *self.shape), 0, 1)
        return xr.Variable((METHOD, dim, *self.config.axes), stacked, {"long_name": said, "units": "1"})

    def _field(self, field: str, name: str) -> np.ndarray:
        return self._values(lambda trial: getattr(trial, field).get(name, np.nan))

    def _parameters(self) -> dict[str, xr.Variable]:
        searched = [name for name in SEARCHABLE if name in self.config.search.space]
        names = dict.fromkeys(("haadf", "chemical", "tv", *searched))
        tolerated = (self._tolerated(name) for name in names if name in self.config.search.space)
        return {name: self._parameter(name) for name in names} | {k: v for found in tolerated for k, v in found.items()}

    def _parameter(self, name: str) -> xr.Variable:
        values = self._values(lambda trial: {**trial.weights, **trial.point}.get(name, np.nan))
        return self._variable(_typical(values), f"{name} of the best trial", _unit(name))

    def _tolerated(self, name: str) -> dict[str, xr.Variable]:
        """How far a parameter may be off before the error grows by 5 %, as far as trials tell: no fit stands behind."""
        ends = {"low": min, "high": max}
        said = f"{name} of the trials whose error is at most 5 % above the lowest"
        return {
            f"{name}_{end}": self._variable(_typical(self._ends(name, pick)), f"{end}est {said}", _unit(name))
            for end, pick in ends.items()
        }

    def _ends(self, name: str, pick: Callable[[Iterable[float]], float]) -> np.ndarray:
        """(entry, repeat) float64."""
        groups = ([self._good(one, name) for one in group] for group in self._conditions())
        return np.array([[pick(values) if values else np.nan for values in group] for group in groups], float)

    def _good(self, condition: Condition, name: str) -> list[float]:
        """The values of a parameter in the trials of a condition that are about as good as its best."""
        winner, minimised = self.winners[condition], self.config.search.minimise
        if winner is None or name not in winner.point:
            return []
        most = _TOLERATED * winner.error(minimised)
        trials = self.groups.get(condition.key, [])
        return [trial.point[name] for trial in trials if trial.whole and trial.error(minimised) <= most]

    def _counts(self) -> dict[str, xr.Variable]:
        groups = [[t for one in group for t in self.groups.get(one.key, [])] for group in self._conditions()]
        iterations = _mean(self._values(lambda trial: trial.iterations))
        failed = np.array([sum(not trial.ok for trial in group) for group in groups])
        at_cap = np.nansum(self._values(lambda trial: trial.stopped == CAP), axis=1) > 0
        on_bound = np.array([any(map(self._on_bound, group)) for group in self._conditions()])
        n = np.sum(np.isfinite(self._values(lambda trial: 0.0)), axis=1)
        return {
            "repeats": self._variable(n, "results in the mean"),
            "iterations": self._variable(iterations, "outer iterations of the best trial"),
            "trials": self._variable(np.array([len(g) for g in groups]), "trials that ended, ok or failed"),
            "failed": self._variable(failed, "trials that failed"),
            "at_cap": self._variable(at_cap, "the best trial stopped at the cap of iterations"),
            "on_bound": self._variable(on_bound, "the best trial lies on a bound of the search"),
        }

    def _certificate(self) -> dict[str, xr.Variable]:
        """Where the strategy has one; of a method that searches nothing the only trial is the best."""
        if not STRATEGIES[self.config.search.strategy].certifies:
            return {}
        groups = [[self._bound(one) for one in group] for group in self._conditions()]
        said = "upper bound of the regret: how much lower the error of the best weights can be; holds with 95 %"
        return {"regret_bound": self._variable(np.array([max(group) for group in groups]), said)}

    def _bound(self, condition: Condition) -> float:
        if not self.config.space(condition):
            return 0.0 if self.winners[condition] else np.nan
        return self.bounds.get(condition, np.nan)

    def _on_bound(self, condition: Condition) -> bool:
        winner = self.winners[condition]
        return winner is not None and on_bound(winner, self.config.space(condition))


def _unit(name: str) -> str:
    return "counts" if name == "eps" else "1"


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


def marks(at_cap: bool, on_bound: bool, regret_bound: float = math.nan) -> str:
    """What to know of a cell beside its error.

    "c": the cap of iterations; "b": a bound of the search; "r": the best weights may be better by more than 1 %.
    """
    return ("c" if at_cap else "") + ("b" if on_bound else "") + ("r" if regret_bound > MARKED else "")


def lowest(sampling: xr.Dataset, method: str) -> tuple[tuple[Value, ...], ...]:
    """The cells of a method that may be its best: the one of the lowest error, and those within the noise of it.

    With repeats, a cell is within the noise when it is less than two standard errors of the difference behind.
    Without repeats nothing is known of the noise, and the lowest stands alone: that it is the best is not said.
    """
    own = sampling.sel({METHOD: method})
    errors = own.error.values.ravel()
    if not np.isfinite(errors).any():
        return ()
    first = int(np.nanargmin(errors))
    near = {first, *np.flatnonzero(_within_noise(own, errors, first)).tolist()}
    cells = list(product(*(own[name].values.tolist() for name in axes_of(sampling))))
    return tuple(cells[index] for index in sorted(near, key=lambda index: (errors[index], index)))


def _within_noise(own: xr.Dataset, errors: np.ndarray, first: int) -> np.ndarray:
    """(cell,) whether a cell is too near to the first one to be behind it; where the noise is unknown it is."""
    if "error_deviation" not in own:
        return np.zeros(errors.shape, bool)
    variances = np.ravel(own.error_deviation**2 / own.repeats.where(own.repeats > 0))
    gaps = SURE * np.sqrt(variances + variances[first])
    return np.asarray(np.isfinite(errors) & ~(errors - errors[first] > gaps))


def improvement(sampling: xr.Dataset, measure: str, method: str, over: str) -> float:
    """How many times lower a measure of a method is than another's: median over cells with both, or NaN."""
    ratios = (sampling[measure].sel({METHOD: over}) / sampling[measure].sel({METHOD: method})).values
    return float(np.median(ratios[np.isfinite(ratios)])) if np.isfinite(ratios).any() else math.nan
