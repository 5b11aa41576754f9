"""What is a product of a run? A figure, a table and their caption, made from trials and from reconstructions.

Add one by `PRODUCTS.register(Product(...))` (docs/adding.md).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from fusedtomo.files import replacing
from fusedtomo.plot.drawing import for_a_page, save_figure
from workflows.campaign import Condition
from workflows.campaign.products import PRODUCTS
from workflows.report.findings import Findings

Subject = Condition | None  # a cell, or the whole campaign


@dataclass(frozen=True)
class Drawn:
    """What a product makes of one subject.

    Attributes:
        title: its heading.
        caption: what is seen and how to read it.
        figure: drawn, not saved.
        alt_text: what is seen, for those who cannot see it.
        table: the numbers behind it; None where they are volumes.
    """

    title: str
    caption: str
    figure: Figure
    alt_text: str
    table: pd.DataFrame | None = None


def _whole(_findings: Findings) -> Iterable[Subject]:
    return (None,)


def _no_volumes(_findings: Findings, _subject: Subject) -> Iterable[Condition]:
    return ()


@dataclass(frozen=True)
class Product:
    """Something that is made of a finished or unfinished run.

    Attributes:
        name: of its files.
        draw: (findings, subject) -> Drawn; None when there is nothing to draw yet.
        subjects: of which there is one each; by default the whole campaign.
        volumes: conditions whose best reconstructions it needs; workers make them after the search.
        usual: whether every report has it; the others are asked for by `report.also`.
        live: whether the interactive page shows as much of it: its picture is then for print and without scripts.
        plain: whether it is a plot, which may turn dark with the page; pictures of volumes keep their colours.
    """

    name: str
    draw: Callable[[Findings, Subject], Drawn | None]
    subjects: Callable[[Findings], Iterable[Subject]] = _whole
    volumes: Callable[[Findings, Subject], Iterable[Condition]] = _no_volumes
    usual: bool = True
    live: bool = False
    plain: bool = True


def products_of(findings: Findings) -> list[Product]:
    """The products that a run's report has."""
    return [product for product in PRODUCTS.values() if product.usual or product.name in findings.config.report.also]


@dataclass(frozen=True)
class Exhibit:
    """A product as it stands in the report: texts, picture, files beside it, and how the page treats the picture."""

    title: str
    caption: str
    alt_text: str
    png: bytes
    files: tuple[Path, ...]
    live: bool = False
    plain: bool = True


def made(product: Product, findings: Findings, subject: Subject) -> Exhibit | None:
    """Draw a product and write its files into the run folder."""
    drawn = product.draw(findings, subject)
    if drawn is None:
        return None
    stem = findings.path / (product.name if subject is None else f"{product.name}-{subject.key}")
    return replace(written(drawn, stem), live=product.live, plain=product.plain)


def written(drawn: Drawn, stem: Path) -> Exhibit:
    """Write the picture and the table of what was drawn, under a path without a suffix."""
    files = save_figure(drawn.figure, stem)
    if drawn.table is not None:
        table = stem.with_name(stem.name + ".csv")
        with replacing(table) as temporary:
            drawn.table.to_csv(temporary, index=False)
        files += (table,)
    return Exhibit(drawn.title, drawn.caption, drawn.alt_text, for_a_page(files[0]), files)
