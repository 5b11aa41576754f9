"""How does a campaign with a single axis look? A curve for each method, with the deviation of its repeats."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import LINE_COLORS, SINGLE_COLUMN_IN
from fusedtomo.plot.heat_map import MARKS, Scale, title_lines
from workflows.campaign import AXES, CampaignConfig
from workflows.campaign.axes import text
from workflows.campaign.measures import label_of
from workflows.figures.cells import SYMBOLS, subject_of, varied_parameters
from workflows.maps.sampling_map import METHOD, marks

_WIDE_RANGE = 2.0  # curves further apart than this factor would each be flat on a linear scale
_MARKERS = "osD^v"
_HEIGHT_IN = 2.6
_LEGEND_LINES = 2  # that the height has room for
_LEGEND_LETTERS, _LINE_LETTERS = 54, 5  # at 7 pt across a single column; as wide as the line before a label


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve.

    Attributes:
        label: of the legend.
        color, marker: of the curve.
        y: (point,) float64; NaN where there is nothing.
        deviation: (point,) of the repeats; NaN where it is not known. None without repeats.
        marks: (point,) what to know of each point, letters of MARKS; () for nothing.
    """

    label: str
    color: str
    marker: str
    y: np.ndarray
    deviation: np.ndarray | None = None
    marks: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The curve in words."""
        shown = self.y[np.isfinite(self.y)]
        return f"{self.label} from {shown[0]:.3g} to {shown[-1]:.3g}" if shown.size else f"{self.label} without a value"


@dataclass(frozen=True, eq=False)
class CurvesInfo:
    """Curves over one axis.

    Attributes:
        title: above them.
        x: (point,) where they are known; `ticks` what is written there.
        x_label, x_scale: of the axis across.
        y_label, y_scale: of the axis upwards.
        curves: one for each method, or for each parameter.
    """

    title: str
    x: np.ndarray
    ticks: tuple[str, ...]
    x_label: str
    x_scale: Scale
    y_label: str
    y_scale: Scale
    curves: tuple[Curve, ...]

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of the figure."""
        more_lines = max(0, -(-len(self.curves) // self.legend_columns) - _LEGEND_LINES)
        return SINGLE_COLUMN_IN, _HEIGHT_IN + 0.15 * (len(self.notes) + more_lines)

    @property
    def legend_columns(self) -> int:
        """How many labels fit beside each other."""
        longest = max((len(curve.label) for curve in self.curves), default=0)
        return max(1, min(3, _LEGEND_LETTERS // (longest + _LINE_LETTERS)))

    @property
    def notes(self) -> list[str]:
        """Lines below the figure, that say how to read it."""
        used = {letter for curve in self.curves for marked in curve.marks for letter in marked}
        return [words for letter, words in MARKS.items() if letter in used]

    @property
    def alt_text(self) -> str:
        """What is seen, in words."""
        ends = "; ".join(curve.told for curve in self.curves)
        return f"{self.y_label} over {self.x_label}, {self.ticks[0]} to {self.ticks[-1]}: {ends}."


def curves_info(config: CampaignConfig, sampling: xr.Dataset) -> CurvesInfo:
    """The error of every method over the campaign's only axis."""
    curves = tuple(_error_curve(sampling, name) for name in config.methods)
    scale = _scale_of([curve.y for curve in curves])
    return CurvesInfo(subject_of(config), *_across(config), label_of(config.search.minimise), scale, curves)


def _error_curve(sampling: xr.Dataset, method: str) -> Curve:
    look, own = METHODS[method], sampling.sel({METHOD: method})
    deviation = own.error_deviation.values if "error_deviation" in own else None
    known = [own[name].values for name in ("at_cap", "on_bound", "regret_bound") if name in own]
    marked = tuple(marks(*values) for values in zip(*known, strict=True))
    return Curve(look.label, look.color, look.marker, own.error.values, deviation, marked)


def _scale_of(values: list[np.ndarray]) -> Scale:
    shown = np.concatenate(values)
    shown = shown[np.isfinite(shown)]
    wide = shown.size and shown.min() > 0 and shown.max() > _WIDE_RANGE * shown.min()
    return "log" if wide else "linear"


def weights_info(config: CampaignConfig, sampling: xr.Dataset) -> CurvesInfo | None:
    """The parameters of the first method over the campaign's only axis; None where none of them varies."""
    method = config.methods[0]
    own, names = sampling.sel({METHOD: method}), varied_parameters(sampling, method)
    looks = zip(names, LINE_COLORS, _MARKERS, strict=False)
    curves = tuple(Curve(SYMBOLS[name], color, marker, _above_0(own[name].values)) for name, color, marker in looks)
    title = f"{METHODS[method].label}: {subject_of(config)}"
    return CurvesInfo(title, *_across(config), "best weights", "log", curves) if curves else None


def _above_0(values: np.ndarray) -> np.ndarray:
    """The values, NaN where a logarithmic axis has no place for them."""
    return np.where(values > 0, values, np.nan)


def _across(config: CampaignConfig) -> tuple[np.ndarray, tuple[str, ...], str, Scale]:
    (name, values), *_ = config.axes.items()
    axis, ticks = AXES[name], tuple(map(text, values))
    label = axis.label if axis.unit in ("1", *axis.label.split()) else f"{axis.label} ({axis.unit})"
    if axis.scale == "category":
        return np.arange(len(values), dtype=float), ticks, label, "linear"
    return np.array(values, float), ticks, label, axis.scale


def draw_curves(info: CurvesInfo, figure: Figure) -> None:
    """Draw the curves, their legend above them, and what explains marks below."""
    ax = figure.add_subplot()
    for curve in info.curves:
        _draw_curve(info, curve, ax)
    ax.set(xscale=info.x_scale, yscale=info.y_scale, xlabel=info.x_label, ylabel=info.y_label)
    _frame(info, ax)
    if info.title:
        figure.suptitle("\n".join(title_lines(info.title, SINGLE_COLUMN_IN)), fontsize=8)
    if info.notes:
        figure.supxlabel("\n".join(info.notes), fontsize=7, color="0.3")
    if info.curves:
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "ncols": info.legend_columns}
        ax.legend(**place, frameon=False, fontsize=7, columnspacing=1.2, handlelength=1.8)


def _draw_curve(info: CurvesInfo, curve: Curve, ax: Axes) -> None:
    ax.plot(info.x, curve.y, color=curve.color, marker=curve.marker, label=curve.label)
    if curve.deviation is not None:
        bars: dict[str, Any] = {"yerr": curve.deviation, "ecolor": curve.color, "elinewidth": 0.9}
        ax.errorbar(info.x, curve.y, **bars, fmt="none", capsize=2.5)
    for x, y, marked in zip(info.x, curve.y, curve.marks, strict=False):
        if marked and np.isfinite(y):
            ax.annotate(marked, (x, y), (4, 3), textcoords="offset points", fontsize=7, color="0.3")


def _frame(info: CurvesInfo, ax: Axes) -> None:
    ax.xaxis.set_major_locator(FixedLocator(info.x.tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels(info.ticks)
    if info.y_scale == "log":
        ax.yaxis.set_major_locator(LogLocator(subs=_subs(ax.get_ylim())))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(FuncFormatter(lambda _value, _: ""))
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0.08)


def _subs(limits: tuple[float, float]) -> tuple[float, ...]:
    """Which multiples of powers of ten are named: fewer where the axis spans more of them."""
    decades = np.log10(limits[1] / limits[0])
    return (1.0, 2.0, 3.0, 5.0, 7.0) if decades < 1 else (1.0, 3.0) if decades < 2.5 else (1.0,)
