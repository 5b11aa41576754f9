"""Do the trials of a run say that its map is near the best one? A strategy that certifies notes it in their state.

`search["regret"]` of a trial: for each method, the worst bound of its cells and how many are above the mark, as known
when the trial was proposed (workflows/search/certificate.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.campaign import CampaignConfig


@dataclass(frozen=True)
class Wish:
    """How near the map shall be: the search ends with the trial whose state says that it is.

    Attributes:
        regret: the worst bound that is good enough; None: the budget decides.
        methods: those in which something is searched.
    """

    regret: float | None
    methods: frozenset[str]

    @staticmethod
    def of(config: CampaignConfig) -> "Wish":
        """What a campaign file or the command asked for."""
        methods = frozenset(one.method for one in config.conditions() if config.space(one))
        return Wish(config.search.until_regret, methods)

    def met(self, state: Mapping[str, Any]) -> bool:
        """Whether the state of a trial says so of every method."""
        known = _bounds(state)
        if self.regret is None or not self.methods <= set(known):
            return False
        return all(known[method][0] <= self.regret for method in self.methods)


def _bounds(state: Mapping[str, Any]) -> dict[str, tuple[float, int]]:
    """The worst bound and the cells above the mark of each method; what is none is left out: journals are edited."""
    regret = state.get("regret")
    rows = regret.items() if isinstance(regret, dict) else ()
    found = {name: (one.get("worst"), one.get("above")) for name, one in rows if isinstance(one, dict)}
    return {
        name: (worst, above)
        for name, (worst, above) in found.items()
        if isinstance(worst, float | int) and isinstance(above, int)
    }


def said(state: Mapping[str, Any], cells: Mapping[str, int]) -> str:
    """The certificate in words, for people; "" where there is none.

    Args:
        state: of a trial.
        cells: how many each method has.
    """
    bounds = _bounds(state)
    return "; ".join(
        f"{f'{method} ' if len(bounds) > 1 else ''}{worst:.1%} in the worst cell, above 1 % in {above} of "
        f"{cells.get(method, 0)}"
        for method, (worst, above) in bounds.items()
    )
