"""How is a figure of the paper made again? Its campaigns run or resume; then it is drawn and judged."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console

from workflows.campaign import CampaignConfig, load_campaign
from workflows.campaign.config import sizes_of
from workflows.control.run import run_campaigns
from workflows.machines import Machine
from workflows.paper.claims import Row, Runs, judged
from workflows.paper.figure import PAPER, PaperFigure
from workflows.record.runfolder import RunFolder
from workflows.record.tally import Tally, hours_text
from workflows.report.again import Again, folders_again
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
    """A figure as it was made; plain values, which a process may hand to another.

    Attributes:
        name: of the figure.
        sizes: of its specimens, voxels along each edge.
        spent: what its campaigns cost.
        exhibits: its pictures.
        rows: what the paper says, and what was found.
    """

    name: str
    sizes: tuple[int, ...]
    spent: str
    exhibits: tuple[Exhibit, ...]
    rows: tuple[Row, ...]

    @property
    def figure(self) -> PaperFigure:
        """The figure."""
        return PAPER[self.name]


def run_all(figures: Sequence[PaperFigure], wanted: Wanted, machine: Machine, console: Console) -> bool:
    """Run or resume what the figures need, each campaign once; return whether all of it is complete."""
    return run_campaigns(campaigns_of(figures, wanted), machine, wanted.out, console, write_atlas_alone)


def campaigns_of(figures: Sequence[PaperFigure], wanted: Wanted) -> list[CampaignConfig]:
    """The campaigns of some figures, each once."""
    return [wanted.campaign(name) for name in dict.fromkeys(name for one in figures for name in one.campaigns)]


def all_made_again(
    figures: Sequence[PaperFigure], wanted: Wanted, processes: int, say: Callable[[str], None]
) -> list[Reproduced]:
    """Draw and judge figures, in the order given, several at once in processes of their own.

    Args:
        figures: whose campaigns have run.
        wanted: how they were.
        processes: how many there may be; one figure is drawn here.
        say: told what is done.
    """
    if min(processes, len(figures)) == 1:
        return [made_again(figure, wanted) for figure in figures]
    done = []
    with ProcessPoolExecutor(min(processes, len(figures)), get_context("spawn")) as pool:
        for one in pool.map(_made, [figure.name for figure in figures], repeat(wanted)):
            done.append(one)
            say(f"drawing: {len(done)} of {len(figures)} figures")
    return done


def _made(name: str, wanted: Wanted) -> Reproduced:
    return made_again(PAPER[name], wanted)


def made_again(figure: PaperFigure, wanted: Wanted) -> Reproduced:
    """Draw and judge a figure whose campaigns have run; its pictures and tables go into its folder."""
    runs = {name: Findings(RunFolder.read(wanted.out / wanted.campaign(name).name)) for name in figure.campaigns}
    folder = wanted.folder(figure)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {size for one in runs.values() for size in sizes_of(one.config)}
    hours: Counter[str] = Counter()
    for one in runs.values():
        hours.update(Tally(one.config, one.trials).hours)
    again = _on_other_noise(runs)
    rows = tuple(judged(claim, runs, again).row for claim in figure.claims)
    exhibits = tuple(_exhibits(figure, runs, folder))
    return Reproduced(figure.name, tuple(sorted(sizes)), hours_text(hours), exhibits, rows)


def _on_other_noise(runs: Runs) -> list[Runs]:
    """The runs of a figure as they would be on each other noise; those without it, as they are."""
    again = {name: [Again(one, folder) for folder in folders_again(one)] for name, one in runs.items()}
    seeds = range(min((len(found) for found in again.values() if found), default=0))
    return [{name: again[name][seed] if again[name] else one for name, one in runs.items()} for seed in seeds]


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
