"""What is a search strategy? A value that proposes points, and declares what it must know to do so.

Add one by `STRATEGIES.register(Strategy(...))` (docs/adding.md). Those that come with fusedtomo stand in
workflows/search, above this room: they are imported by name when one is first looked up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fusedtomo.registry import Registry


def _all(budget: int, _dimensions: int) -> int:
    return budget


def _every(budget: int) -> float:
    return budget


def _never(_asked: Any) -> bool:
    return False


@dataclass(frozen=True)
class Strategy:
    """How points are proposed.

    Attributes:
        name: as written in a campaign file.
        propose: (Asked) -> Proposal, a pure function.
        sees: "condition": the trials of its own condition, each of which has a search of its own; "campaign": those
            of all conditions, over which there is one search that chooses the condition as well.
        needs_model: (Asked) -> whether the proposal takes long, so that a worker has to make it.
        trials: (budget, dimensions) -> trials of a condition, such as a full grid's.
        laid_by_budget: whether a point depends on the budget, so that a run cannot go on with another one.
        cheap: whether it asks for the cheap trials of `search.fidelity`, where a campaign has them.
        whole: (budget) -> trials of a condition that are computed in full, in the mean, where others are cheap.
        starts_from_prior: whether it takes the trials of an earlier campaign (`search.prior`).
        certifies: whether the state of its trials says how far the map may be from the best (`search.until_regret`).
    """

    name: str
    propose: Callable[[Any], Any]
    sees: Literal["condition", "campaign"] = "condition"
    needs_model: Callable[[Any], bool] = _never
    trials: Callable[[int, int], int] = _all
    laid_by_budget: bool = False
    cheap: bool = False
    whole: Callable[[int], float] = _every
    starts_from_prior: bool = False
    certifies: bool = False


STRATEGIES: Registry[Strategy] = Registry(
    "strategy",
    built_in=(
        "workflows.search.gp_hedge",
        "workflows.search.space_filling",
        "workflows.search.campaign_map",
        "workflows.search.audit",
    ),
)
