"""What is tried next: a point proposed from the trials so far, by Gaussian process, Sobol sequence or grid.

Every strategy is a pure function of (space, trials so far, trial number, seed), so that a journal is all a resume
needs and the map does not depend on the number of workers. Trial t is proposed from the results of trials 0 to
t - pending, and knows the points of those between: with one pending trial a condition is a plain sequence.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.stats import qmc

from workflows.campaign.config import Dimension, Search, grid_edge

Point = dict[str, float]
_SOBOL_BLOCK = 16


@dataclass(frozen=True)
class Proposal:
    """A point to try and the state that the next proposal needs (numbers only; it goes into the journal).

    `seconds` is what the proposal took, on a worker; it decides nothing.
    """

    point: Point
    state: dict[str, Any] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Asked:
    """Everything a proposal depends on.

    Attributes:
        search: strategy and budget.
        space: searched parameters, in order.
        trial: number of the trial within its condition.
        trials: how many the condition gets in total.
        told: points and NRMSE of the successful trials that may be known; failures never reach the model.
        pending: points of trials still under way.
        state: what the previous proposal left.
        seed: of (campaign, condition).
    """

    search: Search
    space: Mapping[str, Dimension]
    trial: int
    trials: int
    told: Sequence[tuple[Point, float]]
    pending: Sequence[Point]
    state: Mapping[str, Any]
    seed: int

    @property
    def needs_model(self) -> bool:
        """Whether the proposal fits a Gaussian process, which takes a good part of a second: work for a worker."""
        enough = len(self.told) >= 2 and self.trial >= self.search.initial_points
        return self.search.strategy == "gp_hedge" and bool(self.space) and enough


def propose(asked: Asked) -> Proposal:
    """Return the next point of a condition."""
    if not asked.space:
        return Proposal({})
    if asked.needs_model:
        return _writable(_gaussian_process(asked))
    if asked.search.strategy == "grid":
        return Proposal(_scaled(asked.space, _grid_point(asked)), dict(asked.state))
    return Proposal(_scaled(asked.space, _sobol_point(asked)), dict(asked.state))


def _writable(proposal: Proposal) -> Proposal:
    """The proposal, or ValueError when it holds what is no number: neither trial nor journal could take it."""
    json.dumps([proposal.point, proposal.state], allow_nan=False)
    return proposal


def _grid_point(asked: Asked) -> np.ndarray:
    edge = grid_edge(asked.trials, len(asked.space))
    index = np.unravel_index(asked.trial % edge ** len(asked.space), (edge,) * len(asked.space))
    return (np.array(index) / (edge - 1)) if edge > 1 else np.full(len(asked.space), 0.5)


def _sobol_point(asked: Asked) -> np.ndarray:
    at_least = max(asked.trial + 1, _SOBOL_BLOCK)
    return _sobol_points(len(asked.space), asked.seed, 1 << (at_least - 1).bit_length())[asked.trial]


@lru_cache(maxsize=4096)
def _sobol_points(dimensions: int, seed: int, count: int) -> np.ndarray:
    """The first points of a condition's sequence, kept: scrambling costs the steering loop a millisecond."""
    return qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed)).random(count)


def _scaled(space: Mapping[str, Dimension], unit: np.ndarray) -> Point:
    """A point of the unit cube in the dimensions' ranges and scales."""
    point = {}
    for (name, dimension), u in zip(space.items(), unit, strict=True):
        low, high = dimension.low, dimension.high
        value = low * (high / low) ** u if dimension.scale == "log" else low + (high - low) * u
        point[name] = float(min(max(value, low), high))
    return point


def _gaussian_process(asked: Asked) -> Proposal:
    """GP with a Matern 5/2 kernel and GP-Hedge (scikit-optimize), rebuilt from the trials.

    Pending points are told to the model with the lowest value so far, the constant liar that keeps it from asking
    for them again. The Hedge's gains and candidates come from the previous proposal's state: refitting once a
    proposal gives what an optimiser kept alive would give. Values are NRMSE as they are, between 0 and about 1.4:
    the Hedge adds them to its gains, so that scaling them would change its choices.
    """
    optimizer = _optimizer(asked)
    names, liar = list(asked.space), min(value for _, value in asked.told)
    told = [([point[name] for name in names], value) for point, value in asked.told]
    lies = [([point[name] for name in names], liar) for point in asked.pending]
    *rest, (last_x, last_y) = lies + told
    optimizer.tell([x for x, _ in rest], [y for _, y in rest], fit=False)
    if "gains" in asked.state:
        optimizer.gains_ = np.array(asked.state["gains"])
        if asked.state["told"] < len(told):  # a failed trial taught the Hedge nothing
            optimizer.next_xs_ = [np.array(candidate) for candidate in asked.state["candidates"]]
    optimizer.tell(last_x, last_y)
    state = {
        "gains": [float(gain) for gain in optimizer.gains_],
        "candidates": [[float(u) for u in candidate] for candidate in optimizer.next_xs_],
        "told": len(told),
    }
    return Proposal(_clipped(asked.space, optimizer.ask()), state)


def _optimizer(asked: Asked):
    from skopt import Optimizer  # half a second to import, and only the model needs it
    from skopt.space import Real

    priors = {"log": "log-uniform", "linear": "uniform"}
    dimensions = [Real(d.low, d.high, prior=priors[d.scale], name=name) for name, d in asked.space.items()]
    seed = np.random.SeedSequence([asked.seed, asked.trial]).generate_state(1)[0]
    return Optimizer(
        dimensions,
        base_estimator="GP",
        acq_func="gp_hedge",
        acq_optimizer="lbfgs",
        n_initial_points=0,
        random_state=int(seed),
        model_queue_size=1,
        n_jobs=1,
    )


def _clipped(space: Mapping[str, Dimension], values: Sequence[float]) -> Point:
    """The optimiser's point, with the last digit's rounding kept inside the range."""
    pairs = zip(space.items(), values, strict=True)
    return {name: float(min(max(value, dimension.low), dimension.high)) for (name, dimension), value in pairs}
