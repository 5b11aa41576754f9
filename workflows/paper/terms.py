"""Supplements 2 and 3: each term of the cost function left out in turn, each time with its own best weights."""

from workflows.paper.claims import Claim, Find, Found, Runs, error_at
from workflows.paper.figure import PAPER, PaperFigure
from workflows.paper.maps import LOW_DOSE


def lower(campaign: str, method: str, *than: str) -> Find:
    """Whether a method's error is below those of all others, in the one cell of a campaign."""

    def find(runs: Runs) -> Found | None:
        found = {name: error_at(runs[campaign], name, LOW_DOSE) for name in (method, *than)}
        own = found.pop(method)
        if not all(value > 0 for value in (own, *found.values())):
            return None
        others = tuple(found.values())
        return Found(f"{{:.3f}} against {', '.join(['{:.3f}'] * len(others))}", own < min(others), (own, *others))

    return find


for _name, _title, _of in (("s2", "nanocubes", "Supplement 2"), ("s3", "nanotube", "Supplement 3")):
    _campaign = f"paper-{_name}"
    PAPER.register(
        PaperFigure(
            name=_name,
            title=f"Each term of the cost function left out in turn: {_title}",
            paper=_of,
            campaigns=(_campaign,),
            shows=("slices",),
            claims=(
                Claim(
                    "with the HAADF term maps are still noisy, but improve over those of the chemical term alone",
                    lower(_campaign, "fused-without-tv", "poisson"),
                ),
                Claim(
                    "all three terms are necessary for accurate recovery",
                    lower(_campaign, "fused", "fused-without-tv", "poisson-tv", "poisson"),
                ),
            ),
        )
    )
