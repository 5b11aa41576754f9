"""Strategies without a model: a Sobol sequence of each condition, or a full grid."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from workflows.campaign import STRATEGIES, Strategy
from workflows.search.propose import Asked, Proposal, scaled

_SOBOL_BLOCK = 16


def sobol(asked: Asked) -> Proposal:
    """The next point of the condition's sequence."""
    return Proposal(scaled(asked.space, _sobol_point(asked)), dict(asked.state))


def fallback(asked: Asked, error: BaseException) -> Proposal:
    """A point in place of a strategy's, which failed: of a Sobol sequence, the conditions taken in turn."""
    proposal = _in_turn(asked) if asked.conditions else sobol(asked)
    return replace(proposal, state={**asked.state, "fallback": f"{type(error).__name__}: {error}"[:300]})


def _in_turn(asked: Asked) -> Proposal:
    condition, space = list(asked.conditions.items())[asked.trial % len(asked.conditions)]
    return replace(sobol(replace(asked, space=space)), condition=condition)


def grid(asked: Asked) -> Proposal:
    """The next point of the condition's grid."""
    return Proposal(scaled(asked.space, _grid_point(asked)), dict(asked.state))


def edge_of(trials: int, dimensions: int) -> int:
    """Points along each edge of the largest full grid within a budget."""
    edge = int(np.floor(trials ** (1 / dimensions) + 1e-9))
    return max(edge, 1)


def full_grid(budget: int, dimensions: int) -> int:
    """Trials of the largest full grid within a budget."""
    return int(edge_of(budget, dimensions) ** dimensions)


def _grid_point(asked: Asked) -> np.ndarray:
    edge = edge_of(asked.trials, len(asked.space))
    index = np.unravel_index(asked.trial % edge ** len(asked.space), (edge,) * len(asked.space))
    return (np.array(index) / (edge - 1)) if edge > 1 else np.full(len(asked.space), 0.5)


def _sobol_point(asked: Asked) -> np.ndarray:
    point: np.ndarray = sobol_points(len(asked.space), asked.seed, asked.trial + 1)[asked.trial]
    return point


def sobol_points(dimensions: int, seed: int, count: int) -> np.ndarray:
    """(count or more, dimensions) points of a scrambled Sobol sequence in the unit cube."""
    return _sobol_points(dimensions, seed, 1 << (max(count, _SOBOL_BLOCK) - 1).bit_length())


@lru_cache(maxsize=4096)
def _sobol_points(dimensions: int, seed: int, count: int) -> np.ndarray:
    """The first points of a condition's sequence, kept: scrambling costs the steering loop a millisecond."""
    from scipy.stats import qmc  # a second to import, and whoever only looks at a campaign needs it not

    points: np.ndarray = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed)).random(count)
    return points


STRATEGIES.register(Strategy("sobol", sobol))
STRATEGIES.register(Strategy("grid", grid, trials=full_grid, laid_by_budget=True))
