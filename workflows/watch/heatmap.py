"""The map on a terminal: coloured blocks with the lowest error of every cell so far."""

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.style import Style
from rich.text import Text

from fusedtomo.methods import METHODS
from workflows.campaign import Condition
from workflows.campaign.axes import text
from workflows.campaign.layout import Block, Layout, Panel, Row, layout_of
from workflows.campaign.measures import label_of
from workflows.record.tally import Cell, Tally

Limits = tuple[float, float]

# viridis, as the figures use it, at 0, 1/8, ... 1: matplotlib takes a second to import
_VIRIDIS = (
    (68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140),
    (40, 174, 128), (94, 201, 98), (173, 220, 48), (253, 231, 37),
)  # fmt: skip
_CELL_WIDTHS = (6, 5, 4, 2)  # characters; a cell of 2 has no number
_LABEL_WIDTH = 13


def heat_map(tally: Tally, width: int, most_rows: int | None = None) -> RenderableType:
    """The map as coloured blocks with the error in them, bold once the cell is done, underlined where it is marked.

    Methods that do not see the axis upwards stand below, on colours of their own: their errors are so much larger that
    they would leave the map a single colour.

    Args:
        tally: what is shown.
        width: of the terminal in characters.
        most_rows: lines for the rows of maps; where there are more of them, two share a line, without numbers. The
            methods below keep theirs.
    """
    return _Drawing(tally, layout_of(tally.config), width, most_rows).drawn()


def map_rows(layout: Layout) -> int:
    """Lines that the rows of all maps take."""
    return sum(len(block.rows) for panel in layout.panels for block in panel.blocks if block.is_map)


def other_lines(layout: Layout) -> int:
    """Lines that everything else takes: titles, headings, axes, the methods below and the legend."""
    return 1 + sum(_lines_beside(panel) for panel in layout.panels)


def _lines_beside(panel: Panel) -> int:
    maps = sum(block.is_map for block in panel.blocks)
    below = len(panel.blocks) - maps
    return bool(panel.title) + 2 + (maps if maps > 1 else 0) + below + bool(maps and below)


def _alike(one: Block, other: Block) -> bool:
    """Whether two methods share colours: those with the HAADF term, whose errors are far lower, never with others."""
    a, b = METHODS[one.method], METHODS[other.method]
    same = a.terms == b.terms if one.is_map else a.uses("haadf") == b.uses("haadf")
    return one.is_map == other.is_map and same


class _Drawing:
    """One drawing of the map."""

    def __init__(self, tally: Tally, layout: Layout, width: int, most_rows: int | None):
        self.tally, self.layout = tally, layout
        self.dense = most_rows is not None and map_rows(layout) > most_rows
        words = [layout.across.label, layout.upwards.label if layout.upwards else ""]
        blocks = [block for panel in layout.panels for block in panel.blocks]
        words += [row.label for block in blocks for row in block.rows]
        self.label_width = max(_LABEL_WIDTH, *map(len, words))
        self.width, self.cell_width = width, self._fitting(width)
        self.limits = {id(block): self._limits_of(one for one in blocks if _alike(one, block)) for block in blocks}

    def drawn(self) -> RenderableType:
        """All panels."""
        parts = [part for panel in self.layout.panels for part in self._panel(panel)]
        legend = "underlined: its best trial stopped at the cap of iterations or lies on a bound"
        marked = any(self.tally.cell(cell).marked for cell in self._cells())
        return Group(*parts, *([Text(legend, style="dim")] if marked and not self.dense else []))

    def _cells(self) -> Iterator[Condition]:
        return (c for panel in self.layout.panels for block in panel.blocks for row in block.rows for c in row.cells)

    def _panel(self, panel: Panel) -> list[Text]:
        title = [Text(panel.title, style="bold")] if panel.title else []
        above = [line for block in panel.blocks if block.is_map for line in self._block(block)]
        below = [self._row_below(b.rows[0], self.limits[id(b)]) for b in panel.blocks if not b.is_map]
        return [*title, self._heading(panel), *above, *([Text()] if above and below else []), *below, self._axis()]

    def _heading(self, panel: Panel) -> Text:
        up = self.layout.upwards.label if self.layout.upwards else ""
        low, high = self.limits[id(panel.blocks[0])]
        scale = f", dark {low:.3f} to bright {high:.3f}" if self.dense else ""
        said = f"lowest {label_of(self.tally.config.search.minimise)} of every cell{scale}"
        return Text(f"{up:>{self.label_width}}  {said}", style="dim")

    def _block(self, block: Block) -> list[Text]:
        downwards, limits = block.rows[::-1], self.limits[id(block)]
        several = sum(one.is_map for one in self.layout.panels[0].blocks) > 1
        title = [Text(METHODS[block.method].label)] if several else []
        if not self.dense:
            return [*title, *(self._row(row, limits) for row in downwards)]
        pairs = [downwards[first : first + 2] for first in range(0, len(downwards), 2)]
        return [*title, *(self._two_rows(pair, limits) for pair in pairs)]

    def _row(self, row: Row, limits: Limits) -> Text:
        return self._labelled(row.label, (self._cell(self.tally.cell(cell), limits) for cell in row.cells))

    def _row_below(self, row: Row, limits: Limits) -> Text:
        """A row below the map; its lowest and highest follow it where cells are too narrow for numbers."""
        drawn = self._row(row, limits)
        errors = [error for cell in row.cells if (error := self.tally.cell(cell).error) is not None]
        if self.cell_width > _CELL_WIDTHS[-1] or not errors:
            return drawn
        span = f" {min(errors):.2f} to {max(errors):.2f}"
        return drawn.append(span, style="dim") if len(drawn) + len(span) <= self.width else drawn

    def _two_rows(self, pair: tuple[Row, ...], limits: Limits) -> Text:
        """Two rows, one above the other, or one alone: the upper half of a character has a colour of its own."""
        blocks = (self._half_blocks(column, limits) for column in zip(*(row.cells for row in pair), strict=True))
        return self._labelled(", ".join(row.label for row in pair), blocks)

    def _labelled(self, label: str, blocks: Iterable[tuple[str, Style | str]]) -> Text:
        return Text.assemble(f"{label:>{self.label_width}} ", *blocks)

    def _axis(self) -> Text:
        """Every value below its column, or only the first and the last where they would not fit."""
        values = [text(value) for value in self.layout.columns]
        if all(len(value) < self.cell_width for value in values):
            said = "".join(_fit(value, self.cell_width) for value in values)
        else:
            said = f"{values[0]} to {values[-1]}" if len(values) > 1 else values[0]
        return Text(f"{self.layout.across.label:>{self.label_width}} {said}", style="dim")

    def _half_blocks(self, cells: tuple[Condition, ...], limits: Limits) -> tuple[str, Style]:
        upper, *lower = (self._paint(self.tally.cell(cell), limits) for cell in cells)
        return "▀" * self.cell_width, Style(color=upper, bgcolor=lower[0] if lower else None)

    def _paint(self, cell: Cell, limits: Limits) -> str:
        if cell.error is None:
            return "red" if cell.begun else "grey23"
        return "rgb({},{},{})".format(*_color(_fraction(cell.error, limits)))

    def _cell(self, cell: Cell, limits: Limits) -> tuple[str, Style | str]:
        """The text of a cell and its style: waiting, only failures so far, or its lowest error."""
        if cell.error is None:
            return ("✗".center(self.cell_width), "red") if cell.begun else ("·".center(self.cell_width), "dim")
        red, green, blue = _color(_fraction(cell.error, limits))
        # not "black" and "white": themes of terminals give these names other colours
        ink = "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 130 else "#ffffff"
        style = Style(color=ink, bgcolor=f"rgb({red},{green},{blue})", bold=cell.done, underline=cell.marked)
        return _fit(_number(cell.error, self.cell_width), self.cell_width), style

    def _fitting(self, width: int) -> int:
        columns = len(self.layout.columns)
        fitting = (cell for cell in _CELL_WIDTHS if self.label_width + 1 + columns * cell <= width)
        return next(fitting, _CELL_WIDTHS[-1])

    def _limits_of(self, blocks: Iterable[Block]) -> Limits:
        """Lowest and highest error of some blocks."""
        cells = (self.tally.cell(cell).error for block in blocks for row in block.rows for cell in row.cells)
        errors = [error for error in cells if error is not None]
        return min(errors, default=0.0), max(errors, default=1.0)


def _fraction(value: float, limits: Limits) -> float:
    low, high = limits
    return (value - low) / (high - low) if high > low else 0.0


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
    part = position - index
    red, green, blue = (round(a + part * (b - a)) for a, b in zip(_VIRIDIS[index], _VIRIDIS[index + 1], strict=True))
    return red, green, blue
