"""What does the certificate say of every condition of a run, from its trials alone?"""

from collections.abc import Iterable

from workflows.campaign import STRATEGIES, CampaignConfig, Condition
from workflows.record.journal import TrialResult
from workflows.search.campaign_map import groups_of
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
        for group in groups_of(order.ask(complete=True)):
            bounds |= group.bounds(order.ask(complete=True).state)
    return bounds
