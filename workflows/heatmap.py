"""The map on a terminal: coloured blocks with the best NRMSE of every cell so far."""

from rich.console import Group, RenderableType
from rich.style import Style
from rich.text import Text

from workflows.campaign import Condition
from workflows.sampling_map import METHOD_LABELS
from workflows.tally import Tally

# viridis, as the figures use it, at 0, 1/8, ... 1: matplotlib takes a second to import
_VIRIDIS = (
    (68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140),
    (40, 174, 128), (94, 201, 98), (173, 220, 48), (253, 231, 37),
)  # fmt: skip
_CELL_WIDTHS = (6, 5, 4, 2)  # characters; a cell of 2 has no number
_LABEL_WIDTH = 13


def heat_map(tally: Tally, width: int) -> RenderableType:
    """The map as coloured blocks with the NRMSE in them, bold once the cell is done; baselines below."""
    grid = tally.config.grid
    cell_width = _cell_width(len(grid.chemical_tilts), width)
    limits = min(tally.nrmse.values(), default=0.0), max(tally.nrmse.values(), default=1.0)

    def row(label: str, method: str, haadf_tilts: int) -> Text:
        cells = (Condition(method, haadf_tilts, count).key for count in grid.chemical_tilts)
        return Text.assemble(f"{label:>{_LABEL_WIDTH}} ", *(_block(tally, key, limits, cell_width) for key in cells))

    fused = [row(str(count), "fused", count) for count in reversed(grid.haadf_tilts)]
    below = [row(METHOD_LABELS[method], method, 0) for method in tally.config.baselines]
    axis = "".join(_fit(str(count), cell_width) for count in grid.chemical_tilts)
    heading = Text(f"{'HAADF tilts':>{_LABEL_WIDTH}}  best NRMSE of every cell", style="dim")
    gap = [Text()] if below else []
    return Group(heading, *fused, *gap, *below, Text(f"{'chemical':>{_LABEL_WIDTH}} {axis}", style="dim"))


def _cell_width(columns: int, width: int) -> int:
    fitting = (cell for cell in _CELL_WIDTHS if _LABEL_WIDTH + 1 + columns * cell <= width)
    return next(fitting, _CELL_WIDTHS[-1])


def _block(tally: Tally, key: str, limits: tuple[float, float], width: int) -> tuple[str, Style | str]:
    """The text of a cell and its style: waiting, only failures so far, or its best NRMSE."""
    if key not in tally.nrmse:
        return ("✗".center(width), "red") if tally.done[key] else ("·".center(width), "dim")
    low, high = limits
    value = tally.nrmse[key]
    red, green, blue = _color((value - low) / (high - low) if high > low else 0.0)
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
