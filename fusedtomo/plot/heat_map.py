"""A heat map with its colour bars, and several of them side by side: the values, and how they are drawn."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps, patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator

from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, SINGLE_COLUMN_IN, ink

COLORS = "viridis"  # perceptually uniform; as in the paper, brighter is worse
BELOW_COLORS = "cividis"  # of the rows below the map, which have a scale of their own
MARKS = {
    "c": "c: the best trial stopped at the cap of iterations",
    "b": "b: the best trial lies on a bound of the search",
    "r": "r: the best weights may be better by more than 1 %",
}
HATCHED = "hatched: no result"

_MM = 1 / 25.4
GAP = 0.45  # rows between the map and the rows below it
_LARGEST_CELL_IN = 11 * _MM
_SMALLEST_CELL_IN = 7 * _MM
_LETTER_IN = 0.6 * 7 / 72  # width of a letter of 7 points
_BAR_IN, _BAR_ROOM_IN = 2.5 * _MM, 14 * _MM  # a colour bar, and the same with its numbers
_LINE_IN = 3.6 * _MM  # of text
_HIGHEST_IN = 225 * _MM  # a page, less its caption
_EMPTY: dict[str, Any] = {"facecolor": "0.93", "edgecolor": "0.65", "hatch": "////", "linewidth": 0}

Scale = Literal["linear", "log"]
Limits = tuple[float, float]


@dataclass(frozen=True, eq=False)
class CellsInfo:
    """One heat map, ready to be drawn.

    Attributes:
        title: above it; "" for none.
        values: (row, column) float64; NaN is drawn hatched. Rows run from the bottom to the top.
        texts: what is written in each cell, in one or two lines; "" in hatched ones.
        marks: what to know of each cell, letters of MARKS.
        row_labels, column_labels: tick labels.
        row_centres: (row,) height of each row's centre, in rows; row i of the map lies at i, other rows below 0.
        limits: smallest and largest value of the map's colour scale.
        below_limits: the same of the rows below; None where there are none.
        scale: of the colours.
        label: of the colour bars.
        across, upwards: labels of the axes.
        boundary: (column,) height above which the axis upwards is at least the one across; () where units differ.
    """

    title: str
    values: np.ndarray
    texts: tuple[tuple[str, ...], ...]
    marks: tuple[tuple[str, ...], ...]
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    row_centres: np.ndarray
    limits: Limits
    below_limits: Limits | None
    scale: Scale
    label: str
    across: str
    upwards: str
    boundary: np.ndarray

    @property
    def alt_text(self) -> str:
        """What is seen, in words."""
        rows = f"{len(self.row_labels)} rows ({self.upwards}) by {len(self.column_labels)} columns ({self.across})"
        shown = self.values[np.isfinite(self.values)]
        told = f"from {shown.min():.3g} to {shown.max():.3g}" if shown.size else "without a value"
        empty = f", {self.values.size - shown.size} empty" if 0 < shown.size < self.values.size else ""
        return f"Heat map of {' of '.join(filter(None, [self.label, self.title]))}: {rows}, {told}{empty}."

    @property
    def has_line(self) -> bool:
        """Whether there is a boundary that divides the map."""
        return bool(self.boundary.size and (self.boundary > -0.5).any())

    @property
    def letters_in(self) -> float:
        """Width in inches of the longest text of a cell."""
        return _LETTER_IN * (
            1 + max((len(line) for row in self.texts for text in row for line in text.split("\n")), default=0)
        )

    @property
    def labels_in(self) -> float:
        """Width in inches of what stands left of the cells."""
        return _LETTER_IN * max(3 + self._longest(above=True), self._longest(above=False)) + 2 * _MM

    @property
    def rows(self) -> float:
        """Height, in rows, with gaps."""
        return float(np.ptp(self.row_centres)) + 1

    def _longest(self, *, above: bool) -> int:
        labels = zip(self.row_labels, self.row_centres, strict=True)
        return max((len(label) for label, centre in labels if (centre >= 0) == above), default=0)


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """All heat maps of a figure, from the left to the right and downwards.

    Attributes:
        title: what they are of; "" for nothing.
        maps: one or more.
    """

    title: str
    maps: tuple[CellsInfo, ...]

    @property
    def arrangement(self) -> tuple[int, float]:
        """Heat maps side by side, and the width of a cell in inches, so that numbers fit where that is possible."""
        wanted = max(_SMALLEST_CELL_IN, *(info.letters_in for info in self.maps))
        n = len(self.maps)
        balanced = dict.fromkeys(-(-n // -(-n // across)) for across in range(n, 0, -1))  # of four: 4, 2, 1 in a row
        choices = [(n, SINGLE_COLUMN_IN), *((across, DOUBLE_COLUMN_IN) for across in balanced)]
        cells = [(across, self._cell_in(across, width)) for across, width in choices]
        fitting = [(across, cell) for across, cell in cells if cell >= wanted]
        return fitting[0] if fitting else max(cells, key=lambda pair: pair[1])

    def _cell_in(self, across: int, width_in: float) -> float:
        """The widest that cells may be."""
        down = -(-len(self.maps) // across)
        by_width = (width_in - across * self._beside_in) / (across * self._columns)
        by_height = (_HIGHEST_IN - down * self._above_in) / (down * self._rows)
        return min(by_width, by_height, _LARGEST_CELL_IN)

    @property
    def _columns(self) -> int:
        return max(len(info.column_labels) for info in self.maps)

    @property
    def _rows(self) -> float:
        return max(info.rows for info in self.maps)

    @property
    def _beside_in(self) -> float:
        """Width of what stands beside the cells of a map."""
        return max(info.labels_in for info in self.maps) + _BAR_ROOM_IN

    @property
    def _above_in(self) -> float:
        """Height of what stands above and below the cells of a map."""
        labels = _LETTER_IN * max(len(label) for info in self.maps for label in info.column_labels)
        return 4 * _LINE_IN + max(_LINE_IN, labels)

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of the figure."""
        across, cell = self.arrangement
        width = min(DOUBLE_COLUMN_IN, max(across * (self._beside_in + cell * self._columns), 0.9 * SINGLE_COLUMN_IN))
        lines = len(title_lines(self.title, width)) + len(self.notes(width))
        down = -(-len(self.maps) // across)
        return width, down * (self._rows * cell + self._above_in) + lines * _LINE_IN

    def notes(self, width_in: float) -> list[str]:
        """Lines below the figure, that say how to read it."""
        used = {letter for info in self.maps for row in info.marks for marked in row for letter in marked}
        said = [words for letter, words in MARKS.items() if letter in used]
        said += [HATCHED] if any(np.isnan(info.values).any() for info in self.maps) else []
        lined = [info for info in self.maps if info.has_line]
        said += [f"white line: above it, {one.upwards} ≥ {one.across}" for one in lined[:1]]
        return [line for words in said for line in _wrapped(words, width_in, 7)]

    @property
    def alt_text(self) -> str:
        """What is seen, in words."""
        return " ".join([*([f"{self.title}."] if self.title else []), *(info.alt_text for info in self.maps)])


def _wrapped(words: str, width_in: float, size_pt: float) -> list[str]:
    return textwrap.wrap(words, _fitting(width_in, size_pt))


def _fitting(width_in: float, size_pt: float) -> int:
    """Letters side by side."""
    return max(12, int(width_in / (0.55 * size_pt / 72)))


def title_lines(title: str, width_in: float) -> list[str]:
    """The title, broken where it has commas."""
    lines = [""]
    for part in filter(None, title.split(", ")):
        joined = ", ".join(filter(None, [lines[-1], part]))
        lines = [*lines[:-1], joined] if len(joined) <= _fitting(width_in, 8) or not lines[-1] else [*lines, part]
    return [line for line in lines if line]


def color_limits(values: np.ndarray, scale: Scale) -> Limits:
    """Smallest and largest finite value (above 0 on a log scale), spread when they are one and the same."""
    shown = values[np.isfinite(values) & ((values > 0) | (scale == "linear"))]
    if not shown.size:
        return (0.1, 1.0)
    low, high = float(shown.min()), float(shown.max())
    if high - low > 1e-9 * abs(high):
        return low, high
    # a colour scale needs a range
    return (low / 1.5, high * 1.5) if scale == "log" else (low - 0.1, high + 0.1)


def draw_heat_maps(info: HeatMaps, figure: Figure) -> None:
    """Draw heat maps side by side, with their title above and what explains them below."""
    figure.set_layout_engine("compressed")  # cells are square: no room is left between them
    across, cell_in = info.arrangement
    width_in = figure.get_size_inches()[0]
    grid = figure.subplots(-(-len(info.maps) // across), across, squeeze=False).ravel()
    for ax in grid[len(info.maps) :]:
        ax.set_axis_off()
    for ax, one in zip(grid, info.maps, strict=False):
        draw_heat_map(one, ax, cell_in)
    if info.title:
        figure.suptitle("\n".join(title_lines(info.title, width_in)), fontsize=8)
    if notes := info.notes(width_in):
        figure.supxlabel("\n".join(notes), fontsize=7, color="0.3")


def draw_heat_map(info: CellsInfo, ax: Axes, cell_in: float = _LARGEST_CELL_IN) -> None:
    """Draw one heat map with its colour bars into an axes, for cells of so many inches."""
    norms, colors = _norms(info), (colormaps[COLORS], colormaps[BELOW_COLORS])
    size_pt = 8 if cell_in > 8 / 7 * info.letters_in else 7
    for row, centre in enumerate(info.row_centres):
        which = int(centre < 0)
        for column in range(len(info.column_labels)):
            color = _paint(info, row, column, ax, norms[which], colors[which])
            if color is not None and cell_in > 0.9 * info.letters_in:
                _write(info, row, column, ax, color, size_pt)
    _frame(info, ax, cell_in)
    _draw_color_bars(info, ax, [ScalarMappable(*pair) for pair in zip(norms, colors, strict=False)], cell_in)
    if info.has_line:
        _draw_boundary(info, ax)


def _norms(info: CellsInfo) -> list[Normalize]:
    """Of the map, and of the rows below it where there are any."""
    limits = [info.limits] if info.below_limits is None else [info.limits, info.below_limits]
    return [(LogNorm if info.scale == "log" else Normalize)(*pair, clip=True) for pair in limits]


def _paint(
    info: CellsInfo, row: int, column: int, ax: Axes, norm: Normalize, colors: Colormap
) -> tuple[float, ...] | None:
    """Fill a cell; return its colour, None for one without a value."""
    value, corner = info.values[row, column], (column - 0.5, info.row_centres[row] - 0.5)
    if np.isnan(value):
        ax.add_patch(Rectangle(corner, 1, 1, **_EMPTY))
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="white", linewidth=1))
        return None
    color = tuple(colors(float(norm(value)) if value > 0 or info.scale == "linear" else 0.0))
    ax.add_patch(Rectangle(corner, 1, 1, facecolor=color, edgecolor="white", linewidth=0.4))
    return color


def _write(info: CellsInfo, row: int, column: int, ax: Axes, color: tuple[float, ...], size_pt: float) -> None:
    """Write the number of a cell in its middle, and its marks into its upper right corner."""
    marked, centre = info.marks[row][column], info.row_centres[row]
    look: dict[str, Any] = {"color": ink(color), "ha": "center", "va": "center"}
    ax.text(column, centre - (0.12 if marked else 0), info.texts[row][column], fontsize=size_pt, linespacing=1, **look)
    if marked:
        ax.text(column + 0.46, centre + 0.46, marked, fontsize=7, **look | {"ha": "right", "va": "top"})


def _frame(info: CellsInfo, ax: Axes, cell_in: float) -> None:
    ax.set_xlim(-0.5, len(info.column_labels) - 0.5)
    ax.set_ylim(info.row_centres.min() - 0.5, info.row_centres.max() + 0.5)
    ax.set_aspect("equal")
    turned = 90 if _LETTER_IN * max(map(len, info.column_labels)) > cell_in else 0
    ax.set_xticks(range(len(info.column_labels)), info.column_labels, rotation=turned)
    ax.set_yticks(info.row_centres, info.row_labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(info.across)
    if info.title:
        ax.set_title("\n".join(title_lines(info.title, len(info.column_labels) * cell_in)), loc="left")
    _name_rows(info, ax, cell_in)


def _name_rows(info: CellsInfo, ax: Axes, cell_in: float) -> None:
    """Write what the rows are beside their numbers; an axis label would stand left of all names, far from them."""
    rows = [centre for centre in info.row_centres if centre >= 0]
    letters = max(6, int(len(rows) * cell_in / _LETTER_IN))
    said = "\n".join(textwrap.wrap(info.upwards, letters))
    beside = (-72 * _LETTER_IN * info._longest(above=True) - 8, 0)
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "xytext": beside, "textcoords": "offset points"}
    ax.annotate(said, (0, rows[-1] / 2), **place, rotation=90, ha="right", va="center", fontsize=8)


def _draw_color_bars(info: CellsInfo, ax: Axes, colors: Sequence[ScalarMappable], cell_in: float) -> None:
    """Draw a bar beside the rows that it is of."""
    below = info.row_centres < 0
    for mappable, rows in zip(colors, (~below, below), strict=False):
        centres = info.row_centres[rows]
        if np.isfinite(info.values[rows]).any():
            left, width = len(info.column_labels) - 0.5 + 1.2 * _MM / cell_in, _BAR_IN / cell_in
            place = (left, centres.min() - 0.5, width, np.ptp(centres) + 1)
            _draw_color_bar(info, ax, mappable, place, (np.ptp(centres) + 1) * cell_in)
            if info.label and centres.min() >= 0:
                ax.text(left, centres.max() + 0.5 + 1 * _MM / cell_in, info.label, va="bottom", fontsize=8)


def _draw_color_bar(
    info: CellsInfo, ax: Axes, mappable: ScalarMappable, place: tuple[float, float, float, float], height_in: float
) -> None:
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    bar = ax.inset_axes(place, transform=ax.transData)
    ticks = _ticks(mappable.get_clim(), info.scale, min(6, max(2, int(height_in / (6 * _MM)))))
    figure.colorbar(mappable, cax=bar, ticks=ticks).minorticks_off()
    bar.set_yticks(ticks, _numbers(ticks, info.scale))
    bar.spines[:].set_linewidth(0.4)


def _ticks(limits: tuple[float | None, float | None], scale: Scale, most: int) -> list[float]:
    """Round values within the limits, at most so many; the limits themselves where there are not two."""
    low, high = float(limits[0] or 0.0), float(limits[1] or 1.0)
    steps = LogLocator(subs=(1, 2, 5), numticks=12) if scale == "log" else MaxNLocator(most, steps=[1, 2, 5, 10])
    inside = [float(tick) for tick in steps.tick_values(low, high) if low <= tick <= high]
    inside = inside[:: -(-len(inside) // most)] if len(inside) > most else inside
    return inside if len(inside) > 1 else [low, high]


def _numbers(ticks: list[float], scale: Scale) -> list[str]:
    """Ticks in words, on a linear scale all with as many digits."""
    if scale == "log":
        return [f"{tick:.2g}" for tick in ticks]
    step = min(np.diff(ticks))
    digits = max(0, math.ceil(-math.log10(step) - 1e-9))
    return [f"{tick:.{digits}f}" for tick in ticks]


def _draw_boundary(info: CellsInfo, ax: Axes) -> None:
    columns = np.arange(len(info.boundary))
    x = np.column_stack([columns - 0.5, columns + 0.5]).ravel()
    outline = [patheffects.Stroke(linewidth=3, foreground="black"), patheffects.Normal()]
    ax.plot(x, np.repeat(info.boundary, 2), color="white", linewidth=1.4, path_effects=outline, clip_on=False)
