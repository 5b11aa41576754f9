"""Which trials are worth most now? Those that teach most of all cells, that are left, that may gain most."""

from dataclasses import replace

import numpy as np

from workflows.search.model import Model
from workflows.search.surface import Places

_LOOKED_AT = 64  # cells among which a round chooses
_RIVALS = 3  # other points that may be the best of a cell, each drawn from the model
_AHEAD = 2  # trials by which a cell that is explored may be ahead of others
_OVERHEAD = 0.02  # of a cheap trial, over the cost of a whole one

Planned = list[tuple[int, bool, np.ndarray]]  # cell, whether cheap, place of the point


def explored(model: Model, count: int) -> Planned:
    """Trials by which the regret of all cells together is expected to fall most for their cost.

    Of a cell, the point expected to be best rivals with points that draws from the model have as their best. A
    trial's value is what choosing between them after it is expected to gain, over all cells (knowledge gradient).
    """
    group, rng = model.group, model.random()
    cells = _looked_at(model, rng)
    points = [np.concatenate([model.best(cell)[None], _rivals(model, cell, rng)]) for cell in cells]
    whole = [group.at(cell, place) for cell, place in zip(cells, points, strict=True)]
    joined = whole[0]
    for one in whole[1:]:
        joined = joined.joined(one)
    options = joined.joined(replace(joined, slab=np.ones(len(joined), bool))) if group.cheap else joined
    costs = np.where(options.slab, group.share + _OVERHEAD, 1.0)
    return _greedy(model, options, len(joined), costs, count)


def _greedy(model: Model, options: Places, n_whole: int, costs: np.ndarray, count: int) -> Planned:
    covariance, noise = model.surface.covariance(options), model.surface.kernel.noise(options)
    means = model.surface.mean(options[slice(n_whole)])
    firsts = np.arange(n_whole) // (1 + _RIVALS) * (1 + _RIVALS)
    rivals = np.flatnonzero(np.arange(n_whole) != firsts)
    behind, plan = means[firsts[rivals]] - means[rivals], []
    for _ in range(count):
        with_best = covariance[firsts[rivals]] - covariance[rivals]
        learnt = np.abs(with_best) / np.sqrt(np.diag(covariance).clip(0) + noise)
        gains = _expected_gain(-behind[:, None], learnt).sum(axis=0) / costs
        chosen = int(gains.argmax())
        plan.append((int(options.cell[chosen]), bool(options.slab[chosen]), options.point[chosen]))
        column = covariance[:, chosen]
        covariance = covariance - np.outer(column, column) / (column[chosen] + noise[chosen])
    return plan


def _looked_at(model: Model, rng: np.random.Generator) -> list[int]:
    """Cells with few trials so far: none is left out for long, however alike the model takes them to be."""
    trials = np.bincount(model.group.places.cell, minlength=len(model.group.conditions))
    few = np.flatnonzero(trials <= trials.min() + _AHEAD)
    return sorted(few.tolist() if len(few) <= _LOOKED_AT else rng.choice(few, _LOOKED_AT, replace=False).tolist())


def _rivals(model: Model, cell: int, rng: np.random.Generator) -> np.ndarray:
    near = model.near(cell, rng)
    drawn = model.surface.draws(model.group.at(cell, near), _RIVALS, rng)
    return np.asarray(near[drawn.argmin(axis=1)])


def settled(model: Model, count: int) -> Planned:
    """Full trials of cells that need one, those without any first, and of these the farthest from any other."""
    at, plan = model.group.cells.at, []
    bare = [cell for cell in model.unsettled if cell not in model.group.whole]
    left = bare or list(model.unsettled)
    there = [at[cell] for cell in range(len(at)) if cell not in left]
    for _ in range(min(count, len(left))):
        gaps = [min((float(np.square(at[cell] - one).sum()) for one in there), default=1.0) for cell in left]
        cell = left.pop(int(np.argmax(gaps)))
        there.append(at[cell])
        plan.append((cell, False, model.best(cell)))
    return plan


def topped_up(model: Model, count: int) -> Planned:
    """Full trials where the error is expected to fall most below the best so far, a cell once."""
    gains, rng = [], model.random()
    for cell, (_, error) in model.group.incumbents.items():
        near = model.near(cell, rng)
        places = model.group.at(cell, near)
        mean, spread = model.surface.mean(places), np.sqrt(np.diag(model.surface.covariance(places)).clip(1e-12))
        expected = _expected_gain(mean - error, spread)
        gains.append((float(expected.max()), cell, near[expected.argmax()]))
    gains.sort(key=lambda each: (-each[0], each[1]))
    return [(cell, False, place) for _, cell, place in gains[:count]]


def _expected_gain(above: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How far a normal quantity lies below 0 in the mean, of what is below (expected improvement)."""
    from scipy.stats import norm  # late: `fusedtomo status` knows this strategy, and needs no scipy

    spread = np.maximum(spread, 1e-12)
    z = -above / spread
    return np.asarray(spread * (z * norm.cdf(z) + norm.pdf(z)))
