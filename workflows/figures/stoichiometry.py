"""Does a reconstruction find the concentrations that are there (paper, Supplement 11)?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, SINGLE_COLUMN_IN
from fusedtomo.plot.heat_map import title_lines
from fusedtomo.stoichiometry import BINS, Distribution, Stoichiometry

_HISTOGRAM_IN = 0.8
_LINE_IN = 0.1  # of each method, above the histograms and in the last row
_AROUND_IN = 1.5  # title, names, axes and legend
_HALF = (BINS[1] - BINS[0]) / 2
_EDGES = np.append(BINS - _HALF, BINS[-1] + _HALF)
_LABELS = ("concentration", "atomic fraction", "amount in the vacuum (%)")


@dataclass(frozen=True, eq=False)
class StoichiometryInfo:
    """What every method says of every element.

    Attributes:
        title: specimen, size and noise, or "".
        methods: by name, in the order drawn: by element.
    """

    title: str
    methods: Mapping[str, Mapping[str, Stoichiometry]]

    @property
    def elements(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(next(iter(self.methods.values())))

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height: one column of a journal for an element or two, else both."""
        width = SINGLE_COLUMN_IN if len(self.elements) < 3 else DOUBLE_COLUMN_IN
        return width, sum(self.heights) + _AROUND_IN

    @property
    def lines_in(self) -> float:
        """Height of a line for each method."""
        return _LINE_IN * len(self.methods)

    @property
    def heights(self) -> tuple[float, float, float]:
        """Of the three rows, in inches."""
        return _HISTOGRAM_IN + self.lines_in, _HISTOGRAM_IN + self.lines_in, _LINE_IN + self.lines_in

    @property
    def alt_text(self) -> str:
        """What is seen, in numbers."""
        said = " ".join(f"{METHODS[name].label}: {self.told(name)}." for name in self.methods)
        return f"Mean and deviation of concentrations. {said}"

    def told(self, method: str) -> str:
        """What a method finds of every element, in words and numbers."""
        return "; ".join(f"{element} {_told(one)}" for element, one in self.methods[method].items())

    @property
    def table(self) -> list[dict[str, str | float]]:
        """The numbers, one row a method and element."""
        return [
            {
                "method": METHODS[name].label,
                "element": element,
                "voxels": one.voxels,
                **_numbers(one.concentration),
                **{f"fraction_{number}": value for number, value in _numbers(one.fraction).items()},
                "in_vacuum": one.in_vacuum,
            }
            for name, found in self.methods.items()
            for element, one in found.items()
        ]


def _told(one: Stoichiometry) -> str:
    if not one.voxels:
        return "fills no voxel"
    of = one.concentration
    vacuum = f"{100 * one.in_vacuum:.0f} % of it in the vacuum"
    return f"{of.mean:.2f} ± {of.deviation:.2f} where it is {of.expected:.2f}, {vacuum}"


def _numbers(of: Distribution) -> dict[str, float]:
    return {"expected": of.expected, "median": of.median, "mean": of.mean, "deviation": of.deviation}


def draw_stoichiometry(info: StoichiometryInfo, figure: Figure) -> None:
    """Draw a column an element: histograms of concentrations and of atomic fractions, and shares in the vacuum."""
    panels = figure.subplots(3, len(info.elements), squeeze=False, height_ratios=info.heights)
    strip = info.lines_in / info.heights[0]
    for column, element in zip(panels.T, info.elements, strict=True):
        own = {name: found[element] for name, found in info.methods.items()}
        column[0].set_title(f"{element}, {next(iter(own.values())).voxels:,} voxels")
        _draw_histograms({name: one.concentration for name, one in own.items()}, np.inf, strip, column[0])
        _draw_histograms({name: one.fraction for name, one in own.items()}, 1.0, strip, column[1])
        _draw_vacuum({name: one.in_vacuum for name, one in own.items()}, column[2])
    for row, label in zip(panels, _LABELS, strict=True):
        for ax in row:
            ax.set(xlabel=label, yticks=[])
            ax.spines[["top", "right", "left"]].set_visible(False)
    if info.title:
        figure.suptitle("\n".join(title_lines(info.title, info.size_in[0])), fontsize=8)
    looks = [look for ax in panels[::-2, 0] for look in ax.get_legend_handles_labels()[0]]
    figure.legend(handles=looks, loc="outside lower center", ncols=3 if len(info.elements) < 3 else 7, frameon=False)


def _draw_histograms(methods: Mapping[str, Distribution], most: float, strip: float, ax: Axes) -> None:
    """Histograms of all methods; above them, in a strip of the panel, mean and deviation of each."""
    expected = next(iter(methods.values())).expected
    if np.isnan(expected):  # no voxel is full
        return
    for line, (name, one) in enumerate(methods.items()):
        look = METHODS[name]
        ax.stairs(one.shares, _EDGES * expected, color=look.color, fill=True, alpha=0.2)
        ax.stairs(one.shares, _EDGES * expected, color=look.color, linewidth=1.0)
        bar = {"xerr": one.deviation, "color": look.color, "fmt": look.marker, "elinewidth": 0.9, "capsize": 2}
        height = 1 - strip * (line + 0.5) / len(methods)
        ax.errorbar(one.mean, height, **bar, transform=ax.get_xaxis_transform())
    ax.axvline(expected, color="black", linestyle="--", linewidth=0.8, label="truth")
    highest = max(one.shares.max() for one in methods.values())
    ax.set_ylim(0, highest / (0.95 - strip))
    _mark_values(expected, most, ax)


def _mark_values(expected: float, most: float, ax: Axes) -> None:
    """The axis from 0 to the last bin, which holds what is above it as well, or to the highest value there is."""
    last = min(BINS[-1] * expected, most)
    ax.set_xlim(-_HALF * expected, last + _HALF * expected)
    at_most = np.isclose(last, most, rtol=1e-2)  # the mean of the truth is rounded
    ticks = {"0": 0.0, f"{expected:.2g}": expected, f"{'' if at_most else '≥ '}{last:.2g}": last}
    ax.set_xticks(list(ticks.values()), list(ticks))


def _draw_vacuum(methods: Mapping[str, float], ax: Axes) -> None:
    for line, (name, share) in enumerate(methods.items()):
        look = METHODS[name]
        ax.hlines(line, 0, 100 * share, color=look.color)
        ax.plot(100 * share, line, look.marker, color=look.color, label=look.label, clip_on=False)
    ax.set(xlim=(0, 100), ylim=(len(methods) - 0.3, -0.7), xticks=[0, 50, 100])
