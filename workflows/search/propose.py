"""What is tried next: a point proposed from the trials that may be known, by the strategy of the campaign.

Every strategy is a pure function of what `Asked` holds, so that a journal is all that a resume needs and the map does
not depend on the number of workers (workflows/search/order.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workflows.campaign import STRATEGIES, Condition, Dimension, Search

Point = dict[str, float]


@dataclass(frozen=True)
class Proposal:
    """A point to try and the state that the next proposal needs (numbers only; it goes into the journal).

    Attributes:
        point: the searched parameters.
        state: for the next proposal.
        fidelity: how much of the problem is computed, in (0, 1].
        condition: which one; None for the one that was asked for. A strategy that sees the campaign chooses it.
        seconds: what the proposal took, on a worker; it decides nothing.
    """

    point: Point
    state: dict[str, Any] = field(default_factory=dict)
    fidelity: float = 1.0
    condition: Condition | None = None
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Known:
    """A trial of any condition, as a strategy that sees the campaign may know it.

    Attributes:
        condition, point, fidelity: what was tried.
        error: what came out, of what is minimised; None while it is under way, or when it failed.
        under_way: whether its result is not known yet.
    """

    condition: Condition
    point: Point
    fidelity: float
    error: float | None
    under_way: bool = False


@dataclass(frozen=True)
class Asked:
    """Everything a proposal depends on.

    Attributes:
        search: strategy and budget.
        space: searched parameters, in order.
        trial: number of the trial within its condition, or within the campaign.
        trials: how many there are in total.
        told: points and errors of the successful trials that may be known; failures never reach the model.
        pending: points of trials still under way.
        state: what the previous proposal left.
        seed: of (campaign, condition).
        campaign: for a strategy that sees the campaign, the trials of all conditions by number; `space`, `told` and
            `pending` are empty then.
        conditions: for such a strategy, what it may choose from, with the space of each.
        budgets: for such a strategy, the evaluations of each condition.
        cheap: for such a strategy, the fidelity of a cheap trial of each; 1 where there are none.
    """

    search: Search
    space: Mapping[str, Dimension]
    trial: int
    trials: int
    told: Sequence[tuple[Point, float]]
    pending: Sequence[Point]
    state: Mapping[str, Any]
    seed: int
    campaign: Sequence[Known] = ()
    conditions: Mapping[Condition, Mapping[str, Dimension]] = field(default_factory=dict)
    budgets: Mapping[Condition, int] = field(default_factory=dict)
    cheap: Mapping[Condition, float] = field(default_factory=dict)

    @property
    def needs_model(self) -> bool:
        """Whether the proposal takes a good part of a second: work for a worker."""
        return STRATEGIES[self.search.strategy].needs_model(self)


def propose(asked: Asked) -> Proposal:
    """Return the next point: nothing to search gives an empty one."""
    if not asked.space and not asked.conditions:
        return Proposal({})
    return _checked(STRATEGIES[asked.search.strategy].propose(asked), asked)


def _checked(proposal: Proposal, asked: Asked) -> Proposal:
    """The proposal, or ValueError for one that neither trial nor journal could take."""
    json.dumps([proposal.point, proposal.state], allow_nan=False)
    if not 0 < proposal.fidelity <= 1:
        raise ValueError(f"strategy '{asked.search.strategy}' proposed fidelity {proposal.fidelity}, not in (0, 1]")
    if asked.conditions and proposal.condition not in asked.conditions:
        raise ValueError(f"strategy '{asked.search.strategy}' proposed {proposal.condition}, which is no condition")
    return proposal


def scaled(space: Mapping[str, Dimension], unit: np.ndarray) -> Point:
    """A point of the unit cube in the dimensions' ranges and scales."""
    point = {}
    for (name, dimension), u in zip(space.items(), unit, strict=True):
        low, high = dimension.low, dimension.high
        value = low * (high / low) ** u if dimension.scale == "log" else low + (high - low) * u
        point[name] = float(min(max(value, low), high))
    return point
