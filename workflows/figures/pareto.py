"""How do the two data terms trade against each other over the searched weights (paper, Supplement 13a)?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from fusedtomo.plot.drawing import LINE_COLORS, SINGLE_COLUMN_IN
from fusedtomo.plot.heat_map import COLORS, color_limits, title_lines
from workflows.campaign.measures import MEASURES
from workflows.maps.pareto import front, knee
from workflows.record.journal import TrialResult

TERMS = ("haadf", "chemical")
_LABELS = {"haadf": "HAADF term", "chemical": "chemical term"}
_BEST, _KNEE = LINE_COLORS[0], LINE_COLORS[1]
_WIDE_RANGE, _MANY_DECADES = 3.0, 30.0  # factors between the ends of an axis


@dataclass(frozen=True, eq=False)
class ParetoInfo:
    """Trials of one condition by their two data terms.

    Attributes:
        title: the condition in words; `subject`: specimen, size and noise.
        trials: those drawn.
        terms: (trial, 2) HAADF and chemical term, without their weights, above 0.
        nrmse: (trial,) mean over the elements.
        front: indices of the trials on the Pareto front, by rising HAADF term.
        knee: index of the trial that the front suggests without the truth; None without one.
    """

    title: str
    subject: str
    trials: tuple[TrialResult, ...]
    terms: np.ndarray
    nrmse: np.ndarray
    front: np.ndarray
    knee: int | None

    size_in = (SINGLE_COLUMN_IN, 0.9 * SINGLE_COLUMN_IN)

    @property
    def best(self) -> int:
        """Index of the trial of the lowest NRMSE."""
        return int(self.nrmse.argmin())

    @property
    def told(self) -> str:
        """What a choice without the truth costs, in words."""
        best = f"the best of all trials has {self.nrmse[self.best]:.3f}"
        if self.knee is None:
            return f"the front has {len(self.front)} trials and no inflection point; {best}"
        blind = self.nrmse[self.knee]
        cost = f"{100 * (blind / self.nrmse[self.best] - 1):.0f} %"
        return f"the inflection point has an NRMSE of {blind:.3f}, {best}: choosing without the truth costs {cost}"

    @property
    def alt_text(self) -> str:
        """What is seen, in numbers."""
        spans = (f"{_LABELS[name]} {low:.3g} to {high:.3g}" for name, low, high in self._spans())
        return f"{len(self.trials)} trials of {self.title}: {', '.join(spans)}; {self.told}."

    def _spans(self) -> list[tuple[str, float, float]]:
        return [(name, float(v.min()), float(v.max())) for name, v in zip(TERMS, self.terms.T, strict=True)]

    @property
    def table(self) -> pd.DataFrame:
        """One row a trial: its point, its terms, its error, and whether it is on the front or its knee."""
        rows = [
            {
                "trial": one.trial,
                **one.point,
                **{f"{name}_term": one.terms.get(name, np.nan) for name in (*TERMS, "tv")},
            }
            for one in self.trials
        ]
        places = np.arange(len(self.trials))
        return pd.DataFrame(rows).assign(
            nrmse=self.nrmse, on_front=np.isin(places, self.front), inflection=places == self.knee
        )


def pareto_info(trials: list[TrialResult], title: str = "", subject: str = "") -> ParetoInfo | None:
    """Sort the whole trials of one condition that have both terms; None where no trial has."""
    known = [t for t in trials if t.whole and all(t.terms.get(name, 0) > 0 for name in TERMS)]
    if not known:
        return None
    terms = np.array([[one.terms[name] for name in TERMS] for one in known])
    nrmse = np.array([one.measure("nrmse") for one in known])
    return ParetoInfo(title, subject, tuple(known), terms, nrmse, front(*terms.T), knee(*terms.T))


def draw_pareto(info: ParetoInfo, figure: Figure) -> None:
    """Draw the trials, coloured by their error; the front, its inflection point and the best trial."""
    ax = figure.add_subplot()
    low, high = color_limits(info.nrmse, "linear")
    look: dict[str, Any] = {"cmap": COLORS, "vmin": low, "vmax": high, "edgecolor": "black", "linewidth": 0.4}
    ax.plot(*info.terms[info.front].T, color="black", linewidth=0.9, label="Pareto front", zorder=1)
    dots = ax.scatter(*info.terms.T, c=info.nrmse, s=22, zorder=2, **look)
    figure.colorbar(dots, ax=ax, label=MEASURES["nrmse"].symbol)
    _mark(info, ax)
    ax.set(xlabel=_LABELS["haadf"], ylabel=_LABELS["chemical"])
    for which, values in zip("xy", info.terms.T, strict=True):
        _scale(ax, which, values)
    ax.spines[["top", "right"]].set_visible(False)
    lines = [line for text in (info.title, info.subject) for line in title_lines(text, SINGLE_COLUMN_IN)]
    figure.suptitle("\n".join(lines), fontsize=8)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, columnspacing=1.2, handlelength=1.6)


def _mark(info: ParetoInfo, ax: Axes) -> None:
    ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgewidth": 1.4, "zorder": 3, "linestyle": "none"}
    if info.knee is not None:
        ax.plot(*info.terms[info.knee], "s", color=_KNEE, markersize=9, label="inflection point", **ring)
    ax.plot(*info.terms[info.best], "o", color=_BEST, markersize=9, label="lowest NRMSE", **ring)


def _scale(ax: Axes, which: str, values: np.ndarray) -> None:
    """An axis logarithmic where its values span more than a factor, with numbers in full."""
    axis, spread = getattr(ax, f"{which}axis"), values.max() / values.min()
    if spread > _WIDE_RANGE:
        ax.set(**{f"{which}scale": "log"})
        axis.set_major_locator(LogLocator(subs=(1.0,) if spread > _MANY_DECADES else (1.0, 2.0, 5.0)))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
