"""How do the sampling map and the atlas look (paper, Fig. 4a, Supplement 9a and 22a)?"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib import colormaps, patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator

from workflows.figures.drawing import axes_of, ink
from workflows.maps.atlas import Atlas
from workflows.maps.sampling_map import METHOD_LABELS, SamplingMap

COLORS = "viridis"  # perceptually uniform; as in the paper, brighter is worse
_GAP = 0.45  # rows between the map and the non-fused rows
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


@dataclass(frozen=True, eq=False)
class CellsInfo:
    """A heat map over numbers of tilts, ready to be drawn.

    Attributes:
        values: (row, column) float64; NaN is drawn hatched. Rows run from the bottom to the top.
        texts: what is written in each cell; "" in hatched ones.
        row_labels, column_labels: tick labels.
        row_centres: (row,) height of each row's centre, in rows; a fused row i lies at i, other rows below 0.
        limits: smallest and largest value of the colour scale.
        scale: of the colours.
        label: of the colour bar.
        boundary: (column,) height above which HAADF tilts are at least as many as chemical ones.
    """

    values: np.ndarray
    texts: tuple[tuple[str, ...], ...]
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    row_centres: np.ndarray
    limits: tuple[float, float]
    scale: Literal["linear", "log"]
    label: str
    boundary: np.ndarray

    @property
    def cell_in(self) -> float:
        """Width of a cell in inches."""
        return min(_CELL_IN, _LARGEST_IN / max(self.values.shape))

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of a figure with room for labels and colour bar."""
        rows, columns = self.values.shape
        return max(3.8, columns * self.cell_in + 2.5), max(2.6, (rows + 1) * self.cell_in + 1.1)


def sampling_map_info(sampling: SamplingMap) -> CellsInfo:
    """The map, and below it the non-fused rows on the same columns and colour scale."""
    below = list(reversed(sampling.baselines.items()))
    values = np.vstack([*(row for _, row in below), sampling.nrmse])
    centres = [*(-1.0 - _GAP - k for k in reversed(range(len(below)))), *range(len(sampling.haadf_tilts))]
    labels = (*(METHOD_LABELS[method] for method, _ in below), *map(str, sampling.haadf_tilts))
    return _cells(sampling, values, labels, centres, "linear", r"$\langle$NRMSE$\rangle$", "{:.2f}")


def atlas_info(atlas: Atlas) -> dict[str, CellsInfo]:
    """One heat map a parameter; weights and eps on log colours, gamma (between 1 and 2) on linear ones."""
    rows = tuple(map(str, atlas.map.haadf_tilts))
    return {
        name: _cells(
            atlas.map,
            grid,
            rows,
            range(len(rows)),
            "linear" if name == "gamma" else "log",
            SYMBOLS.get(name, name),
            "{:.2g}",
        )
        for name, grid in atlas.parameters.items()
    }


def _cells(sampling: SamplingMap, values, row_labels, centres, scale, label, form) -> CellsInfo:
    above = [sum(h < c for h in sampling.haadf_tilts) - 0.5 for c in sampling.chemical_tilts]
    return CellsInfo(
        values=values,
        texts=tuple(tuple("" if np.isnan(v) else _short(v, form) for v in row) for row in values),
        row_labels=tuple(row_labels),
        column_labels=tuple(map(str, sampling.chemical_tilts)),
        row_centres=np.array([*centres], float),
        limits=color_limits(values, scale),
        scale=scale,
        label=label,
        boundary=np.array(above),
    )


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


def draw_sampling_map(info: CellsInfo, target: Figure | Axes) -> None:
    """Draw the map with its colour bar into an axes, or into a new one of a figure."""
    ax = axes_of(target)
    _draw_cells(info, ax)
    if info.boundary.size and (info.boundary > -0.5).any():
        _draw_boundary(info, ax)


def draw_atlas(info: dict[str, CellsInfo], figure: Figure) -> None:
    """Draw one heat map a parameter, in one or two rows, into a figure that is made as large as they need."""
    down = 1 if len(info) <= 3 else 2
    across = -(-len(info) // down)
    width, height = next(iter(info.values())).size_in
    figure.set_size_inches(across * width, down * height)
    for index, cells in enumerate(info.values()):
        _draw_cells(cells, figure.add_subplot(down, across, index + 1))


def _draw_cells(info: CellsInfo, ax: Axes) -> None:
    norm = LogNorm(*info.limits) if info.scale == "log" else Normalize(*info.limits)
    colors = colormaps[COLORS]
    # 4 digits are about 2.6 font sizes wide
    size_pt = min(9.0, info.cell_in * 72 / 3.4)
    for row, centre in enumerate(info.row_centres):
        for column, value in enumerate(info.values[row]):
            corner = (column - 0.5, centre - 0.5)
            if np.isnan(value):
                ax.add_patch(Rectangle(corner, 1, 1, **_EMPTY))
                ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="white", linewidth=1))
                continue
            color = colors(norm(value) if value > 0 or info.scale == "linear" else 0.0)
            ax.add_patch(Rectangle(corner, 1, 1, facecolor=color, edgecolor="white", linewidth=0.4))
            ax.text(
                column,
                centre,
                info.texts[row][column],
                color=ink(color),
                fontsize=size_pt,
                ha="center",
                va="center",
            )
    _frame(info, ax)
    _draw_color_bar(info, ScalarMappable(norm, colors), ax)


def _draw_color_bar(info: CellsInfo, colors: ScalarMappable, ax: Axes) -> None:
    shown = np.unique(info.values[np.isfinite(info.values)])
    if not shown.size:
        return
    ticks, form = None, None
    if shown.size == 1:  # a parameter that was not searched
        ticks, form = shown, "%g"
    elif info.scale == "log":
        ticks, form = LogLocator(subs=(1, 2, 5)), FuncFormatter(lambda value, _: f"{value:g}")
    place = {"shrink": 0.9, "aspect": 22, "pad": 0.03}
    ax.figure.colorbar(colors, ax=ax, label=info.label, ticks=ticks, format=form, **place).minorticks_off()


def _frame(info: CellsInfo, ax: Axes) -> None:
    ax.set_xlim(-0.5, len(info.column_labels) - 0.5)
    ax.set_ylim(info.row_centres.min() - 0.5, info.row_centres.max() + 0.5)
    ax.set_aspect("equal")
    ax.set_xticks(range(len(info.column_labels)), info.column_labels)
    ax.set_yticks(info.row_centres, info.row_labels)
    ax.tick_params(length=0, labelsize=9)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("chemical tilts")
    # beside the numbers, centred on the fused rows (from 0 up); an axis label would stand left of all names
    place = {"xycoords": ("axes fraction", "data"), "xytext": (-34, 0), "textcoords": "offset points"}
    ax.annotate("HAADF tilts", (0, info.row_centres.max() / 2), **place, rotation=90, ha="center", va="center")


def _draw_boundary(info: CellsInfo, ax: Axes) -> None:
    columns = np.arange(len(info.boundary))
    x = np.column_stack([columns - 0.5, columns + 0.5]).ravel()
    outline = [patheffects.Stroke(linewidth=3, foreground="black"), patheffects.Normal()]
    ax.plot(x, np.repeat(info.boundary, 2), color="white", linewidth=1.4, path_effects=outline, clip_on=False)
    ax.set_title("above the line: at least as many HAADF as chemical tilts", fontsize=8, loc="left")
