"""Which measures of a reconstruction are there, and what does a search minimise of them?"""

from collections.abc import Mapping
from dataclasses import dataclass

from fusedtomo.registry import Registry

Minimise = str | dict[str, float]


@dataclass(frozen=True)
class Measure:
    """An error of a reconstruction; lower is better.

    Attributes:
        name: as in campaigns, journals and data sets.
        label: what people read.
        symbol: in figures.
        description: what it sees.
    """

    name: str
    label: str
    symbol: str
    description: str


MEASURES: Registry[Measure] = Registry("measure")
for _measure in (
    Measure(
        "nrmse", "NRMSE", r"$\langle$NRMSE$\rangle$", "the paper's, mean over the elements; blind to gain and offset"
    ),
    Measure("rmse", "RMSE", "RMSE", "of the concentrations themselves, mean over the elements"),
    Measure(
        "stoichiometry_error", "stoichiometry error", "stoichiometry error", "RMS of atomic fractions in the specimen"
    ),
):
    MEASURES.register(_measure)


def checked_measures(wanted: Minimise) -> Minimise:
    """What is to be minimised; ValueError for what cannot be."""
    weights = weights_of(wanted)
    for name, weight in weights.items():
        MEASURES[name]
        if not weight > 0:
            raise ValueError(f"the weight of {name} is {weight:g}; give weights above 0, or leave the measure out")
    if not weights:
        raise ValueError(f"nothing is to be minimised; name one of {', '.join(MEASURES)}")
    return wanted


def weights_of(wanted: Minimise) -> Mapping[str, float]:
    """The weight of every measure that is minimised."""
    return {wanted: 1.0} if isinstance(wanted, str) else wanted


def symbol_of(wanted: Minimise) -> str:
    """What is minimised, in figures."""
    return MEASURES[wanted].symbol if isinstance(wanted, str) else label_of(wanted)


def label_of(wanted: Minimise) -> str:
    """What is minimised, for people, such as "NRMSE" or "NRMSE + 2 stoichiometry error"."""
    parts = weights_of(wanted).items()
    return " + ".join(
        MEASURES[name].label if weight == 1 else f"{weight:g} {MEASURES[name].label}" for name, weight in parts
    )
