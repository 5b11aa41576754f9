"""What does the certificate say of every condition of a run, from its trials alone?"""

from collections.abc import Iterable, Mapping
from typing import Any

from workflows.campaign import STRATEGIES, CampaignConfig, Condition
from workflows.record.journal import TrialResult
from workflows.search.group import Group, groups_of
from workflows.search.model import LEAST_TOLD, Model
from workflows.search.order import CampaignOrder, orders_of


def bounds_of(config: CampaignConfig, trials: Iterable[TrialResult]) -> dict[Condition, float]:
    """An upper bound of each condition's regret (workflows/search/certificate.py).

    Only conditions with a full trial have one, in campaigns whose strategy certifies.
    """
    if not STRATEGIES[config.search.strategy].certifies:
        return {}
    shared = [order for order in orders_of(config, trials) if isinstance(order, CampaignOrder)]
    bounds: dict[Condition, float] = {}
    for order in shared:
        asked = order.ask(complete=True)
        for group in groups_of(asked):
            bounds |= _bounds(group, asked.state)
    return bounds


def _bounds(group: Group, state: Mapping[str, Any]) -> dict[Condition, float]:
    """Of the cells that have a full trial."""
    if sum(one.error is not None for one in group.known) < LEAST_TOLD:
        return {}
    found = Model.of(group, state.get("fit", {}).get(group.name)).standing.bounds
    return {group.conditions[number]: float(found[number]) for number in sorted(group.whole)}
