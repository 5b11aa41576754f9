"""What does the interactive page know of a campaign? Axes, methods, numbers of every cell, trials: one value for JSON.

A cell is known by its number: the last of the campaign's axes runs fastest, as in the arrays of the map.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from operator import attrgetter
from typing import Any

import numpy as np
import xarray as xr

from fusedtomo.methods import METHODS
from fusedtomo.plot.elements import color_text
from workflows.campaign import AXES, CampaignConfig, Condition, Value
from workflows.campaign.axes import text
from workflows.campaign.measures import MEASURES, label_of
from workflows.figures.cells import varied_parameters
from workflows.maps.sampling_map import METHOD, marks
from workflows.record.journal import TrialResult
from workflows.report.again import judged
from workflows.report.findings import Findings

Json = dict[str, Any]

PARAMETERS = {
    "haadf": "λ₁ (HAADF)",
    "chemical": "λ₂ (chemical)",
    "tv": "λ₃ (TV)",
    "gamma": "γ",
    "eps": "ε (counts)",
}
_OF_THE_SEARCH = {
    "iterations": "iterations of the best trial",
    "trials": "trials",
    "failed": "failed trials",
    "regret_bound": "regret at most (95 %)",
}
MOST_TRIALS = 20_000  # some 3 MB; the journal has all
_DIGITS = 5  # significant; errors are told with three


def campaign_numbers(findings: Findings) -> Json:
    """Everything but what single cells have of their own (workflows/report/single_cells.py)."""
    config = findings.config
    return {
        "axes": [_axis(name, values) for name, values in config.axes.items()],
        "methods": [_method(config, name) for name in config.methods],
        "elements": {symbol: color_text(symbol) for symbol in findings.map.element.values.tolist()},
        "parameters": PARAMETERS,
        "quantities": list(_quantities(findings)),
        "marks": {name: _marks(findings.map.sel({METHOD: name})) for name in config.methods},
        "conditions": {name: list(_keys(config, name)) for name in config.methods},
        "trials": trial_columns(config, findings.trials[:MOST_TRIALS]),
        "trials_left_out": max(0, len(findings.trials) - MOST_TRIALS),
        "minimised": label_of(config.search.minimise),
    }


def rounded(values: Iterable[float]) -> list[float | None]:
    """Numbers with five digits, None for what is not finite: JSON has neither NaN nor infinity."""
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in values]


def _axis(name: str, values: Sequence[Value]) -> Json:
    axis = AXES[name]
    unit = "" if axis.unit == "1" or axis.unit in axis.label else axis.unit
    label = f"{axis.label} ({unit})" if unit else axis.label
    return {
        "name": name,
        "label": label,
        "texts": list(map(text, values)),
        "said": list(map(axis.said, values)),
        "scale": axis.scale,
    }


def _method(config: CampaignConfig, name: str) -> Json:
    seen = {axis for axis, _ in next(iter(config.cells(name))).at}
    method = METHODS[name]
    return {"name": name, "label": method.label, "color": method.color, "sees": [axis in seen for axis in config.axes]}


def _quantities(findings: Findings) -> Iterator[Json]:
    """Everything that a map can show; the first is what was minimised."""
    found, minimised = judged(findings), findings.config.search.minimise
    errors = {one.name: one.label for one in MEASURES.values()}
    first = minimised if isinstance(minimised, str) else "error"
    errors = {first: errors.get(first, label_of(minimised))} | errors
    for name, label in errors.items():
        yield _quantity(found, name, label, "error")
    for name, label in errors.items():
        if f"{name}_again" in found:
            yield _quantity(found, f"{name}_again", f"{label} on other noise", "error on other noise")
    for name, label in (("nrmse_by_element", "NRMSE"), ("rmse_by_element", "RMSE")):
        for symbol in found.element.values.tolist():
            yield _quantity(found.sel(element=symbol), name, f"{label} of {symbol}", "error by element")
    varied = varied_parameters(found, findings.config.methods[0])
    for name in [one for one in PARAMETERS if one in found]:
        scale = "linear" if name == "gamma" else "log"
        group = "weights" if name in varied else "weights, the same in all cells"
        yield _quantity(found, name, PARAMETERS[name], group, scale)
    for name in [one for one in _OF_THE_SEARCH if one in found]:
        yield _quantity(found, name, _OF_THE_SEARCH[name], "search")


def _quantity(found: xr.Dataset, name: str, label: str, group: str, scale: str = "linear") -> Json:
    """One variable of the map by method, and what is known of its spread."""
    with_spread = {end: f"{name}_{end}" for end in ("deviation", "low", "high") if f"{name}_{end}" in found}
    spread = {end: _by_method(found[variable]) for end, variable in with_spread.items()}
    by_element = {"element": found.element.item()} if not found.element.dims else {}
    return {
        "name": name,
        "label": label,
        "group": group,
        "scale": scale,
        "values": _by_method(found[name]),
        **spread,
        **by_element,
    }


def _by_method(values: xr.DataArray) -> dict[str, list[float | None]]:
    return {str(one): rounded(values.sel({METHOD: one}).values.ravel().tolist()) for one in values[METHOD].values}


def _marks(own: xr.Dataset) -> list[str]:
    """The letters of every cell (workflows/maps/sampling_map.py)."""
    known = (own[name].values.ravel().tolist() for name in ("at_cap", "on_bound", "regret_bound") if name in own)
    return [marks(*values) for values in zip(*known, strict=True)]


def _keys(config: CampaignConfig, method: str) -> Iterator[list[str]]:
    """The conditions of every cell, one for each repeat; the first stands for the cell."""
    for values in product(*config.axes.values()):
        yield [one.key for one in config.repeated(config.cell(method, values))]


def trial_columns(config: CampaignConfig, trials: Sequence[TrialResult]) -> Json:
    """The trials, a list for every column."""
    measures = {name: partial(TrialResult.measure, name=name) for name in MEASURES}
    parameters = {name: partial(_parameter, name=name) for name in _known_parameters(trials)}
    columns: dict[str, Callable[[TrialResult], float]] = {
        **measures,
        "error": partial(TrialResult.error, minimised=config.search.minimise),
        "fidelity": attrgetter("fidelity"),
        "seconds": attrgetter("seconds"),
        **parameters,
    }
    as_they_are = ("condition", "trial", "status", "iterations", "stopped", "device", "reason")
    return {
        **{name: [getattr(trial, name) for trial in trials] for name in as_they_are},
        **{name: rounded(map(value_of, trials)) for name, value_of in columns.items()},
    }


def _known_parameters(trials: Iterable[TrialResult]) -> list[str]:
    known = {name for trial in trials for name in (*trial.weights, *trial.point)}
    return [name for name in PARAMETERS if name in known]


def _parameter(trial: TrialResult, name: str) -> float:
    return {**trial.weights, **trial.point}.get(name, math.nan)


def order_of_cells(findings: Findings, named: Iterable[tuple[Value, ...]]) -> list[Condition]:
    """Cells of the first method: those that the campaign names, then by rising error; those without one come last."""
    method = findings.config.methods[0]
    errors = findings.map.error.sel({METHOD: method}).values.ravel()
    every = list(product(*findings.config.axes.values()))
    wanted = [*named, *(every[index] for index in np.argsort(errors, kind="stable").tolist())]
    return list(dict.fromkeys(findings.config.cell(method, values) for values in wanted))
