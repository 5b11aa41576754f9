"""How do the cells of a campaign stand on paper and on a terminal? Panels of rows over columns, whatever the axes.

The last of two axes runs across and the first upwards, as in the paper's maps; a third makes panels. With one axis
there are no rows but the methods themselves. A method that is blind to the upward axis is a single row below the map.
"""

from dataclasses import dataclass

from fusedtomo.methods import METHODS
from workflows.campaign.axes import AXES, Axis, Value, text
from workflows.campaign.conditions import Condition
from workflows.campaign.config import CampaignConfig


@dataclass(frozen=True)
class Row:
    """Cells side by side, one for each value of the axis across."""

    label: str
    cells: tuple[Condition, ...]


@dataclass(frozen=True)
class Block:
    """All rows of one method in a panel, upwards: several over the upward axis, or a single one.

    Attributes:
        method: its name.
        rows: from the bottom to the top.
    """

    method: str
    rows: tuple[Row, ...]

    @property
    def is_map(self) -> bool:
        """Whether it spans the upward axis."""
        return len(self.rows) > 1 or self.rows[0].label != METHODS[self.method].label


@dataclass(frozen=True)
class Panel:
    """The cells at one value of the third axis; `title` is that value in words, "" where there is none."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Layout:
    """All cells of a campaign.

    Attributes:
        across: the axis of the columns.
        columns: its values.
        upwards: the axis of the rows; None with a single axis.
        panels: one for each value of the third axis.
    """

    across: Axis
    columns: tuple[Value, ...]
    upwards: Axis | None
    panels: tuple[Panel, ...]


def layout_of(config: CampaignConfig) -> Layout:
    """Lay out the cells of a campaign."""
    names = list(config.axes)
    up, across = (None, names[0]) if len(names) == 1 else names[:2]
    fixed: list[dict[str, Value]] = [{name: value} for name in names[2:] for value in config.axes[name]] or [{}]
    panels = tuple(_panel(config, up, across, at) for at in fixed)
    return Layout(AXES[across], config.axes[across], AXES[up] if up else None, panels)


def _panel(config: CampaignConfig, up: str | None, across: str, fixed: dict[str, Value]) -> Panel:
    title = ", ".join(AXES[name].said(value) for name, value in fixed.items())
    return Panel(title, tuple(_block(config, method, up, across, fixed) for method in config.methods))


def _block(config: CampaignConfig, method: str, up: str | None, across: str, fixed: dict[str, Value]) -> Block:
    def row(label: str, at: dict[str, Value]) -> Row:
        points = ({**fixed, **at, across: value} for value in config.axes[across])
        return Row(label, tuple(config.cell(method, tuple(point[name] for name in config.axes)) for point in points))

    if up is None or not METHODS[method].uses(AXES[up].term):
        first = {up: config.axes[up][0]} if up else {}
        return Block(method, (row(METHODS[method].label, first),))
    return Block(method, tuple(row(text(value), {up: value}) for value in config.axes[up]))
