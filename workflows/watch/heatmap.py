"""The map on a terminal: coloured blocks with the best NRMSE of every cell so far."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.style import Style
from rich.text import Text

from workflows.campaign.config import Condition
from workflows.maps.sampling_map import METHOD_LABELS
from workflows.record.tally import Tally

# viridis, as the figures use it, at 0, 1/8, ... 1: matplotlib takes a second to import
_VIRIDIS = (
    (68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140),
    (40, 174, 128), (94, 201, 98), (173, 220, 48), (253, 231, 37),
)  # fmt: skip
_CELL_WIDTHS = (6, 5, 4, 2)  # characters; a cell of 2 has no number
_LABEL_WIDTH = 13


def heat_map(tally: Tally, width: int, most_rows: int | None = None) -> RenderableType:
    """The map as coloured blocks with the NRMSE in them, bold once the cell is done; baselines below.

    Args:
        tally: what is shown.
        width: of the terminal in characters.
        most_rows: lines for the fused rows; where there are more of them, two share a line, without numbers.
    """
    grid = tally.config.grid
    dense = most_rows is not None and len(grid.haadf_tilts) > most_rows
    cell_width = _CELL_WIDTHS[-1] if dense else _cell_width(len(grid.chemical_tilts), width)
    limits = min(tally.nrmse.values(), default=0.0), max(tally.nrmse.values(), default=1.0)

    def row(label: str, method: str, haadf_tilts: int) -> Text:
        keys = (Condition(method, haadf_tilts, count).key for count in grid.chemical_tilts)
        return _row(label, (_block(tally, key, limits, cell_width) for key in keys))

    def two_rows(pair: tuple[int, ...]) -> Text:
        keys = ([Condition("fused", tilts, count).key for tilts in pair] for count in grid.chemical_tilts)
        return _row(", ".join(map(str, pair)), (_half_blocks(tally, both, limits, cell_width) for both in keys))

    downwards = grid.haadf_tilts[::-1]
    if dense:
        fused = [two_rows(downwards[first : first + 2]) for first in range(0, len(downwards), 2)]
    else:
        fused = [row(str(count), "fused", count) for count in downwards]
    below = [row(METHOD_LABELS[method], method, 0) for method in tally.config.baselines]
    scale = f", dark {limits[0]:.3f} to bright {limits[1]:.3f}" if dense else ""
    heading = Text(f"{'HAADF tilts':>{_LABEL_WIDTH}}  best NRMSE of every cell{scale}", style="dim")
    axis = Text(f"{'chemical':>{_LABEL_WIDTH}} {_axis(grid.chemical_tilts, cell_width)}", style="dim")
    return Group(heading, *fused, *([Text()] if below else []), *below, axis)


def _row(label: str, blocks: Iterable[tuple[str, Style | str]]) -> Text:
    return Text.assemble(f"{label:>{_LABEL_WIDTH}} ", *blocks)


def _axis(counts: tuple[int, ...], cell_width: int) -> str:
    """Every number below its column, or only the first and the last where they would not fit."""
    if all(len(str(count)) < cell_width for count in counts):
        return "".join(_fit(str(count), cell_width) for count in counts)
    ends = f"{counts[0]} to {counts[-1]}"
    return ends if len(counts) > 1 else str(counts[0])


def _half_blocks(tally: Tally, keys: list[str], limits: tuple[float, float], width: int) -> tuple[str, Style]:
    """Two cells, one above the other, or one alone: the upper half of a character has a colour of its own."""
    upper, *lower = (_paint(tally, key, limits) for key in keys)
    return "▀" * width, Style(color=upper, bgcolor=lower[0] if lower else None)


def _paint(tally: Tally, key: str, limits: tuple[float, float]) -> str:
    if key not in tally.nrmse:
        return "red" if tally.done[key] else "grey23"
    return "rgb({},{},{})".format(*_color(_fraction(tally.nrmse[key], limits)))


def _fraction(value: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return (value - low) / (high - low) if high > low else 0.0


def _cell_width(columns: int, width: int) -> int:
    fitting = (cell for cell in _CELL_WIDTHS if _LABEL_WIDTH + 1 + columns * cell <= width)
    return next(fitting, _CELL_WIDTHS[-1])


def _block(tally: Tally, key: str, limits: tuple[float, float], width: int) -> tuple[str, Style | str]:
    """The text of a cell and its style: waiting, only failures so far, or its best NRMSE."""
    if key not in tally.nrmse:
        return ("✗".center(width), "red") if tally.done[key] else ("·".center(width), "dim")
    value = tally.nrmse[key]
    red, green, blue = _color(_fraction(value, limits))
    # not "black" and "white": themes of terminals give these names other colours
    ink = "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 130 else "#ffffff"
    done = tally.done[key] >= tally.due[key]
    return _fit(_number(value, width), width), Style(color=ink, bgcolor=f"rgb({red},{green},{blue})", bold=done)


def _number(value: float, width: int) -> str:
    """0.342 in 6 characters, 0.34 in 5, .34 in 4 (1.3 from 1 on), nothing in 2."""
    if width < 4:
        return ""
    if width == 4:
        return f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"[1:]
    return f"{value:.{width - 3}f}" if value < 9.99 else f"{value:.0f}"


def _fit(text: str, width: int) -> str:
    """Centred, and without the text where it would not fit."""
    return (text if len(text) < width else "").center(width)


def _color(fraction: float) -> tuple[int, int, int]:
    position = fraction * (len(_VIRIDIS) - 1)
    index = min(int(position), len(_VIRIDIS) - 2)
    pairs = zip(_VIRIDIS[index], _VIRIDIS[index + 1], strict=True)
    return tuple(round(a + (position - index) * (b - a)) for a, b in pairs)
