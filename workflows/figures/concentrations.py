"""How do the concentrations that methods find change over a campaign's axes (paper, Supplement 11)?"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN
from fusedtomo.plot.heat_map import title_lines
from workflows.campaign import AXES, CampaignConfig, Value
from workflows.campaign.axes import text

QUANTITIES = {"": "concentration", "fraction_": "atomic fraction"}  # by what stands before a column of the table
_MOST_MULTIPLES = 3  # of each quantity: six columns of panels fill two columns of a journal
_PANEL_IN, _AROUND_IN = 0.95, 1.4
_DODGE = 0.5  # of the way to the next value, shared by the methods: their bars would hide each other

Place = dict[str, Value]


@dataclass(frozen=True, eq=False)
class ConcentrationsInfo:
    """Means and deviations over one axis, with small multiples over the others.

    Attributes:
        title: specimen, size and noise, or "".
        table: rows of `Stoichiometry` numbers with the columns method, element and the campaign's axes.
        across: name of the axis with most values; `values` its values.
        multiples: values of the other axes, of which each has its panels.
    """

    title: str
    table: pd.DataFrame
    across: str
    values: tuple[Value, ...]
    multiples: tuple[Place, ...]

    @property
    def elements(self) -> tuple[str, ...]:
        """The rows."""
        return tuple(self.table.element.unique())

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in the order drawn."""
        return tuple(self.table.method.unique())

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height."""
        return DOUBLE_COLUMN_IN, _PANEL_IN * len(self.elements) + _AROUND_IN

    @property
    def alt_text(self) -> str:
        """What is seen, in numbers."""
        told = " ".join(f"{METHODS[name].label}: {self.told(name)}." for name in self.methods)
        return f"Mean concentrations and their deviations over {AXES[self.across].label}. {told}"

    def told(self, method: str) -> str:
        """The range of a method's means, and how far the furthest is from the truth, by element."""
        own = self.table[self.table.method == method]
        return "; ".join(_told(element, rows) for element, rows in own.groupby("element", sort=False))

    def at(self, element: str, method: str, place: Place) -> pd.DataFrame:
        """Rows (value,) in the order of the values across; NaN where there is no volume."""
        own = self.table[(self.table.element == element) & (self.table.method == method)]
        for name, value in place.items():
            own = own[own[name] == value]
        return own.set_index(self.across).reindex(list(self.values))


def _told(element: object, rows: pd.DataFrame) -> str:
    known = rows[np.isfinite(rows["mean"])]
    if known.empty:
        return f"{element} fills no voxel"
    furthest = float((known["mean"] - known.expected).abs().max())
    means = f"{known['mean'].min():.2f} to {known['mean'].max():.2f}"
    return f"{element} {means} where it is {known.expected.mean():.2f}, {furthest:.2f} off at most"


def concentrations_info(config: CampaignConfig, table: pd.DataFrame, title: str = "") -> ConcentrationsInfo:
    """Lay out a table over a campaign's axes: the one with most values across, of equals the last."""
    across = max(reversed(config.axes), key=lambda name: len(config.axes[name]))
    others = [name for name in config.axes if name != across]
    places = list(dict.fromkeys(zip(*(table[name] for name in others), strict=True))) if others else [()]
    chosen = (places[index] for index in _spread(len(places)))
    multiples = tuple(dict(zip(others, values, strict=True)) for values in chosen)
    return ConcentrationsInfo(title, table, across, config.axes[across], multiples)


def _spread(n: int) -> list[int]:
    """Indices of at most three of n things, the first and the last among them."""
    return sorted({round(k) for k in np.linspace(0, n - 1, min(n, _MOST_MULTIPLES))})


def draw_concentrations(info: ConcentrationsInfo, figure: Figure) -> None:
    """Draw a row an element; for both quantities a panel for each value of the other axes."""
    blocks = [(before, place) for before in QUANTITIES for place in info.multiples]
    panels = figure.subplots(len(info.elements), len(blocks), squeeze=False, sharex=True)
    for row, element in zip(panels, info.elements, strict=True):
        for ax, (before, place) in zip(row, blocks, strict=True):
            _draw_panel(info, element, before, place, ax)
        _share_heights(row, len(info.multiples))
        row[0].set_ylabel(element, rotation=0, ha="right", va="center", fontweight="bold")
    for ax, (before, place) in zip(panels[0], blocks, strict=True):
        said = [AXES[name].said(value) for name, value in place.items()]
        ax.set_title("\n".join([QUANTITIES[before], *said]), fontsize=7)
    axis = AXES[info.across]
    for ax in panels[-1]:
        ax.set_xlabel(axis.label if axis.unit in ("1", *axis.label.split()) else f"{axis.label} ({axis.unit})")
    if info.title:
        figure.suptitle("\n".join(title_lines(info.title, info.size_in[0])), fontsize=8)
    looks = panels[0, 0].get_legend_handles_labels()[0]
    figure.legend(handles=looks, loc="outside lower center", ncols=7, frameon=False)


def _draw_panel(info: ConcentrationsInfo, element: str, before: str, place: Place, ax: Axes) -> None:
    at, n = np.arange(len(info.values)), len(info.methods)
    own = {name: info.at(element, name, place) for name in info.methods}
    expected = [rows[f"{before}expected"] for rows in own.values()]
    truth = np.array([_first_known(values) for values in zip(*expected, strict=True)])
    ax.plot(at, truth, color="black", linestyle="--", linewidth=0.8, label="truth")
    for number, (name, rows) in enumerate(own.items()):
        look = METHODS[name]
        mean, deviation = (rows[f"{before}{of}"].to_numpy(float) for of in ("mean", "deviation"))
        x = at + _DODGE * ((number + 0.5) / n - 0.5)
        bar = {"yerr": deviation, "color": look.color, "marker": look.marker, "elinewidth": 0.7}
        ax.errorbar(x, mean, **bar, markersize=3, linewidth=0.9, label=look.label)
    ax.set_xticks(at, [text(value) for value in info.values])
    ax.spines[["top", "right"]].set_visible(False)


def _first_known(values: Iterable[float]) -> float:
    return next((value for value in values if np.isfinite(value)), np.nan)


def _share_heights(row: np.ndarray, per_quantity: int) -> None:
    """One range for the panels of a quantity, from 0; only the first names it."""
    for first in range(0, len(row), per_quantity):
        group = row[first : first + per_quantity]
        highest = max(ax.get_ylim()[1] for ax in group)
        for number, ax in enumerate(group):
            ax.set_ylim(0, highest)
            ax.tick_params(labelleft=number == 0)
