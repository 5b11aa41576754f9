"""What is wanted: axes, methods, seeds and the conditions that a campaign file names."""

from workflows.campaign.axes import AXES, Axis, Value
from workflows.campaign.conditions import Condition, Trial
from workflows.campaign.config import CampaignConfig
from workflows.campaign.load import load_campaign
from workflows.campaign.search import Dimension, Search
from workflows.campaign.seeds import generator, seed_of
from workflows.campaign.strategies import STRATEGIES, Strategy

__all__ = [
    "AXES",
    "STRATEGIES",
    "Axis",
    "CampaignConfig",
    "Condition",
    "Dimension",
    "Search",
    "Strategy",
    "Trial",
    "Value",
    "generator",
    "load_campaign",
    "seed_of",
]
