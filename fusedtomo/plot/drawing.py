"""How does a drawing get onto a figure that fits a journal, and the figure into files that are whole?"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from fusedtomo.files import replacing

SINGLE_COLUMN_IN = 88 / 25.4  # the usual widths of a journal's columns
DOUBLE_COLUMN_IN = 180 / 25.4
DPI = 300
PAGE_DPI = 200  # a double column has 1417 pixels: sharp on most screens, a quarter of the bytes

# Okabe and Ito (2008), told apart by colour-blind readers; yellow is left out, too faint for lines on white
LINE_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
# "default" first: what a user has set in matplotlibrc would change the bytes of a figure
STYLE: list[Any] = [
    "default",
    {
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "figure.titlesize": 9,
        "legend.fontsize": 7,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "axes.linewidth": 0.6,
        "lines.linewidth": 1.2,
        "lines.markersize": 4,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "axes.prop_cycle": cycler(color=LINE_COLORS),
        # text as text: it can be searched, read aloud and edited, as journals ask for; paths would be none of these.
        # A reader without DejaVu Sans sees a narrower font, which fits where the wide DejaVu fits.
        "svg.fonttype": "none",
        "svg.hashsalt": "fusedtomo",  # without it the identifiers are random
    },
]
# cells are square, so the layout cannot know beforehand how wide the drawing will be: cut what is blank; what is
# added stays below the margin of the constrained layout, so that a figure never grows beyond its column
_MARGIN_IN = 0.03
# neither date nor version: the same content gives the same bytes
_METADATA = {"png": {"Software": "fusedtomo"}, "svg": {"Creator": "fusedtomo", "Date": None}}


def to_figure(draw: Callable[[Any, Figure], None], info: Any, size_in: tuple[float, float] | None = None) -> Figure:
    """Return draw(info, figure) on a new figure, in the style of a journal.

    Args:
        draw: draws the info on a figure.
        info: what is drawn.
        size_in: width and height in inches; by default the info's own.
    """
    with matplotlib.style.context(STYLE):
        # no pyplot: its global state would keep every figure alive
        figure = Figure(figsize=size_in or getattr(info, "size_in", None), layout="constrained", dpi=DPI)
        draw(info, figure)
    return figure


def save_figure(figure: Figure, stem: str | Path) -> tuple[Path, ...]:
    """Write a figure as PNG of 300 dpi and as SVG; older files stay whole until both new ones are complete.

    Args:
        figure: what is written; the same content gives the same bytes.
        stem: the path without a suffix; ".png" or ".svg" at its end is left out.

    Returns:
        The two files.
    """
    stem = Path(stem)
    if stem.suffix in (".png", ".svg"):
        stem = stem.with_suffix("")
    png, svg = (stem.with_name(stem.name + suffix) for suffix in (".png", ".svg"))
    part = _laid_out(figure)
    with replacing(png) as new_png, replacing(svg) as new_svg:
        _write(figure, new_png, "png", part)
        _write(figure, new_svg, "svg", part)
    return png, svg


def for_a_page(png: str | Path) -> bytes:
    """A picture that `save_figure` wrote, as a PNG file in memory with fewer pixels."""
    buffer = io.BytesIO()
    with Image.open(png) as image:
        size = (round(image.width * PAGE_DPI / DPI), round(image.height * PAGE_DPI / DPI))
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(buffer, "png", dpi=(PAGE_DPI, PAGE_DPI))
    return buffer.getvalue()


def _laid_out(figure: Figure) -> Bbox:
    """The part of a figure that is drawn on, in inches; it is laid out here, and not for every file anew."""
    with matplotlib.style.context(STYLE):
        if figure.get_layout_engine() is not None:
            figure.draw_without_rendering()
            figure.set_layout_engine(None)
        return figure.get_tightbbox().padded(_MARGIN_IN)


def _write(figure: Figure, target: Path, form: str, part: Bbox) -> None:
    with matplotlib.style.context(STYLE):
        figure.savefig(target, format=form, dpi=DPI, metadata=_METADATA[form], bbox_inches=part)


def axes_of(target: Figure | Axes) -> Axes:
    """The axes itself, or a new one that fills the figure."""
    return target if isinstance(target, Axes) else target.add_subplot()


def ink(color: Sequence[float]) -> str:
    """Black or white, whichever reads better on an RGB(A) colour (WCAG relative luminance)."""
    rgb = np.asarray(color[:3], float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ (0.2126, 0.7152, 0.0722) > 0.18 else "white"
