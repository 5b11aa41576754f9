"""Which weights are best at any place on an atlas's axes, as far as its trials tell, and what may they lose?

The trials that the atlas carries make the model of the strategy "map" (workflows/search/model.py), whatever strategy
searched. The place that is asked for is one cell more, without trials of its own unless the atlas has that cell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fusedtomo.methods import METHODS
from workflows.campaign import AXES, CampaignConfig, Condition, Value, seed_of
from workflows.campaign.experience import Experience
from workflows.search.certificate import guess
from workflows.search.group import Group
from workflows.search.model import LEAST_TOLD, Model
from workflows.search.propose import Known, scaled

_EDGE = 0.005  # so near to the end of its range, over its width, a weight lies on it
_LEAST = 6  # trials of a method: below these its own interpolation says as much


@dataclass(frozen=True)
class Learnt:
    """Weights at a place.

    Attributes:
        weights: the searched parameters that are expected to be the best.
        likely: of each, from where to where the best one lies with a probability of 95 %.
        loss: by how much the error is expected to be above that of the best weights; a share of it.
        loss_bound: the same, which holds with 95 % (workflows/search/certificate.py).
        error: what is expected of what the campaign minimised.
        on_bound: those that lie on the end of the range that was searched.
    """

    weights: dict[str, float]
    likely: dict[str, tuple[float, float]]
    loss: float
    loss_bound: float
    error: float
    on_bound: tuple[str, ...]


def learnt(experience: Experience, method: str, places: Sequence[Mapping[str, Value]]) -> list[Learnt] | None:
    """Of each place, a value of every axis; None where the campaign searched nothing or too little of the method."""
    config, past = experience.config, experience.of_method(method)
    if len(past) < max(_LEAST, LEAST_TOLD):
        return None
    own = [one for one in config.conditions() if one.method == method]
    asked = [_condition(config, method, at) for at in places]
    cells = [*own, *(one for one in dict.fromkeys(asked) if one not in own)]
    known = [Known(one.condition, dict(one.point), one.fidelity, one.error) for one in past]
    group = Group(method, cells, config.space(own[0]), 1.0, known, len(known), seed_of(config.seed, "atlas"))
    model = Model.of(group, None)
    return [_at(model, cells.index(one)) for one in asked]


def _condition(config: CampaignConfig, method: str, at: Mapping[str, Value]) -> Condition:
    """The cell of a place: on the edge, where it lies beyond an axis."""
    seen = {name: values for name, values in config.axes.items() if METHODS[method].uses(AXES[name].term)}
    return Condition(method, tuple((name, _clamped(name, values, at[name])) for name, values in seen.items()))


def _clamped(name: str, values: Sequence[Value], value: Value) -> Value:
    if AXES[name].scale == "category" or value in values:
        return value
    return min(max(float(value), float(values[0])), float(values[-1]))


def _at(model: Model, cell: int) -> Learnt:
    group, point = model.group, model.best(cell)
    found = guess(model.surface, group.cells, cell, point, model.points, model.means, group.seed)
    low, high = (scaled(group.space, np.clip(end, 0, 1)) for end in found.likely)
    return Learnt(
        weights=scaled(group.space, point),
        likely={name: (low[name], high[name]) for name in group.space},
        loss=found.loss,
        loss_bound=found.bound,
        error=found.error,
        on_bound=tuple(n for n, place in zip(group.space, point, strict=True) if not _EDGE < place < 1 - _EDGE),
    )
