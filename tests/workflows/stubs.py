"""Workers and trials that take no time, for tests of what is done with their results."""

import hashlib
import json
import random
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from tests.workflows.tiny import config
from workflows.campaign import STRATEGIES
from workflows.control.steer import Steering
from workflows.record.journal import Journal, TrialResult, replay
from workflows.record.runfolder import RunFolder
from workflows.search.propose import Proposal


class Watch:
    """Keeps what the loop tells."""

    def __init__(self, on_record=lambda result: None):
        self.progress, self.on_record = [], on_record

    def record(self, result):
        """A result that the disk has."""
        self.on_record(result)

    def tick(self, progress):
        """Several times a second."""
        self.progress.append(progress)


class Inline:
    """A worker that answers while it is asked, and refuses after so many tasks."""

    def __init__(self, tasks=10**9):
        self.submitted, self._tasks = [], tasks

    def __call__(self, function, argument) -> Future:
        self.submitted.append(argument)
        future = Future()
        try:
            future.set_result(function(argument))
        except Exception as error:
            future.set_exception(error)
        return future

    def broken(self) -> str:
        """As when its computer went down."""
        return "gone" if len(self.submitted) > self._tasks else ""


class Pool:
    """Workers that take a random while."""

    def __init__(self, workers, seed=0, longest_s=0.004):
        self._pool, self._random, self._longest_s = ThreadPoolExecutor(workers), random.Random(seed), longest_s
        self.submitted = []

    def __call__(self, function, argument) -> Future:
        self.submitted.append(argument)
        wait_s = self._random.uniform(0, self._longest_s)

        def work():
            time.sleep(wait_s)
            return function(argument)

        return self._pool.submit(work)

    def close(self) -> None:
        """Wait for what runs; drop what waits."""
        self._pool.shutdown(cancel_futures=True)


def digest(*parts) -> float:
    """A number in 0..1 that any change of its arguments changes."""
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:6], "big") / 2**48


def stub_trial(trial):
    """A cheap trial: its value depends on condition, point and fidelity; about one in seven fails."""
    cheap = () if trial.fidelity == 1 else (trial.fidelity,)
    value = digest(trial.condition.key, trial.point, *cheap)
    common = {"condition": trial.condition.key, "trial": trial.number, "point": trial.point, "fidelity": trial.fidelity}
    if value < 0.15:
        return TrialResult(**common, status="failed", reason="ValueError: stub")
    return TrialResult(**common, status="ok", nrmse=value, seconds=0.001)


def stub_model(asked):
    """Stands for the Gaussian process: every bit of what was asked decides the point."""
    key = [asked.trial, asked.told, asked.pending, asked.state, asked.seed]
    point = {
        name: dimension.low + digest(name, *key) * (dimension.high - dimension.low)
        for name, dimension in asked.space.items()
    }
    return Proposal(point, {"memory": digest("state", *key)})


def toy(asked):
    """A strategy that sees the campaign: every bit of what it may know decides condition, point and fidelity."""
    known = [[one.condition.key, one.point, one.fidelity, one.error, one.under_way] for one in asked.campaign]
    key = [asked.trial, asked.trials, asked.seed, dict(asked.state), known]
    conditions = list(asked.conditions.items())
    condition, space = conditions[int(digest("which", *key) * len(conditions))]
    point = {name: each.low + digest(name, *key) * (each.high - each.low) for name, each in space.items()}
    fidelity = 0.25 if digest("cheap", *key) < 0.3 else 1.0
    return Proposal(point, {"memory": digest("state", *key)}, fidelity, condition)


def register(monkeypatch, strategy):
    """Have a strategy for the length of a test."""
    assert strategy.name not in STRATEGIES  # looks its built-in ones up
    monkeypatch.setitem(STRATEGIES._values, strategy.name, strategy)


def facts(trials):
    """What must not depend on workers, order or interruptions."""
    return sorted((t.condition, t.trial, t.status, json.dumps(t.point), t.nrmse, json.dumps(t.search)) for t in trials)


def run(path, campaign_config, worker=None):
    """Run a campaign to its end in a run folder; return its trials."""
    worker = worker or Inline()
    with RunFolder(path, campaign_config) as folder, Journal(folder.journal) as journal:
        Steering(campaign_config, folder.trials(), journal, worker, 1, Watch(), worker.broken).run()
    return replay(path / "trials.jsonl")


def steered(path, campaign_config, *, workers=2, pool=None, watch=None):
    """Run a campaign on the journal at `path`; return its trials."""
    pool = pool or Pool(workers)
    with closing(pool), Journal(path) as journal:  # nothing of an aborted campaign runs on beside what the test does
        steering = Steering(campaign_config, replay(path), journal, pool, workers, watch or Watch())
        if watch is not None:
            watch.steering = steering
        steering.run()
    return replay(path)


def eight(pending=1, **changes):
    """The tiny campaign with eight trials a fused cell and four a baseline: 42 in all."""
    return config(search__pending=pending, search__evaluations=8, search__baseline_evaluations=4, **changes)
