"""Which trial comes next, and what may its proposal know? Fixed by its number alone, never by timing.

Trial t is proposed once trials 0 to t - lag are done and trial t - 1 is proposed. The proposal knows the results of
trials 0 to t - lag. Of the trials after these it knows the points alone. So the map does not depend on the number of
workers, whatever order results come in, and a resume proposes the same.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from workflows.campaign import STRATEGIES, CampaignConfig, Condition, Dimension, Trial, seed_of
from workflows.campaign.measures import Minimise
from workflows.record.certified import Wish
from workflows.record.journal import TrialResult, by_condition
from workflows.search.propose import Asked, Known, Proposal


class Order(Protocol):
    """Trials in one order, as the loop of a campaign sees them.

    Attributes:
        asked: number of the next trial to be proposed.
        waiting: a worker is proposing it now.
    """

    asked: int
    waiting: bool

    @property
    def ready(self) -> bool:
        """Whether the next trial may be proposed now."""

    @property
    def finished(self) -> bool:
        """Whether every trial is done."""

    def ask(self) -> Asked:
        """Everything that the next proposal depends on."""

    def proposed(self, proposal: Proposal) -> Trial:
        """Note the next trial's proposal and return the trial."""

    def completed(self, trial: Trial, result: TrialResult) -> TrialResult:
        """The result of a proposed trial with all that the journal holds of it."""

    def record(self, result: TrialResult) -> None:
        """Take in a completed result; from here on it is known to later proposals."""


def orders_of(config: CampaignConfig, trials: Iterable[TrialResult]) -> list[Order]:
    """The orders of a campaign's trials, with what its journal holds already.

    A strategy that sees one condition has an order for each. One that sees the campaign has a single one; conditions
    in which nothing is searched keep their own.
    """
    done = by_condition(list(trials))

    def own(condition: Condition) -> ConditionOrder:
        return ConditionOrder(config, condition, {trial.trial: trial for trial in done.get(condition.key, ())})

    conditions = config.conditions()
    if STRATEGIES[config.search.strategy].sees == "condition":
        return [own(condition) for condition in conditions]
    shared = {trial.order: trial for group in done.values() for trial in group if trial.order is not None}
    searched = [condition for condition in conditions if config.space(condition)]
    return [
        *(own(condition) for condition in conditions if condition not in searched),
        CampaignOrder(config, searched, shared),
    ]


@dataclass
class _Numbered:
    """Trials by number: which are proposed, which are done, which may come next.

    Attributes:
        results: trials that are done, by number.
        proposals: trials that are proposed and not done.
        total: trials in all.
        lag: trials under way at once, at most.
    """

    results: dict[int, TrialResult] = field(default_factory=dict)
    proposals: dict[int, Proposal] = field(default_factory=dict)
    total: int = 0
    lag: int = 1
    asked: int = 0
    waiting: bool = False
    _unbroken: int = 0

    @property
    def ready(self) -> bool:
        """Whether the next trial may be proposed now."""
        return not self.waiting and self.asked < self.total and self._unbroken > self.asked - self.lag

    @property
    def finished(self) -> bool:
        """Whether every trial is done."""
        return self._unbroken >= self.total

    @property
    def known(self) -> range:
        """Numbers of the trials whose results the next proposal may know."""
        return range(max(0, self.asked - self.lag + 1))

    @property
    def under_way(self) -> range:
        """Numbers of those of which it knows the points alone."""
        return range(self.known.stop, self.asked)

    def skip_known(self) -> None:
        """Trials that a journal already has need no proposal."""
        while self.asked in self.results:
            self.pass_by(self.asked)
            self.asked += 1
        while self._unbroken in self.results:
            self._unbroken += 1

    def pass_by(self, _number: int) -> None:
        """Take note of a trial that is proposed, in order."""

    def point(self, t: int) -> dict[str, float]:
        """The point of a proposed trial."""
        return self.results[t].point if t in self.results else self.proposals[t].point

    def state(self, t: int) -> dict[str, Any]:
        """What the proposal of a trial left; {} before the first."""
        if t < 0:
            return {}
        return self.results[t].search if t in self.results else self.proposals[t].state

    def note(self, proposal: Proposal) -> int:
        """Keep the next trial's proposal; return its number."""
        t = self.asked
        self.waiting = False
        self.proposals[t] = proposal
        self.pass_by(t)
        self.asked += 1
        self.skip_known()
        return t

    def take(self, t: int, result: TrialResult) -> None:
        """Keep a result."""
        del self.proposals[t]
        self.results[t] = result
        self.skip_known()


class ConditionOrder(_Numbered):
    """The trials of one condition, numbered within it."""

    def __init__(self, config: CampaignConfig, condition: Condition, results: dict[int, TrialResult] | None = None):
        super().__init__(results or {}, total=config.evaluations(condition), lag=config.search.pending)
        self.config, self.condition = config, condition
        self.space = config.space(condition)
        self.seed = seed_of(config.seed, condition.key)
        self.skip_known()

    def ask(self) -> Asked:
        """Everything that the next proposal depends on."""
        minimised = self.config.search.minimise
        known = [self.results[k] for k in self.known if self.results[k].whole]
        return Asked(
            search=self.config.search,
            space=self.space,
            trial=self.asked,
            trials=self.total,
            told=[(result.point, error) for result in known if (error := _error(result, minimised)) is not None],
            pending=[self.point(k) for k in self.under_way],
            state=self.state(self.asked - 1),
            seed=self.seed,
        )

    def proposed(self, proposal: Proposal) -> Trial:
        """Note the next trial's proposal and return the trial."""
        t = self.note(proposal)
        return Trial(self.config, self.condition, t, proposal.point, self._start(t), proposal.fidelity)

    def completed(self, _trial: Trial, result: TrialResult) -> TrialResult:
        """The result of a proposed trial with all that the journal holds of it."""
        return _with_proposal(result, self.proposals[result.trial])

    def record(self, result: TrialResult) -> None:
        """Take in a completed result; from here on it is known to later proposals."""
        self.take(result.trial, result)

    def _start(self, t: int) -> dict[str, float] | None:
        """The point of trial 0, where trial t starts from its solution: known to t whatever the number of workers."""
        known = self.config.search.warm_start and t >= self.lag and t > 0
        return self.results[0].point if known and self.results[0].ok else None


class CampaignOrder(_Numbered):
    """The trials of all conditions in which something is searched, in one order that the strategy chooses."""

    def __init__(
        self, config: CampaignConfig, conditions: Iterable[Condition], results: dict[int, TrialResult] | None = None
    ):
        self.config = config
        self.spaces: dict[Condition, dict[str, Dimension]] = {one: config.space(one) for one in conditions}
        self._budgets = {one: config.evaluations(one) for one in self.spaces}
        self._cheap = {one: config.cheap(one) for one in self.spaces}
        self._wish = Wish.of(config)
        super().__init__(results or {}, total=sum(self._budgets.values()), lag=config.lag)
        self.seed = seed_of(config.seed, "campaign")
        self._by_key = {condition.key: condition for condition in self.spaces}
        self._numbers: Counter[str] = Counter()  # trials of each condition so far
        self._orders: dict[tuple[str, int], int] = {}
        self._past: list[Known | None] = []
        self.skip_known()

    def ask(self, *, complete: bool = False) -> Asked:
        """Everything that the next proposal depends on; with `complete`, all that is there."""
        return Asked(
            search=self.config.search,
            space={},
            trial=self.asked,
            trials=self.total,
            told=(),
            pending=(),
            state=self.state(self.asked - 1),
            seed=self.seed,
            campaign=self._all() if complete else self._told(),
            conditions=self.spaces,
            budgets=self._budgets,
            cheap=self._cheap,
        )

    def _told(self) -> list[Known]:
        """The trials as the strategy may know them; those that are done stay as they are, and are made once."""
        self._past += [self._known(k, False) for k in range(len(self._past), self.known.stop)]
        known = self._past + [self._known(k, True) for k in self.under_way]
        return [one for one in known if one is not None]

    def _all(self) -> list[Known]:
        """Every trial that is done, whatever a proposal may know."""
        known = [self._known(k, False) for k in sorted(self.results)]
        return [one for one in known if one is not None]

    def proposed(self, proposal: Proposal) -> Trial:
        """Note the next trial's proposal and return the trial."""
        assert proposal.condition is not None  # `propose` has checked it
        number = self._numbers[proposal.condition.key]
        self.note(proposal)
        return Trial(self.config, proposal.condition, number, proposal.point, None, proposal.fidelity)

    def completed(self, trial: Trial, result: TrialResult) -> TrialResult:
        """The result of a proposed trial with all that the journal holds of it."""
        order = self._orders[trial.condition.key, trial.number]
        return replace(_with_proposal(result, self.proposals[order]), order=order)

    def record(self, result: TrialResult) -> None:
        """Take in a completed result; from here on it is known to later proposals."""
        assert result.order is not None
        self.take(result.order, result)

    def pass_by(self, number: int) -> None:
        """Count the trial among those of its condition; it is the last where the map is as near as wished."""
        if self._wish.met(self.state(number)):
            self.total = min(self.total, number + 1)
        key = self._key(number)
        self._orders[key, self._numbers[key]] = number
        self._numbers[key] += 1

    def _key(self, t: int) -> str:
        if t in self.results:
            return self.results[t].condition
        condition = self.proposals[t].condition
        assert condition is not None
        return condition.key

    def _known(self, t: int, under_way: bool) -> Known | None:
        """A trial as the strategy may know it; None for one of a condition that the campaign no longer has."""
        condition = self._by_key.get(self._key(t))
        if condition is None:
            return None
        if t not in self.results:
            proposal = self.proposals[t]
            return Known(condition, proposal.point, proposal.fidelity, None, under_way)
        result = self.results[t]
        error = None if under_way else _error(result, self.config.search.minimise)
        return Known(condition, result.point, result.fidelity, error, under_way)


def _error(result: TrialResult, minimised: Minimise) -> float | None:
    """What came out; None for a failure, and where a trial has not what is minimised."""
    error = result.error(minimised) if result.ok else math.nan
    return None if math.isnan(error) else error


def _with_proposal(result: TrialResult, proposal: Proposal) -> TrialResult:
    return replace(result, search=proposal.state, proposal_s=round(proposal.seconds, 4))
