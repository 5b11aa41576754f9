"""How does a drawing get onto a figure, and a figure into a file?"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusedtomo.files import replacing

DPI = 150
# cells are square, so the layout cannot know beforehand how wide the drawing will be: cut what is blank
_SAVED = {"dpi": DPI, "bbox_inches": "tight", "pad_inches": 0.08}


def ink(color) -> str:
    """Black or white, whichever reads better on an RGB(A) colour (WCAG relative luminance)."""
    rgb = np.asarray(color[:3], float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ (0.2126, 0.7152, 0.0722) > 0.18 else "white"


def axes_of(target: Figure | Axes) -> Axes:
    """The axes itself, or a new one that fills the figure."""
    return target if isinstance(target, Axes) else target.add_subplot()


def to_figure(draw: Callable[[Any, Figure], None], info: Any, size_in: tuple[float, float] | None = None) -> Figure:
    """Return draw(info, figure) on a new figure of `size_in` inches, by default the info's own."""
    # no pyplot: its global state would keep every figure alive
    figure = Figure(figsize=size_in or getattr(info, "size_in", None), layout="constrained", dpi=DPI)
    draw(info, figure)
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure in the format of the suffix; an older file stays whole until the new one is complete."""
    with replacing(path) as temporary:
        figure.savefig(temporary, **_SAVED)


def png_bytes(figure: Figure) -> bytes:
    """The figure as a PNG file in memory."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", **_SAVED)
    return buffer.getvalue()
