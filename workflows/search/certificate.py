"""How far may the best trial of a cell be from its best weights? An upper bound that holds with a stated probability.

The regret of a cell is the share by which its error could still fall: (found - least) / found. Trials near the best
are drawn from the posterior of the model, their scatter included; the least of each draw lies somewhere below the best
full trial. The bound is the regret that 95 % of the draws do not exceed, times a factor that was calibrated on cells
searched densely (docs/search.md): a model never knows how wrong it is itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workflows.search.surface import Places, Surface

STATED = 0.95  # probability with which a bound holds
MARKED = 0.01  # regret above which a cell has a mark
_CALIBRATED = 2.0  # times the quantile of the draws: benchmarks/search.py
_DRAWS, _NEAR, _TEMPERATURE = 256, 48, 0.05


@dataclass(frozen=True)
class Standing:
    """What is known of every cell.

    Attributes:
        bounds: (cell,) upper bound of the regret, 0 to 1; 1 where a cell has no full trial.
        expected: (cell,) mean of the regret; NaN there.
    """

    bounds: np.ndarray
    expected: np.ndarray

    def summary(self) -> dict[str, Any]:
        """For the journal: the worst bound, and in how many cells it is above the mark."""
        return {"worst": round(float(self.bounds.max()), 5), "above": int((self.bounds > MARKED).sum())}


def standing(
    surface: Surface,
    cells: Places,
    points: np.ndarray,
    means: np.ndarray,
    incumbents: Mapping[int, tuple[np.ndarray, float]],
    seed: int,
) -> Standing:
    """Bounds for every cell.

    Args:
        surface: the model.
        cells: each cell, in full.
        points: (candidate, parameter) where the best may lie.
        means: (cell, candidate) log errors expected.
        incumbents: the best full trial of each cell that has one: its place and its log error.
        seed: of the draws.
    """
    bounds, expected = np.ones(len(cells)), np.full(len(cells), np.nan)
    doubt = max(1.0, surface.surprise(~surface.places.slab & (surface.places.cell >= 0)))
    for cell, (_, found) in incumbents.items():
        rng = np.random.default_rng([seed, cell, len(surface.places)])
        at = _in_cell(cells, cell, _candidates(points, means[cell], rng))
        regrets = _regrets(surface, at, found, rng)
        bounds[cell], expected[cell] = _bound(doubt * regrets), float(regrets.mean())
    return Standing(bounds, expected)


@dataclass(frozen=True)
class Guess:
    """What weights that were never tried in a cell are worth.

    Attributes:
        loss: how much of its error a cell has by them beyond its best weights, as the mean of draws; a share.
        bound: the same as a bound, as stated of trials.
        likely: (2, parameter) ends of the range in which the best point lies with the stated probability.
        error: what is expected there.
    """

    loss: float
    bound: float
    likely: np.ndarray
    error: float


def guess(
    surface: Surface, cells: Places, cell: int, point: np.ndarray, points: np.ndarray, means: np.ndarray, seed: int
) -> Guess:
    """What a point (parameter,) is worth in a cell that may have no trial; other arguments as in `standing`."""
    rng = np.random.default_rng([seed, cell, len(surface.places)])
    near = np.concatenate([point[None], _candidates(points, means[cell], rng)])
    at = _in_cell(cells, cell, near)
    drawn = surface.draws(at, _DRAWS, rng)
    regrets, best = 1 - np.exp(drawn.min(axis=1) - drawn[:, 0]), near[drawn.argmin(axis=1)]
    likely = np.quantile(best, [(1 - STATED) / 2, (1 + STATED) / 2], axis=0)
    error = float(np.exp(surface.mean(at[slice(1)])[0]))
    return Guess(float(regrets.mean()), _bound(regrets), likely, error)


def _bound(regrets: np.ndarray) -> float:
    return min(1.0, _CALIBRATED * float(np.quantile(regrets, STATED)))


def _in_cell(cells: Places, cell: int, points: np.ndarray) -> Places:
    n = len(points)
    return Places(np.full(n, cell), np.repeat(cells.at[[cell]], n, axis=0), points, np.zeros(n, bool))


def _candidates(points: np.ndarray, means: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points near the least: the nearer the likelier."""
    scores = -(means - means.min()) / _TEMPERATURE + rng.gumbel(size=len(means))
    return np.asarray(points[np.argsort(scores)[-_NEAR:]])


def _regrets(surface: Surface, at: Places, found: float, rng: np.random.Generator) -> np.ndarray:
    """(draw,): trials scatter about the surface, and the best of many is one that came out well."""
    scatter = np.sqrt(surface.kernel.noise(at))
    drawn = surface.draws(at, _DRAWS, rng) + scatter * rng.standard_normal((_DRAWS, len(at)))
    return np.asarray(1 - np.exp(np.minimum(drawn.min(axis=1) - found, 0.0)))
