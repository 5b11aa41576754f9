"""Which figures can be made, what will each take, and what was last found?"""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from workflows.batch.plan import Span, span
from workflows.batch.speed import Speed, measured
from workflows.campaign import CampaignConfig
from workflows.campaign.config import sizes_text
from workflows.machines import Machine
from workflows.paper.figure import PaperFigure
from workflows.paper.measured import last_measured
from workflows.paper.reproduce import Wanted, campaigns_of


def speed_here(wanted: Wanted, figures: Sequence[PaperFigure], machine: Machine) -> Speed:
    """How fast this machine computes, measured on the first campaign for all of them."""
    return measured(campaigns_of(figures, wanted)[0], threads=machine.threads_per_worker)


def total(configs: Iterable[CampaignConfig], machine: Machine, speed: Speed) -> Span:
    """Seconds of some campaigns one after the other, at best and at worst."""
    spans = [span(config, machine, speed) for config in configs]
    return Span(sum(one.low_s for one in spans), sum(one.high_s for one in spans))


def show(console: Console, figures: Sequence[PaperFigure], wanted: Wanted, machine: Machine, speed: Speed) -> None:
    """Print a row a figure, and one of all."""
    cost = "predicted time" if machine.provider == "local" else "predicted node hours"
    table = Table("figure", "shows", "in the paper", "size", cost, "last measured", box=None)
    for figure in figures:
        configs = campaigns_of([figure], wanted)
        sizes = ", ".join(dict.fromkeys(map(sizes_text, configs)))
        last = last_measured(wanted.folder(figure)) or "never"
        table.add_row(figure.name, figure.title, figure.paper, sizes, _cost(configs, machine, speed), last)
    table.add_row("all", "", "", "", _cost(campaigns_of(figures, wanted), machine, speed), "")
    console.print(table)


def _cost(configs: Iterable[CampaignConfig], machine: Machine, speed: Speed) -> str:
    """The time here, or the node hours of a cluster, as if its nodes were as fast as this host."""
    spent = total(configs, machine, speed)
    if machine.provider == "local":
        return spent.text()
    nodes = machine.nodes_per_block * machine.max_blocks
    return Span(spent.low_s * nodes, spent.high_s * nodes).text(3600)
