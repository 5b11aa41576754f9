"""How is a figure of the paper made again? Its campaigns run or resume; then it is drawn and judged."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from workflows.campaign import CampaignConfig, load_campaign
from workflows.campaign.config import sizes_of
from workflows.control.run import run_campaign
from workflows.machines import Machine
from workflows.paper.claims import Judged, Runs
from workflows.paper.figure import PaperFigure
from workflows.record.runfolder import RunFolder
from workflows.record.tally import Tally, hours_text
from workflows.report.findings import Findings
from workflows.report.product import Exhibit, Product, products_of, written
from workflows.report.products import write_atlas_alone
from workflows.shipped import named_file


@dataclass(frozen=True)
class Wanted:
    """How figures are to be made.

    Attributes:
        size: voxels along each edge of the specimens; None takes the campaign files' own, the paper's.
        evaluations: trials of a fused cell; None takes the campaign files' own.
        out: the folder of all runs and figures.
    """

    size: int | None
    evaluations: int | None
    out: Path

    def campaign(self, name: str) -> CampaignConfig:
        """A shipped campaign, as wanted."""
        config = load_campaign(named_file("campaigns", name), self.size)
        if self.evaluations is None:
            return config
        search = config.search.model_copy(update={"evaluations": self.evaluations})
        return config.model_copy(update={"search": search})

    def folder(self, figure: PaperFigure) -> Path:
        """Where a figure is written."""
        return self.out / (figure.name if self.size is None else f"{figure.name}-{self.size}")


@dataclass(frozen=True)
class Reproduced:
    """A figure as it was made: its pictures, what was found where the paper has numbers, and what it cost."""

    figure: PaperFigure
    sizes: tuple[int, ...]
    spent: str
    exhibits: tuple[Exhibit, ...]
    judged: tuple[Judged, ...]


def run_all(figures: Sequence[PaperFigure], wanted: Wanted, machine: Machine, console: Console) -> bool:
    """Run or resume what the figures need, each campaign once; return whether all of it is complete."""
    configs = campaigns_of(figures, wanted)
    for number, config in enumerate(configs, start=1):
        console.print(f"campaign {number} of {len(configs)}: {config.name}", markup=False)
        if run_campaign(config, machine, wanted.out / config.name, console, write_atlas_alone) is None:
            return False
    return True


def campaigns_of(figures: Sequence[PaperFigure], wanted: Wanted) -> list[CampaignConfig]:
    """The campaigns of some figures, each once."""
    return [wanted.campaign(name) for name in dict.fromkeys(name for one in figures for name in one.campaigns)]


def made_again(figure: PaperFigure, wanted: Wanted) -> Reproduced:
    """Draw and judge a figure whose campaigns have run; its pictures and tables go into its folder."""
    runs = {name: Findings(RunFolder.read(wanted.out / wanted.campaign(name).name)) for name in figure.campaigns}
    folder = wanted.folder(figure)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {size for one in runs.values() for size in sizes_of(one.config)}
    hours: Counter[str] = Counter()
    for one in runs.values():
        hours.update(Tally(one.config, one.trials).hours)
    judged = tuple(Judged(claim, claim.find(runs)) for claim in figure.claims)
    return Reproduced(figure, tuple(sorted(sizes)), hours_text(hours), tuple(_exhibits(figure, runs, folder)), judged)


def _exhibits(figure: PaperFigure, runs: Runs, folder: Path) -> Iterator[Exhibit]:
    for name in figure.shows:
        for campaign, findings in runs.items():
            yield from _of_products(name, campaign, findings, folder)
    for draw in figure.draw:
        if drawn := draw(runs):
            yield written(drawn, folder / draw.__name__)


def _of_products(name: str, campaign: str, findings: Findings, folder: Path) -> Iterator[Exhibit]:
    """What a report's products of a name show; none where the campaign does not ask for it."""
    products: list[Product] = [one for one in products_of(findings) if one.name == name]
    for product in products:
        for subject in product.subjects(findings):
            if drawn := product.draw(findings, subject):
                of = f"-{subject.key}" if subject else ""
                yield written(drawn, folder / f"{campaign}-{name}{of}")
