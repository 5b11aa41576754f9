"""Figure 4 and Supplements 9 and 10: sampling maps."""

from workflows.paper.claims import Claim, always_lower, error_is, errors_are, gain, most_cells_below
from workflows.paper.figure import PAPER, PaperFigure

LOW_DOSE = (47, 9)  # the paper does not say which cells its Fig. 4b shows; 47 and 9 tilts are those of its Fig. 1
_SIZE = "Errors of fusion fall as the specimen grows (figure: sizes)."
_EITHER_SIDE = "Within 10 % it holds. At 256³ the error is lower than the paper's, of another drawing of the specimen."
_EDGES = "Errors of conventional tomography grow with the specimen (figure: sizes), and with its iterations."


def _claims(campaign: str) -> tuple[Claim, ...]:
    return (
        Claim("fused below 0.40 over most of the map", most_cells_below(campaign, "fused", 0.40), _SIZE),
        Claim("values around 1.2 for conventional tomography", errors_are(campaign, "poisson", 1.2), _EDGES),
        Claim("a 3 to 5 fold improvement over conventional", gain(campaign, "fused", "poisson", 3, 5), _EDGES),
        Claim(
            "compressed sensing reduces the error 2 to 3 fold over conventional (Supplement 9)",
            gain(campaign, "poisson-tv", "poisson", 2, 3),
        ),
        Claim(
            "conventional errors are larger than the entire multi-modal regime",
            always_lower(campaign, "fused", "poisson"),
        ),
    )


PAPER.register(
    PaperFigure(
        name="fig4",
        title="Sampling map of gold-decorated CoO/CuO nanocubes",
        paper="Fig. 4, Supplement 9",
        campaigns=("paper-fig4",),
        shows=("sampling_map", "views", "slices"),
        claims=(
            Claim("NRMSE 0.33 at the low-dose point", error_is("paper-fig4", "fused", LOW_DOSE, 0.33), _SIZE),
            Claim("NRMSE 1.301 of the conventional one", error_is("paper-fig4", "poisson", LOW_DOSE, 1.301), _EDGES),
            *_claims("paper-fig4"),
        ),
    )
)
PAPER.register(
    PaperFigure(
        name="fig4b",
        title="The low-dose point of Fig. 4b alone",
        paper="Fig. 4b",
        campaigns=("paper-fig4b",),
        shows=("views", "slices"),
        claims=(
            Claim("NRMSE 0.33 at the low-dose point", error_is("paper-fig4b", "fused", LOW_DOSE, 0.33), _EITHER_SIDE),
            Claim("NRMSE 1.301 of the conventional one", error_is("paper-fig4b", "poisson", LOW_DOSE, 1.301)),
        ),
    )
)
PAPER.register(
    PaperFigure(
        name="s10",
        title="Sampling map of a CoNiO nanotube",
        paper="Supplement 10",
        campaigns=("paper-s10",),
        shows=("sampling_map", "views", "slices"),
        claims=_claims("paper-s10"),
    )
)
