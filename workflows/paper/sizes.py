"""How do results move with the size of the specimen? The paper's is 256; smaller ones are what a laptop can do."""

import numpy as np

from workflows.paper.claims import Claim, Find, Found, Runs, errors
from workflows.paper.figure import PAPER, PaperFigure

_CAMPAIGN = "paper-sizes"


def trend(method: str) -> Find:
    """A method's errors from the smallest specimen to the largest."""

    def find(runs: Runs) -> Found | None:
        findings = runs[_CAMPAIGN]
        (sizes,) = findings.config.axes.values()
        found = errors(findings, method)
        if not np.isfinite(found).all():
            return None
        return Found(", ".join(f"{error:.3f} at {size}³" for size, error in zip(sizes, found, strict=True)))

    return find


PAPER.register(
    PaperFigure(
        name="sizes",
        title="How results move with size",
        paper="Fig. 4b at several sizes",
        campaigns=(_CAMPAIGN,),
        shows=("sampling_map",),
        claims=(
            Claim("NRMSE 0.33, fused, at 256³", trend("fused"), "same tilts and SNR at every size"),
            Claim("NRMSE 1.301, conventional, at 256³", trend("poisson")),
        ),
    )
)
