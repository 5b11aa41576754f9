"""The loop of a campaign: keep every worker busy, record each result at once, resume where the journal ends."""

import heapq
import math
import queue
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Protocol

from fusedtomo.errors import is_full
from workflows.campaign import CampaignConfig, Trial
from workflows.record.journal import Journal, TrialResult
from workflows.record.state import Progress
from workflows.search.order import Order, orders_of
from workflows.search.propose import Asked, Proposal, propose
from workflows.search.space_filling import fallback
from workflows.trial.outcome import unfinished
from workflows.trial.solver_process import UnfitWorker
from workflows.workers.apps import run_proposal, run_trial
from workflows.workers.lost import WorkersLost

Submit = Callable[..., Future[Any]]
TICK_S = 0.25  # a controller looks after its workers so often, whatever they answer
_WORKERS_AHEAD = 16  # for so many workers a task more is handed out, so that none waits for the controller


class _Abandoned(Exception):
    """What still runs will not end, and need not: the campaign was told to stop."""


class Watch(Protocol):
    """Who is told how the campaign goes."""

    def record(self, result: TrialResult) -> None:
        """A result that the disk has."""

    def tick(self, progress: Progress) -> None:
        """How busy the workers are; several times a second."""


@dataclass(frozen=True)
class _Task:
    """What a worker was given: a proposal to make, or a trial to evaluate."""

    order: Order
    argument: Asked | Trial
    future: Future[Any]
    started: float


class Steering:
    """Steers all conditions of a campaign over the workers behind `submit`.

    All that depends on the number of conditions or trials is done once an event, not by looking through them: a heap
    holds the conditions whose next trial may be proposed. Gaussian processes are fitted by workers (`run_proposal`),
    so that no condition waits for another's. Results that came in together reach the disk together.

    Args:
        config: the campaign.
        trials: what the journal holds already.
        journal: where results go.
        submit: hands a function and its arguments to a worker and returns the Future.
        workers: how many there are.
        watch: called with every new result, and with the progress several times a second.
        broken: says why no worker can answer any more, "" as long as one can.
        waiting: tasks that may wait for workers of their own, so that none of the others does.
        orders: the trials in their orders, where they are not those of all conditions of the campaign.
    """

    def __init__(
        self,
        config: CampaignConfig,
        trials: Iterable[TrialResult],
        journal: Journal,
        submit: Submit,
        workers: int,
        watch: Watch,
        broken: Callable[[], str] = lambda: "",
        waiting: int = 0,
        orders: Iterable[Order] | None = None,
    ):
        self.orders = orders_of(config, trials) if orders is None else list(orders)
        self._journal, self._submit, self._workers, self._watch = journal, submit, workers, watch
        self._ahead = 1 + workers // _WORKERS_AHEAD + waiting
        self._broken = broken
        self._ready: list[tuple[int, int, Order]] = []  # a heap: the fewest trials first, then who came first
        self._arrivals = count()
        self._ended: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._running: dict[Future[Any], float] = {}  # when each was handed out, the earliest first
        self._busy_s, self._began = 0.0, time.monotonic()
        self.stopping, self._end_at = False, math.inf

    def stop(self, within_s: float) -> None:
        """Start nothing more; what has not ended within so many seconds is abandoned, and not recorded."""
        self.stopping, self._end_at = True, time.monotonic() + within_s

    def run(self) -> None:
        """Work until every condition is finished, or until `stop` was called and what runs has ended.

        Raises:
            WorkersLost: that is no trial's failure: it is not recorded, and a resume goes on.
        """
        self._began = time.monotonic()
        for order in self.orders:
            self._offer(order)
        self._hand_out()
        with suppress(_Abandoned):
            while self._running and time.monotonic() < self._end_at:
                self._check_workers()
                self._take_in(self._wait())
                self._watch.tick(self._progress())
                self._hand_out()
        self._watch.tick(self._progress())

    def _offer(self, order: Order) -> None:
        if order.ready:
            heapq.heappush(self._ready, (order.asked, next(self._arrivals), order))

    def _hand_out(self) -> None:
        """Give tasks to the workers, the condition with the fewest trials first, so that the map fills evenly."""
        while self._ready and not self.stopping and len(self._running) < self._workers + self._ahead:
            *_, order = heapq.heappop(self._ready)
            if order.ready:  # another entry of it may have come first
                self._advance(order)

    def _advance(self, order: Order) -> None:
        asked = order.ask()
        if asked.needs_model:
            order.waiting = True
            self._start(order, run_proposal, asked)
        else:
            self._evaluate(order, _proposed(asked))

    def _evaluate(self, order: Order, proposal: Proposal) -> None:
        self._start(order, run_trial, order.proposed(proposal))
        self._offer(order)

    def _start(self, order: Order, function: Callable[..., Any], argument: Asked | Trial) -> None:
        future = self._submit(function, argument)
        task = _Task(order, argument, future, time.monotonic())
        self._running[future] = task.started
        future.add_done_callback(lambda _: self._ended.put(task))

    def _wait(self) -> list[_Task]:
        """Whatever has ended; at most a tick passes."""
        ended = []
        try:
            ended.append(self._ended.get(timeout=TICK_S))
            while True:
                ended.append(self._ended.get_nowait())
        except queue.Empty:
            return ended

    def _check_workers(self) -> None:
        if reason := self._broken():
            if self.stopping:  # a batch system's SIGTERM goes to all of a job's processes, workers included
                raise _Abandoned
            raise WorkersLost(reason)

    def _check_fitness(self, failed: list[_Task]) -> None:
        """What a worker could not even begin, several times, is no failure of a trial; nor is a full disk."""
        for task in failed:
            error = task.future.exception()
            if isinstance(error, UnfitWorker) or (isinstance(error, OSError) and is_full(error)):
                raise error

    def _take_in(self, ended: list[_Task]) -> None:
        failed = [task for task in ended if task.future.exception()]
        self._take([task for task in ended if not task.future.exception()])
        if failed:
            self._check_workers()  # what all workers lost is no failure of theirs
            self._check_fitness(failed)
            self._take(failed)

    def _take(self, tasks: list[_Task]) -> None:
        """Proposals first, which become trials while the disk writes the results."""
        for task in tasks:
            del self._running[task.future]
        for task in tasks:
            if isinstance(task.argument, Asked):
                self._take_proposal(task, task.argument)
        self._take_results(
            [
                (task.order, task.order.completed(task.argument, _result(task, task.argument)))
                for task in tasks
                if isinstance(task.argument, Trial)
            ]
        )

    def _take_proposal(self, task: _Task, asked: Asked) -> None:
        error = task.future.exception()
        proposal: Proposal = fallback(asked, error) if error else task.future.result()
        self._busy_s += proposal.seconds
        if not self.stopping:  # a resume proposes the same point again
            self._evaluate(task.order, proposal)

    def _take_results(self, results: list[tuple[Order, TrialResult]]) -> None:
        self._journal.append(*(result for _, result in results))
        for order, result in results:  # only what the disk has is known to anyone
            self._busy_s += result.seconds
            order.record(result)
            self._offer(order)
            self._watch.record(result)

    def _progress(self) -> Progress:
        now = time.monotonic()
        # what runs counts as busy since it was handed out; the last ones handed out may still wait for a worker
        running = [now - started for started in islice(self._running.values(), self._workers)]
        elapsed = now - self._began
        busy = min(self._busy_s + sum(running), self._workers * elapsed)  # a task may have waited for its worker
        return Progress(self._workers, len(running), busy, elapsed, max(running, default=0.0))


def _proposed(asked: Asked) -> Proposal:
    """What a strategy proposes at once."""
    try:
        return propose(asked)
    except Exception as error:
        return fallback(asked, error)


def _result(task: _Task, trial: Trial) -> TrialResult:
    """The result of a trial; that of a worker that was lost is a failure."""
    error = task.future.exception()
    if error is None:
        result: TrialResult = task.future.result()
        return result
    seconds = round(time.monotonic() - task.started, 4)
    return unfinished(trial, reason=f"{type(error).__name__}: {error}"[:500], seconds=seconds)
