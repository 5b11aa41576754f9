"""How does a campaign with a single axis look? A curve for each method, with the deviation of its repeats."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from fusedtomo.methods import METHODS
from workflows.campaign import AXES, CampaignConfig
from workflows.campaign.axes import text
from workflows.campaign.measures import label_of
from workflows.figures.cells import SYMBOLS, subject_of, varied_parameters
from workflows.figures.drawing import axes_of


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve: y (point,) float64 with NaN where there is nothing; deviation the same, or None."""

    label: str
    color: str
    marker: str
    y: np.ndarray
    deviation: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class CurvesInfo:
    """Curves over one axis.

    Attributes:
        title: above them.
        x: (point,) where they are known; `ticks` what is written there.
        x_label, x_scale: of the axis across; "linear" or "log".
        y_label, y_scale: of the axis upwards.
        curves: one for each method, or for each parameter.
    """

    title: str
    x: np.ndarray
    ticks: tuple[str, ...]
    x_label: str
    x_scale: str
    y_label: str
    y_scale: str
    curves: tuple[Curve, ...]

    size_in = (4.6, 3.4)

    @property
    def alt_text(self) -> str:
        """What is seen, in words."""
        ends = (f"{c.label} from {c.y[0]:.3g} to {c.y[-1]:.3g}" for c in self.curves)
        return f"{self.y_label} over {self.x_label}, {self.ticks[0]} to {self.ticks[-1]}: {'; '.join(ends)}."


def curves_info(config: CampaignConfig, sampling: xr.Dataset) -> CurvesInfo:
    """The error of every method over the campaign's only axis."""
    deviation = sampling.get("error_deviation")
    curves = tuple(
        Curve(
            METHODS[name].label,
            METHODS[name].color,
            METHODS[name].marker,
            sampling.error.sel(method_name=name).values,
            None if deviation is None else deviation.sel(method_name=name).values,
        )
        for name in config.methods
    )
    return CurvesInfo(subject_of(config), *_across(config), label_of(config.search.minimise), "linear", curves)


def weights_info(config: CampaignConfig, sampling: xr.Dataset) -> CurvesInfo:
    """The parameters of the first method over the campaign's only axis."""
    own = sampling.isel(method_name=0)
    colors, markers = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"), "osD^v"
    curves = tuple(
        Curve(SYMBOLS[name], color, marker, own[name].values)
        for name, color, marker in zip(varied_parameters(sampling), colors, markers, strict=False)
    )
    return CurvesInfo(METHODS[config.methods[0]].label, *_across(config), "best weights", "log", curves)


def _across(config: CampaignConfig) -> tuple[np.ndarray, tuple[str, ...], str, str]:
    (name, values), *_ = config.axes.items()
    axis, ticks = AXES[name], tuple(map(text, values))
    label = axis.label if axis.unit in ("1", *axis.label.split()) else f"{axis.label} ({axis.unit})"
    if axis.scale == "category":
        return np.arange(len(values), dtype=float), ticks, label, "linear"
    return np.array(values, float), ticks, label, axis.scale


def draw_curves(info: CurvesInfo, target: Figure | Axes) -> None:
    """Draw them into an axes, or into a new one of a figure."""
    ax = axes_of(target)
    for curve in info.curves:
        style = {
            "color": curve.color,
            "marker": curve.marker,
            "markersize": 4.5,
            "linewidth": 1.3,
            "label": curve.label,
        }
        if curve.deviation is None:
            ax.plot(info.x, curve.y, **style)
        else:
            ax.errorbar(info.x, curve.y, yerr=np.nan_to_num(curve.deviation), capsize=2.5, elinewidth=0.9, **style)
    ax.set(xscale=info.x_scale, yscale=info.y_scale, xlabel=info.x_label, ylabel=info.y_label)
    ax.xaxis.set_major_locator(FixedLocator(info.x))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels(info.ticks, fontsize=8)
    ax.set_title(info.title, fontsize=8, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    if info.curves:
        ax.legend(frameon=False, fontsize=8)
