"""Which trial of a condition comes next, and what may its proposal know? Fixed by its number alone, never by timing."""

from dataclasses import dataclass, field, replace

from workflows.campaign.config import CampaignConfig, Condition, Trial, seed_of
from workflows.record.journal import TrialResult
from workflows.search.propose import Asked, Proposal


@dataclass
class Sequence:
    """The trials of one condition: which are proposed, which are done, which may come next.

    Trial t is proposed once trials 0 to t - pending are done and t - 1 is proposed. What is known to a proposal is
    thus fixed by t alone, whatever order results come in: the map does not depend on the number of workers.

    Attributes:
        results: trials that are done, by number.
        proposals: trials that are proposed and not done.
        asked: number of the next trial to be proposed.
        waiting: a worker is proposing it now.
    """

    config: CampaignConfig
    condition: Condition
    results: dict[int, TrialResult] = field(default_factory=dict)
    proposals: dict[int, Proposal] = field(default_factory=dict)
    asked: int = 0
    waiting: bool = False

    def __post_init__(self):
        self.total = self.config.evaluations(self.condition)
        self.space = self.config.space(self.condition)
        self.seed = seed_of(self.config.seed, self.condition.key)
        self._unbroken = 0
        self._skip_known()

    @property
    def ready(self) -> bool:
        """Whether the next trial may be proposed now."""
        return not self.waiting and self.asked < self.total and self._unbroken > self.asked - self.config.search.pending

    def ask(self) -> Asked:
        """Everything that the next proposal depends on."""
        t = self.asked
        first_pending = max(0, t - self.config.search.pending + 1)
        known = [self.results[k] for k in range(first_pending)]
        return Asked(
            search=self.config.search,
            space=self.space,
            trial=t,
            trials=self.total,
            told=[(result.point, result.nrmse) for result in known if result.ok],
            pending=[self._point(k) for k in range(first_pending, t)],
            state=self._state(t - 1) if t else {},
            seed=self.seed,
        )

    def proposed(self, proposal: Proposal) -> Trial:
        """Note the next trial's proposal and return the trial."""
        t = self.asked
        self.waiting = False
        self.proposals[t] = proposal
        self.asked += 1
        self._skip_known()
        return Trial(self.config, self.condition, t, proposal.point, self._start(t))

    def completed(self, result: TrialResult) -> TrialResult:
        """The result of a proposed trial with all that the journal holds of it."""
        proposal = self.proposals[result.trial]
        return replace(result, search=proposal.state, proposal_s=round(proposal.seconds, 4))

    def record(self, result: TrialResult) -> None:
        """Take in a completed result; from here on it is known to later proposals."""
        del self.proposals[result.trial]
        self.results[result.trial] = result
        self._skip_known()

    def _skip_known(self) -> None:
        """Trials that a journal already has need no proposal."""
        while self.asked in self.results:
            self.asked += 1
        while self._unbroken in self.results:
            self._unbroken += 1

    def _start(self, t: int) -> dict[str, float] | None:
        """The point of trial 0, where trial t starts from its solution: known to t whatever the number of workers."""
        known = self.config.search.warm_start and t >= self.config.search.pending and t > 0
        return self.results[0].point if known and self.results[0].ok else None

    def _point(self, t: int) -> dict[str, float]:
        return self.results[t].point if t in self.results else self.proposals[t].point

    def _state(self, t: int) -> dict:
        return self.results[t].search if t in self.results else self.proposals[t].state
