"""What is a figure of the paper here? Campaigns, the products of theirs that show it, and what the paper says of it."""

from collections.abc import Callable
from dataclasses import dataclass

from fusedtomo.registry import Registry
from workflows.paper.claims import Claim, Runs
from workflows.report.product import Drawn


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the paper and how it is made again.

    Attributes:
        name: as written on the command line and in names of files, such as "fig4".
        title: what it shows.
        paper: where it stands in the paper.
        campaigns: names of the shipped campaign files that it needs, in the order they run.
        shows: names of those products of their reports that make the figure, in the order shown.
        claims: what the paper says with a number.
        draw: figures over several runs, beside those of single reports.
    """

    name: str
    title: str
    paper: str
    campaigns: tuple[str, ...]
    shows: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    draw: tuple[Callable[[Runs], Drawn | None], ...] = ()


_FILES = (
    "maps",
    "terms",
    "snr",
    "concentrations",
    "atlases",
    "resolution",
    "dose",
    "failures",
    "algorithm",
    "twins",
    "sizes",
)
PAPER: Registry[PaperFigure] = Registry(
    "figure of the paper", built_in=tuple(f"workflows.paper.{name}" for name in _FILES)
)
