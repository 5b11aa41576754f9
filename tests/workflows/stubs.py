"""Workers and trials that take no time, for tests of what is done with their results."""

import hashlib
import json
from concurrent.futures import Future

from workflows.control.steer import Campaign
from workflows.record.journal import Journal, TrialResult, replay
from workflows.record.runfolder import RunFolder
from workflows.search.propose import Proposal


class Unwatched:
    """Nobody looks."""

    def record(self, result):
        """Nothing."""

    def tick(self, progress):
        """Nothing."""


class Inline:
    """A worker that answers while it is asked, and refuses after so many tasks."""

    def __init__(self, tasks=10**9):
        self.submitted, self._tasks = [], tasks

    def __call__(self, function, argument) -> Future:
        self.submitted.append(argument)
        future = Future()
        future.set_result(function(argument))
        return future

    def broken(self) -> str:
        """As when its computer went down."""
        return "gone" if len(self.submitted) > self._tasks else ""


def digest(*parts) -> float:
    """A number in 0..1 that any change of its arguments changes."""
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:6], "big") / 2**48


def stub_trial(trial):
    """A cheap trial: its value depends on condition and point; about one in seven fails."""
    value = digest(trial.condition.key, trial.point)
    common = {"condition": trial.condition.key, "trial": trial.number, "point": trial.point}
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


def facts(trials):
    """What must not depend on workers, order or interruptions."""
    return sorted((t.condition, t.trial, t.status, json.dumps(t.point), t.nrmse, json.dumps(t.search)) for t in trials)


def run(path, campaign_config, worker=None):
    """Run a campaign to its end in a run folder; return its trials."""
    worker = worker or Inline()
    with RunFolder(path, campaign_config) as folder, Journal(folder.journal) as journal:
        Campaign(campaign_config, folder.trials(), journal, worker, 1, Unwatched(), worker.broken).run()
    return replay(path / "trials.jsonl")
