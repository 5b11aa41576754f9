"""How does the steering loop do with hundreds of workers? The real loop and journal, with workers that sleep."""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import machine
from workflows.campaign import CampaignConfig, Trial
from workflows.control.steer import Steering
from workflows.record.journal import Journal, TrialResult
from workflows.record.state import Progress
from workflows.search.propose import Asked, Proposal

Spans = list[tuple[str, float, float]]  # "trial" or "proposal", begin and end in seconds
_ELEMENTS = ("Co", "Cu", "O", "Au")
_SPREAD = 0.2  # a trial takes up to this share more or less than the mean


def campaign(cells_on_a_side: int, evaluations: int, pending: int) -> CampaignConfig:
    """A map that is only steered: no phantom is made, no trial computed."""
    tilts = list(range(2, 2 + cells_on_a_side))
    ranges = {"haadf": {"low": 1e-3, "high": 1.0}, "tv": {"low": 0.1, "high": 10.0}}
    return CampaignConfig.model_validate(
        {
            "name": "simulated",
            "phantom": {"name": "cuo_coo_nanocubes", "size": 64, "seed": 1},
            "acquisition": {"haadf": {"snr": 2000.0}, "chemical": {"snr": 2.5}},
            "axes": {"haadf_tilts": tilts, "chemical_tilts": tilts},
            "methods": ["fused"],
            "search": {"evaluations": evaluations, "pending": pending, "space": ranges},
        }
    )


class Sleepers:
    """Workers that take as long as real ones and make their answers up; used as the campaign's `submit`.

    Args:
        workers: how many.
        trial_s: mean seconds of a trial.
        proposal_s: seconds of a proposal from so many points.
    """

    def __init__(self, workers: int, trial_s: float, proposal_s: Callable[[int], float]):
        self._pool = ThreadPoolExecutor(workers)
        self._trial_s, self._proposal_s = trial_s, proposal_s

    def __call__(self, _function, argument: Asked | Trial, *_more) -> Future:
        return self._pool.submit(self._propose if isinstance(argument, Asked) else self._evaluate, argument)

    def _propose(self, asked: Asked) -> Proposal:
        began = time.perf_counter()
        time.sleep(self._proposal_s(len(asked.told)))
        draw = random.Random(asked.seed + asked.trial)
        point = {name: draw.uniform(each.low, each.high) for name, each in asked.space.items()}
        candidates = [[draw.random() for _ in point] for _ in range(3)]
        state = {"gains": [draw.random() for _ in candidates], "candidates": candidates, "told": len(asked.told)}
        return Proposal(point, state, seconds=time.perf_counter() - began)

    def _evaluate(self, trial: Trial) -> TrialResult:
        started, began = time.time(), time.perf_counter()
        draw = random.Random(f"{trial.condition.key} {trial.number}")
        time.sleep(self._trial_s * draw.uniform(1 - _SPREAD, 1 + _SPREAD))
        weights, _ = trial.config.parameters(trial.condition, trial.point)
        return TrialResult(
            condition=trial.condition.key,
            trial=trial.number,
            status="ok",
            point=trial.point,
            weights=weights.model_dump(),
            nrmse=draw.random(),
            nrmse_by_element={element: draw.random() for element in _ELEMENTS},
            rmse_by_element={element: draw.random() for element in _ELEMENTS},
            stoichiometry_error=draw.random(),
            iterations=draw.randrange(20, 200),
            stopped="tolerance",
            snr={name: 3 * draw.random() for name in ("HAADF", *_ELEMENTS)},
            seconds=round(time.perf_counter() - began, 4),
            started=round(started, 3),
            worker=f"host:{draw.randrange(10**6)}",
        )


class Recorded:
    """A `submit` that keeps when which task ran, as the workers say it."""

    def __init__(self, submit: Callable[..., Future]):
        self._submit, self.spans = submit, []

    def __call__(self, *call) -> Future:
        future = self._submit(*call)
        future.add_done_callback(self._keep)
        return future

    def _keep(self, future: Future) -> None:
        if future.exception():
            return
        answer = future.result()
        if isinstance(answer, TrialResult):
            self.spans.append(("trial", answer.started, answer.started + answer.seconds))
        else:  # told a moment after it ended
            self.spans.append(("proposal", time.time() - answer.seconds, time.time()))


class Unwatched:
    """No display."""

    def record(self, result: TrialResult) -> None:
        """Nothing."""

    def tick(self, progress: Progress) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Run:
    """What a steered campaign came to.

    Attributes:
        workers: how many there were.
        trials: trials done.
        spans: when which task ran.
        loop_s: processor time of the loop's thread; process_s: of the whole process.
        peak_mib: the most memory that the process held.
    """

    workers: int
    trials: int
    spans: Spans
    loop_s: float
    process_s: float
    peak_mib: float


def steer(config: CampaignConfig, journal: Path, submit: Callable[..., Future], workers: int) -> Run:
    """Run a campaign to its end on the workers behind `submit`."""
    recorded = Recorded(submit)
    with Journal(journal) as file:
        steered = Steering(config, [], file, recorded, workers, Unwatched())
        loop, process = time.thread_time(), time.process_time()
        steered.run()
        loop, process = time.thread_time() - loop, time.process_time() - process
    trials = sum(kind == "trial" for kind, *_ in recorded.spans)
    return Run(workers, trials, recorded.spans, loop, process, machine.peak_memory_mib())


def busy_info(spans: Spans, workers: int, bins: int = 120) -> dict[str, list[float]]:
    """Shares of the workers' time spent on trials and on proposals, in equal bins of time from the first task on."""
    begin = min(begin for _, begin, _ in spans)
    edges = np.linspace(begin, max(end for *_, end in spans), bins + 1)
    info = {"seconds": list((edges[1:] + edges[:-1]) / 2 - begin)}
    for kind in ("trial", "proposal"):
        info[kind] = list(np.diff(_busy_until(edges, spans, kind)) / (np.diff(edges) * workers))
    return info


def busy_once_started(spans: Spans, workers: int) -> dict[str, float]:
    """Shares from when every worker had a first task until the last task of all was begun."""
    begins = sorted(begin for _, begin, _ in spans)
    window = np.array([begins[workers - 1], begins[-1]])
    shares = {kind: float(np.diff(_busy_until(window, spans, kind))[0]) for kind in ("trial", "proposal")}
    return {kind: busy / (workers * (window[1] - window[0])) for kind, busy in shares.items()}


def _busy_until(times: Sequence[float], spans: Spans, kind: str) -> np.ndarray:
    """Seconds spent on tasks of a kind up to each time, over all workers."""
    chosen = [(begin, end) for each, begin, end in spans if each == kind]
    begin, end = np.array(chosen).reshape(-1, 2).T
    return np.array([np.clip(time_ - begin, 0, end - begin).sum() for time_ in times])
