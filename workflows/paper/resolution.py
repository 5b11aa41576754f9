"""Figure 3 and Supplement 8: how fine is what fusion resolves, and what does the missing wedge cost?"""

from statistics import fmean

import numpy as np

from fusedtomo.resolution import resolution
from workflows.campaign import Value
from workflows.figures.resolution_of_methods import wedge_loss
from workflows.paper.claims import Claim, Find, Found, Runs
from workflows.paper.figure import PAPER, PaperFigure
from workflows.report.of_cells import kept

_CAMPAIGN = "paper-fig3"


def loss_along_wedge(values: tuple[Value, ...], low: float, high: float) -> Find:
    """Half-pitch along z over that along x and y, mean over the elements; it holds between two numbers."""

    def find(runs: Runs) -> Found | None:
        findings = runs[_CAMPAIGN]
        cell = findings.config.cell("fused", values)
        condition = kept(findings, cell).get("fused")
        if condition is None:
            return None
        truth, found = findings.truth(findings.first(cell)), findings.volume(condition)
        losses = {e: wedge_loss(resolution(found[e], truth.voxel_nm, truth[e])) for e in truth.elements}
        known = {element: loss for element, loss in losses.items() if np.isfinite(loss)}
        if not known:
            return None
        mean = fmean(known.values())
        words = f"{{:.2f}} ({', '.join(f'{element} {{:.2f}}' for element in known)})"
        return Found(words, low <= mean <= high, (mean, *known.values()))

    return find


PAPER.register(
    PaperFigure(
        name="fig3",
        title="Resolution of a twin of the superlattice, over the tilt range",
        paper="Fig. 3, Supplement 8",
        campaigns=(_CAMPAIGN,),
        shows=("resolution", "sampling_map", "slices"),
        claims=(
            Claim(
                "approximately a 25 % reduction in resolution along the missing wedge direction",
                loss_along_wedge((60, 60), 1.1, 1.4),
                "half-pitch of edges along z over that along x and y, at ± 60 degrees; holds from 1.1 to 1.4",
            ),
            Claim(
                "a full tilt range (± 90 degrees) avoids this loss",
                loss_along_wedge((90, 90), 0.9, 1.1),
                "holds from 0.9 to 1.1",
            ),
        ),
    )
)
