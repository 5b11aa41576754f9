"""How does the error of each method fall with the dose, and where does a budget stand?"""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import SINGLE_COLUMN_IN, axes_of
from workflows.maps.advice import Advice, Cell


@dataclass(frozen=True, eq=False)
class FrontInfo:
    """The cells of one method.

    Attributes:
        method: its name.
        dose, error, deviation: (cell,) of all cells; deviations are NaN where they are not known.
        front_dose, front_error: (cell,) of those that no cheaper one is as good as.
    """

    method: str
    dose: np.ndarray
    error: np.ndarray
    deviation: np.ndarray
    front_dose: np.ndarray
    front_error: np.ndarray


@dataclass(frozen=True, eq=False)
class AdviceInfo:
    """What is drawn.

    Attributes:
        fronts: one for each method.
        budget: the dose that there is.
        best: dose and error of the recommended cell; None without one.
        measure, unit: labels of the axes.
    """

    fronts: tuple[FrontInfo, ...]
    budget: float
    best: tuple[float, float] | None
    measure: str
    unit: str
    size_in: tuple[float, float] = (SINGLE_COLUMN_IN, 2.8)


def advice_info(advice: Advice, unit: str) -> AdviceInfo:
    """The numbers of the figure; `unit` is that of the doses."""
    methods = dict.fromkeys(cell.condition.method for cell in advice.cells)
    fronts = tuple(_front(advice, method) for method in methods)
    best = (advice.best.dose, advice.best.error) if advice.best else None
    return AdviceInfo(fronts, advice.budget, best, advice.measure, unit)


def _front(advice: Advice, method: str) -> FrontInfo:
    cells = [cell for cell in advice.cells if cell.condition.method == method]
    dose, error, deviation = _columns(cells)
    front_dose, front_error, _ = _columns(advice.front(method))
    return FrontInfo(method, dose, error, deviation, front_dose, front_error)


def _columns(cells: tuple[Cell, ...] | list[Cell]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array([(cell.dose, cell.error, cell.deviation) for cell in cells], float).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def draw_advice(info: AdviceInfo, target: Figure | Axes) -> None:
    """Draw cells, fronts, the budget and the recommended cell."""
    ax = axes_of(target)
    for front in info.fronts:
        _draw_front(front, ax)
    ax.axvline(info.budget, color="0.5", linestyle=":", linewidth=0.8, zorder=0, label="budget")
    if info.best:
        ax.plot(*info.best, "*", color="black", markersize=9, markerfacecolor="none", zorder=4, label="recommended")
    ax.set(xscale="log", xlabel=f"total dose ({info.unit})", ylabel=info.measure)
    if _is_wide(info):
        ax.set_yscale("log")
        for formatter in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
            formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def _draw_front(front: FrontInfo, ax: Axes) -> None:
    look = METHODS[front.method]
    if np.isfinite(front.deviation).any():
        ax.errorbar(front.dose, front.error, front.deviation, fmt="none", ecolor=look.color, elinewidth=0.5, alpha=0.35)
    ax.plot(front.dose, front.error, look.marker, color=look.color, alpha=0.35, markersize=3, markeredgewidth=0)
    ax.step(front.front_dose, front.front_error, where="post", color=look.color, marker=look.marker, label=look.label)


def _is_wide(info: AdviceInfo) -> bool:
    """Whether the lowest front would be flat on a linear scale."""
    errors = np.concatenate([front.error for front in info.fronts])
    return bool(errors.min() > 0) and math.log(errors.max() / errors.min()) > math.log(3)
