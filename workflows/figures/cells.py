"""How do the sampling map and the atlas look over two or three axes (paper, Fig. 4a, Supplement 9a and 22a)?"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib import colormaps, patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator

from fusedtomo.methods import METHODS
from workflows.campaign import CampaignConfig, Condition
from workflows.campaign.axes import text
from workflows.campaign.layout import Block, Layout, Panel, layout_of
from workflows.figures.drawing import axes_of, ink

COLORS = "viridis"  # perceptually uniform; as in the paper, brighter is worse
BELOW_COLORS = "cividis"  # of the rows below the map, which have a scale of their own
_GAP = 0.45  # rows between the map and the rows below it
_CELL_IN = 0.56  # inches; smaller when the map is large
_LARGEST_IN = 9.0
_EMPTY = {"facecolor": "0.93", "edgecolor": "0.65", "hatch": "////", "linewidth": 0}
SYMBOLS = {
    "haadf": r"$\lambda_1$ (HAADF)",
    "chemical": r"$\lambda_2$ (chemical)",
    "tv": r"$\lambda_3$ (TV)",
    "gamma": r"$\gamma$",
    "eps": r"$\epsilon$ (counts)",
}
LEGEND = {"c": "c: the best trial stopped at the cap of iterations", "b": "b: it lies on a bound of the search"}

Scale = Literal["linear", "log"]


@dataclass(frozen=True, eq=False)
class CellsInfo:
    """A heat map, ready to be drawn.

    Attributes:
        title: above it.
        values: (row, column) float64; NaN is drawn hatched. Rows run from the bottom to the top.
        texts: what is written in each cell; "" in hatched ones.
        marks: what to know of each cell, letters of LEGEND.
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
    limits: tuple[float, float]
    below_limits: tuple[float, float] | None
    scale: Scale
    label: str
    across: str
    upwards: str
    boundary: np.ndarray

    @property
    def cell_in(self) -> float:
        """Width of a cell in inches."""
        return min(_CELL_IN, _LARGEST_IN / max(self.values.shape))

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of a figure with room for labels and colour bars."""
        rows, columns = self.values.shape
        bars = 2.5 if self.below_limits is None else 3.4
        return max(3.8, columns * self.cell_in + bars), max(2.6, (rows + 1) * self.cell_in + 1.3)

    @property
    def alt_text(self) -> str:
        """What is seen, in words."""
        low, high = self.limits
        rows = f"{len(self.row_labels)} rows ({self.upwards}) by {len(self.column_labels)} columns ({self.across})"
        empty = int(np.isnan(self.values).sum())
        return f"Heat map, {self.title}: {rows}, from {low:.3g} to {high:.3g}" + (f", {empty} empty." if empty else ".")


def sampling_map_info(config: CampaignConfig, sampling: xr.Dataset) -> tuple[CellsInfo, ...]:
    """A heat map for each panel and each method that sees the axis upwards.

    The methods that do not see it stand below the first one of a panel, as rows on a colour scale of their own.
    """
    layout = layout_of(config)
    limits = color_limits(_all_values(sampling, layout, maps=True), "linear")
    return tuple(info for panel in layout.panels for info in _panel_infos(config, sampling, layout, panel, limits))


def _panel_infos(config, sampling: xr.Dataset, layout: Layout, panel: Panel, limits) -> list[CellsInfo]:
    maps, below = _split(panel)
    said = ", ".join(filter(None, [panel.title, subject_of(config)]))
    infos = []
    for number, block in enumerate(maps):
        rows = [row for one in reversed(below) for row in one.rows] if number == 0 else []
        values = _grid(sampling, "error", [*(row.cells for row in rows), *(row.cells for row in block.rows)])
        infos.append(_cells(sampling, layout, f"{METHODS[block.method].label}: {said}", values, block, rows, limits))
    return infos


def subject_of(config: CampaignConfig) -> str:
    """Specimen, size and noise, where no axis changes them, for titles."""
    acquisition = config.acquisition
    parts = [config.phantom.name, "" if "size" in config.axes else f"{config.phantom.size}³"]
    for label, series in (("HAADF", acquisition.haadf), ("chemical", acquisition.chemical)):
        if series.snr is not None and not isinstance(series.snr, dict):
            parts.append(f"{label} SNR {series.snr:g}")
        elif isinstance(series.snr, dict):
            parts.append(f"{label} SNR {min(series.snr.values()):g} to {max(series.snr.values()):g}")
        elif series.dose_counts:
            parts.append(f"{label} {series.dose_counts:g} counts a pixel")
    return ", ".join(filter(None, parts))


def _split(panel: Panel) -> tuple[list[Block], list[Block]]:
    return [one for one in panel.blocks if one.is_map], [one for one in panel.blocks if not one.is_map]


def _at(sampling: xr.Dataset, cell: Condition) -> dict[str, object]:
    """Where a cell stands in a map; an axis that its method does not see stands at its first value."""
    axes = [name for name in sampling.error.dims if name != "method_name"]
    return {"method_name": cell.method, **{name: sampling[name].values[0] for name in axes}, **dict(cell.at)}


def _value(sampling: xr.Dataset, name: str, cell: Condition):
    return sampling[name].sel(_at(sampling, cell)).item()


def _grid(sampling: xr.Dataset, name: str, rows) -> np.ndarray:
    return np.array([[_value(sampling, name, cell) for cell in cells] for cells in rows], float)


def _all_values(sampling: xr.Dataset, layout: Layout, *, maps: bool) -> np.ndarray:
    blocks = [block for panel in layout.panels for block in panel.blocks if block.is_map is maps]
    return np.array([_value(sampling, "error", cell) for b in blocks for row in b.rows for cell in row.cells], float)


def _cells(sampling: xr.Dataset, layout: Layout, title: str, values, block: Block, below, limits) -> CellsInfo:
    rows = [*(row for row in below), *block.rows]
    centres = [*(-1.0 - _GAP - k for k in reversed(range(len(below)))), *range(len(block.rows))]
    return CellsInfo(
        title=title,
        values=values,
        texts=_texts(values, "{:.2f}"),
        marks=tuple(tuple(_marks(sampling, cell) for cell in row.cells) for row in rows),
        row_labels=tuple(row.label for row in rows),
        column_labels=tuple(map(text, layout.columns)),
        row_centres=np.array(centres, float),
        limits=limits,
        below_limits=color_limits(values[: len(below)], "linear") if below else None,
        scale="linear",
        label=str(sampling.error.attrs["symbol"]),
        across=layout.across.label,
        upwards=layout.upwards.label if layout.upwards else "",
        boundary=_boundary(layout, block),
    )


def _marks(sampling: xr.Dataset, cell: Condition) -> str:
    return ("c" if _value(sampling, "at_cap", cell) else "") + ("b" if _value(sampling, "on_bound", cell) else "")


def _boundary(layout: Layout, block: Block) -> np.ndarray:
    """Where both axes count the same, the height above which there is at least as much upwards as across."""
    if layout.upwards is None or layout.upwards.unit != layout.across.unit or layout.across.unit == "1":
        return np.array([])
    values = [float(row.label) for row in block.rows]
    return np.array([sum(value < column for value in values) - 0.5 for column in layout.columns])


def atlas_info(config: CampaignConfig, sampling: xr.Dataset) -> dict[str, tuple[CellsInfo, ...]]:
    """Heat maps of every parameter of the first map's method; parameters that are the same everywhere are left out.

    Weights and eps have logarithmic colours, gamma (between 1 and 2) linear ones.
    """
    layout, found = layout_of(config), {}
    for name in varied_parameters(sampling):
        scale: Scale = "linear" if name == "gamma" else "log"
        infos = []
        for panel in layout.panels:
            for block in _split(panel)[0][:1]:
                values = _grid(sampling, name, [row.cells for row in block.rows])
                title = ", ".join(filter(None, [SYMBOLS.get(name, name), panel.title]))
                infos.append(_parameter(layout, block, title, name, values, scale))
        found[name] = tuple(infos)
    return found


def varied_parameters(sampling: xr.Dataset) -> list[str]:
    """Parameters of the first method that are not the same in all cells."""
    own = sampling.isel(method_name=0)
    spread = {name: own[name].values[np.isfinite(own[name].values)] for name in SYMBOLS if name in own}
    return [name for name, values in spread.items() if values.size and np.ptp(values) > 0]


def _parameter(layout: Layout, block: Block, title: str, name: str, values: np.ndarray, scale: Scale) -> CellsInfo:
    return CellsInfo(
        title=title,
        values=values,
        texts=_texts(values, "{:.2g}"),
        marks=tuple(("",) * values.shape[1] for _ in values),
        row_labels=tuple(row.label for row in block.rows),
        column_labels=tuple(map(text, layout.columns)),
        row_centres=np.arange(len(block.rows), dtype=float),
        limits=color_limits(values, scale),
        below_limits=None,
        scale=scale,
        label=SYMBOLS.get(name, name),
        across=layout.across.label,
        upwards=layout.upwards.label if layout.upwards else "",
        boundary=np.array([]),
    )


def _texts(values: np.ndarray, form: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple("" if np.isnan(value) else _short(value, form) for value in row) for row in values)


def _short(value: float, form: str) -> str:
    """Two significant digits that fit a cell: 1e-05 becomes 1e-5."""
    return form.format(value).replace("e-0", "e-").replace("e+0", "e")


def color_limits(values: np.ndarray, scale: str) -> tuple[float, float]:
    """Smallest and largest finite value (above 0 on a log scale), spread when they are one and the same."""
    shown = values[np.isfinite(values) & ((values > 0) | (scale == "linear"))]
    if not shown.size:
        return (0.1, 1.0)
    low, high = float(shown.min()), float(shown.max())
    if high - low > 1e-9 * abs(high):
        return low, high
    # a colour scale needs a range
    return (low / 1.5, high * 1.5) if scale == "log" else (low - 0.1, high + 0.1)


def draw_cells(infos: tuple[CellsInfo, ...], figure: Figure) -> None:
    """Draw heat maps side by side, in rows of at most three, into a figure that is made as large as they need."""
    across = min(len(infos), 3)
    down = -(-len(infos) // across)
    width, height = (max(info.size_in[side] for info in infos) for side in (0, 1))
    figure.set_size_inches(across * width, down * height)
    for index, info in enumerate(infos):
        draw_heat_map(info, figure.add_subplot(down, across, index + 1))
    used = {letter for info in infos for row in info.marks for marks in row for letter in marks}
    if used:
        figure.supxlabel("   ".join(LEGEND[letter] for letter in LEGEND if letter in used), fontsize=7, color="0.3")


def draw_heat_map(info: CellsInfo, target: Figure | Axes) -> None:
    """Draw one heat map with its colour bars into an axes, or into a new one of a figure."""
    ax = axes_of(target)
    norms = [LogNorm(*limits) if info.scale == "log" else Normalize(*limits) for limits in _limits(info)]
    maps = [colormaps[COLORS], colormaps[BELOW_COLORS]]
    for row, centre in enumerate(info.row_centres):
        which = int(centre < 0)
        for column in range(len(info.column_labels)):
            _draw_cell(info, ax, row, column, norms[which], maps[which])
    _frame(info, ax)
    _draw_color_bars(info, ax, [ScalarMappable(norm, colors) for norm, colors in zip(norms, maps, strict=False)])
    if info.boundary.size and (info.boundary > -0.5).any():
        _draw_boundary(info, ax)


def _limits(info: CellsInfo) -> list[tuple[float, float]]:
    return [info.limits] if info.below_limits is None else [info.limits, info.below_limits]


def _draw_cell(info: CellsInfo, ax: Axes, row: int, column: int, norm, colors) -> None:
    value, centre = info.values[row, column], info.row_centres[row]
    corner = (column - 0.5, centre - 0.5)
    if np.isnan(value):
        ax.add_patch(Rectangle(corner, 1, 1, **_EMPTY))
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="white", linewidth=1))
        return
    color = colors(norm(value) if value > 0 or info.scale == "linear" else 0.0)
    ax.add_patch(Rectangle(corner, 1, 1, facecolor=color, edgecolor="white", linewidth=0.4))
    # 4 digits are about 2.6 font sizes wide
    size_pt = min(9.0, info.cell_in * 72 / 3.4)
    shared = {"color": ink(color), "va": "center"}
    ax.text(column, centre, info.texts[row][column], fontsize=size_pt, ha="center", **shared)
    if info.marks[row][column]:
        place = (column + 0.46, centre + 0.36)
        ax.text(*place, info.marks[row][column], fontsize=0.6 * size_pt, ha="right", **shared)


def _draw_color_bars(info: CellsInfo, ax: Axes, colors: list[ScalarMappable]) -> None:
    below = info.row_centres < 0
    names = [info.label, f"{info.label}, rows below"]
    for mappable, values, name in zip(colors, (info.values[~below], info.values[below]), names, strict=False):
        if np.isfinite(values).any():
            ticks, form = None, None
            if info.scale == "log":
                ticks, form = LogLocator(subs=(1, 2, 5)), FuncFormatter(lambda value, _: f"{value:g}")
            place = {"shrink": 0.9, "aspect": 22, "pad": 0.03}
            ax.figure.colorbar(mappable, ax=ax, label=name, ticks=ticks, format=form, **place).minorticks_off()


def _frame(info: CellsInfo, ax: Axes) -> None:
    ax.set_xlim(-0.5, len(info.column_labels) - 0.5)
    ax.set_ylim(info.row_centres.min() - 0.5, info.row_centres.max() + 0.5)
    ax.set_aspect("equal")
    ax.set_xticks(range(len(info.column_labels)), info.column_labels)
    ax.set_yticks(info.row_centres, info.row_labels)
    ax.tick_params(length=0, labelsize=9)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(info.across)
    ax.set_title(info.title, fontsize=8, loc="left")
    # beside the numbers, centred on the map's rows (from 0 up); an axis label would stand left of all names
    place = {"xycoords": ("axes fraction", "data"), "xytext": (-34, 0), "textcoords": "offset points"}
    ax.annotate(info.upwards, (0, info.row_centres.max() / 2), **place, rotation=90, ha="center", va="center")


def _draw_boundary(info: CellsInfo, ax: Axes) -> None:
    columns = np.arange(len(info.boundary))
    x = np.column_stack([columns - 0.5, columns + 0.5]).ravel()
    outline = [patheffects.Stroke(linewidth=3, foreground="black"), patheffects.Normal()]
    ax.plot(x, np.repeat(info.boundary, 2), color="white", linewidth=1.4, path_effects=outline, clip_on=False)
    said = f"above the line: {info.upwards} at least as many as {info.across}"
    ax.set_title(f"{info.title}\n{said}", fontsize=8, loc="left")
