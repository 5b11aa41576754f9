"""The loop of a campaign: keep every worker busy, record each result at once, resume where the journal ends."""

import queue
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from fusedtomo.errors import InputError
from workflows.apps import run_proposal, run_trial
from workflows.campaign import CampaignConfig, Condition, seed_of
from workflows.evaluate import Trial
from workflows.journal import Journal, TrialResult, by_condition
from workflows.search import Asked, Proposal, propose
from workflows.state import Progress

Submit = Callable[..., Future]
_AHEAD = 1  # tasks handed out beyond the workers, so that none waits for the controller
_TICK_S = 0.25


class WorkersLost(InputError):
    """No worker can answer any more."""


@dataclass
class Sequence:
    """The trials of one condition: which are proposed, which are done, which may come next.

    Trial t is proposed once trials 0 to t - pending are done and t - 1 is proposed. What is known to a proposal is
    thus fixed by t alone, whatever order results come in: the map does not depend on the number of workers.
    """

    config: CampaignConfig
    condition: Condition
    results: dict[int, TrialResult] = field(default_factory=dict)
    proposals: dict[int, Proposal] = field(default_factory=dict)
    asked: int = 0

    def __post_init__(self):
        self.total = self.config.evaluations(self.condition)
        self.space = self.config.space(self.condition)
        self.seed = seed_of(self.config.seed, self.condition.key)
        while self.asked in self.results:  # an unbroken run of old trials needs no proposal
            self.asked += 1

    @property
    def ready(self) -> bool:
        """Whether the next trial may be proposed now."""
        t = self.asked
        known = all(k in self.results for k in range(max(0, t - self.config.search.pending + 1)))
        return t < self.total and known and (t == 0 or t - 1 in self.results or t - 1 in self.proposals)

    @property
    def finished(self) -> bool:
        """Whether every trial has a result."""
        return len(self.results) >= self.total

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

    def proposed(self, proposal: Proposal) -> Trial | None:
        """Note a proposal; return its trial, or None when the journal already has its result."""
        t = self.asked
        self.asked += 1
        self.proposals[t] = proposal
        return None if t in self.results else Trial(self.config, self.condition, t, proposal.point, self._start(t))

    def _start(self, t: int) -> dict[str, float] | None:
        """The point of trial 0, where trial t starts from its solution: known to t whatever the number of workers."""
        known = self.config.search.warm_start and t >= self.config.search.pending and t > 0
        return self.results[0].point if known and self.results[0].ok else None

    def _point(self, t: int) -> dict[str, float]:
        return self.results[t].point if t in self.results else self.proposals[t].point

    def _state(self, t: int) -> dict:
        return self.results[t].search if t in self.results else self.proposals[t].state


class Campaign:
    """Steers all conditions of a campaign over the workers behind `submit`.

    Args:
        config: the campaign.
        trials: what the journal holds already.
        journal: where results go.
        submit: hands a function and its arguments to a worker and returns the Future.
        workers: how many there are.
        watch: called with every new result, and with the progress several times a second.
        broken: says why no worker can answer any more, "" as long as one can.
    """

    def __init__(
        self,
        config: CampaignConfig,
        trials: Iterable[TrialResult],
        journal: Journal,
        submit: Submit,
        workers: int,
        watch,
        broken: Callable[[], str] = lambda: "",
    ):
        done = by_condition(list(trials))
        self.sequences = [
            Sequence(config, condition, {trial.trial: trial for trial in done.get(condition.key, ())})
            for condition in config.conditions()
        ]
        self._journal, self._submit, self._workers, self._watch = journal, submit, workers, watch
        self._broken = broken
        self._events: queue.SimpleQueue = queue.SimpleQueue()
        self._running: dict[Future, float] = {}
        self._waiting: set[int] = set()
        self._busy_s, self._began = 0.0, time.monotonic()
        self.stopping = False

    def run(self) -> None:
        """Work until every condition is finished, or until `stopping` is set and what runs has ended.

        Raises:
            WorkersLost: that is no trial's failure: it is not recorded, and a resume goes on.
        """
        self._began = time.monotonic()
        self._hand_out()
        while self._running:
            self._check_workers()
            self._wait()
            self._watch.tick(self._progress())
            self._hand_out()
        self._watch.tick(self._progress())

    def _hand_out(self) -> None:
        """Give tasks to the workers, the condition with the fewest trials first, so that the map fills evenly."""
        while not self.stopping and len(self._running) < self._workers + _AHEAD:
            ready = [s for s in self.sequences if id(s) not in self._waiting and s.ready]
            if not ready:
                return
            self._advance(min(ready, key=lambda sequence: sequence.asked))

    def _advance(self, sequence: Sequence) -> None:
        asked = sequence.ask()
        if asked.needs_model:
            self._waiting.add(id(sequence))
            self._start(sequence, run_proposal, asked)
        else:
            self._evaluate(sequence, propose(asked))

    def _evaluate(self, sequence: Sequence, proposal: Proposal) -> None:
        trial = sequence.proposed(proposal)
        if trial is not None:
            self._start(sequence, run_trial, trial)

    def _start(self, sequence: Sequence, function, argument) -> None:
        future = self._submit(function, argument)
        self._running[future] = time.monotonic()
        future.add_done_callback(lambda done: self._events.put((sequence, function, argument, done)))

    def _wait(self) -> None:
        """Take in whatever has ended; at most a tick passes."""
        try:
            event = self._events.get(timeout=_TICK_S)
            while True:
                self._take(*event)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def _check_workers(self) -> None:
        if reason := self._broken():
            raise WorkersLost(f"all workers are lost ({reason}); nothing else is: run the same command again")

    def _take(self, sequence: Sequence, function, argument, future: Future) -> None:
        if future.exception():
            self._check_workers()
        started = self._running.pop(future)
        if function is run_proposal:
            self._waiting.discard(id(sequence))
            proposal, seconds = _outcome(future, lambda error: _fall_back(argument, error))
            self._busy_s += seconds
            if not self.stopping:  # a resume proposes the same point again
                self._evaluate(sequence, proposal)
            return
        lost = time.monotonic() - started
        result = _outcome(future, lambda error: _lost(argument, error, lost))
        result = _with_search(result, sequence.proposals[result.trial].state)
        self._busy_s += result.seconds
        sequence.results[result.trial] = result
        self._journal.append(result)
        self._watch.record(result)

    def _progress(self) -> Progress:
        now = time.monotonic()
        # what runs counts as busy since it was handed out; the last ones handed out may still wait for a worker
        running = sorted(now - started for started in self._running.values())[-self._workers :]
        elapsed = now - self._began
        busy = min(self._busy_s + sum(running), self._workers * elapsed)  # a task may have waited for its worker
        return Progress(self._workers, len(running), busy, elapsed, max(running, default=0.0))


def _outcome(future: Future, otherwise):
    error = future.exception()
    return otherwise(error) if error else future.result()


def _fall_back(asked: Asked, error: BaseException) -> tuple[Proposal, float]:
    """A proposal without the model, when the worker or the model failed: the search goes on."""
    space_filling = asked.search.model_copy(update={"strategy": "sobol"})
    point = propose(Asked(**{**vars(asked), "search": space_filling})).point
    return Proposal(point, {**asked.state, "fallback": f"{type(error).__name__}: {error}"[:300]}), 0.0


def _lost(trial: Trial, error: BaseException, seconds: float) -> TrialResult:
    """The result of a trial whose worker was lost."""
    weights, _ = trial.config.parameters(trial.condition, trial.point)
    return TrialResult(
        condition=trial.condition.key,
        trial=trial.number,
        status="failed",
        point=trial.point,
        start=trial.start,
        weights=weights.model_dump(),
        reason=f"{type(error).__name__}: {error}"[:500],
        seconds=round(seconds, 4),
    )


def _with_search(result: TrialResult, state: dict) -> TrialResult:
    return TrialResult(**{**vars(result), "search": state})
