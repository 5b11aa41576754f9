"""Where do trials lie, as numbers? Conditions by their axes, points by their ranges; no axis is known by its name."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from workflows.campaign import AXES, Condition, Dimension
from workflows.search.propose import Known, Point
from workflows.search.surface import Places

_MIDDLE = 0.5  # of an axis
_APART = 0.5  # between two categories, over the unit range of every other axis


def coordinates(conditions: Sequence[Condition], others: Sequence[Condition] | None = None) -> np.ndarray:
    """(condition, column) float: 0 to 1 along each axis on its scale, a column for each category.

    Seeds that results are averaged over are no direction in which anything changes smoothly: they have no column.

    Args:
        conditions: between whose values 0 and 1 lie.
        others: whose coordinates are wanted, such as conditions of another campaign: these may lie outside, and stand
            in the middle of an axis that they do not have. Default: `conditions`.
    """
    others = conditions if others is None else others
    columns = [column for name in _axes_of(conditions) for column in _columns(name, conditions, others)]
    return np.array(columns, float).reshape(-1, len(others)).T


def _axes_of(conditions: Sequence[Condition]) -> list[str]:
    names = dict.fromkeys(name for one in conditions for name, _ in one.at)
    return [name for name in names if not AXES[name].repeats]


def _columns(name: str, conditions: Sequence[Condition], others: Sequence[Condition]) -> Iterator[np.ndarray]:
    values, wanted = ([dict(one.at).get(name) for one in each] for each in (conditions, others))
    if AXES[name].scale == "category":
        for value in dict.fromkeys(values):
            yield np.array([_APART * (one == value) for one in wanted])
        return
    numbers, places = (np.array([np.nan if v is None else v for v in each], float) for each in (values, wanted))
    if AXES[name].scale == "log" and (numbers > 0).all():
        numbers, places = np.log(numbers), np.log(np.where(places > 0, places, np.nan))
    span = numbers.max() - numbers.min()
    if span > 0:
        yield np.nan_to_num((places - numbers.min()) / span, nan=_MIDDLE)


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
