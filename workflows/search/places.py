"""Where do trials lie, as numbers? Conditions by their axes, points by their ranges; no axis is known by its name."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from workflows.campaign import AXES, Condition, Dimension
from workflows.search.propose import Known, Point
from workflows.search.surface import Places

_APART = 0.5  # between two categories, over the unit range of every other axis


def coordinates(conditions: Sequence[Condition]) -> np.ndarray:
    """(condition, column) float: 0 to 1 along each axis on its scale, a column for each category.

    Seeds that results are averaged over are no direction in which anything changes smoothly: they have no column.
    """
    columns = [column for name in _axes_of(conditions) for column in _columns(name, conditions)]
    return np.array(columns, float).reshape(-1, len(conditions)).T


def _axes_of(conditions: Sequence[Condition]) -> list[str]:
    names = dict.fromkeys(name for one in conditions for name, _ in one.at)
    return [name for name in names if not AXES[name].repeats]


def _columns(name: str, conditions: Sequence[Condition]) -> Iterator[np.ndarray]:
    values = [dict(one.at)[name] for one in conditions]
    if AXES[name].scale == "category":
        for value in dict.fromkeys(values):
            yield np.array([_APART * (one == value) for one in values])
        return
    numbers = np.array(values, float)
    if AXES[name].scale == "log" and (numbers > 0).all():
        numbers = np.log(numbers)
    span = numbers.max() - numbers.min()
    if span > 0:
        yield (numbers - numbers.min()) / span


def unit(space: Mapping[str, Dimension], point: Point) -> list[float]:
    """A point's place along every range."""
    return [dimension.place(point[name]) for name, dimension in space.items()]


def places_of(known: Sequence[Known], conditions: Sequence[Condition], space: Mapping[str, Dimension]) -> Places:
    """Of trials of some conditions, which search the same parameters."""
    numbers = {condition: number for number, condition in enumerate(conditions)}
    cells = np.array([numbers[one.condition] for one in known], int)
    points = np.array([unit(space, one.point) for one in known], float).reshape(len(known), len(space))
    slabs = np.array([one.fidelity < 1 for one in known], bool)
    return Places(cells, coordinates(conditions)[cells], points, slabs)
