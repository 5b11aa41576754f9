"""The strategy "map": which cell, which weights, whole or in a slab? Whatever teaches most about the whole map.

There is one model of all cells (workflows/search/surface.py). Trials have three phases:

1. Explore, in slabs where the campaign has them: space-filling points spread over the cells first, then those by which
   the regret of all cells together is expected to fall most for what they cost.
2. Settle: each cell is computed in full at the best point that the model predicts for it.
3. Top up: full trials where the model expects most to be gained.

Proposals are planned in rounds, with one look at the model each, so that a map of hundreds of cells does not wait for
it. The plan of a round travels with the trials in the journal. Costs are shares of the whole, never seconds: the map
must not depend on how fast a machine was.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from workflows.campaign import STRATEGIES, Strategy
from workflows.search.choosing import Planned, explored, settled, topped_up
from workflows.search.group import Group, groups_of
from workflows.search.model import Model
from workflows.search.propose import Asked, Proposal, scaled
from workflows.search.space_filling import sobol_points

_ROUNDS = 4  # of a round's trials there are this share of the cells
_MOST = 48  # trials of a round
_CHECKED = 4  # of so many space-filling trials one repeats the slab before it in full
_WITH_PRIOR = 3  # so many times fewer space-filling trials where an earlier campaign tells where to look


def propose_for_the_map(asked: Asked) -> Proposal:
    """The next trial of the plan, or of a new one."""
    state = dict(asked.state)
    if not state.get("plan"):
        state = _planned(asked, state)
    (key, cheap, *place), *rest = state["plan"]
    condition = next(one for one in asked.conditions if one.key == key)
    point = scaled(asked.conditions[condition], np.array(place))
    fidelity = asked.cheap.get(condition, 1.0) if cheap else 1.0
    return Proposal(point, {**state, "plan": rest}, fidelity, condition)


def needs_model(asked: Asked) -> bool:
    """Whether a new round is planned; the first ones need no model."""
    return not asked.state.get("plan") and asked.trial > 0


def whole_trials(evaluations: int) -> float:
    """Trials of a cell that are computed in full, of so many: one, and top-ups."""
    return 1 + top_ups(16 * evaluations, 16) / 16


def top_ups(total: int, cells: int) -> int:
    """Trials left for where the model expects most, when every cell has its full one."""
    return (total - cells) // 12


def _planned(asked: Asked, state: dict[str, Any]) -> dict[str, Any]:
    """The state with the plan of a round, of the method that is least far."""
    group = min(groups_of(asked), key=lambda one: one.done / one.total)
    plan, learnt = plan_of(group, state)
    rows = [[group.conditions[cell].key, int(cheap), *np.round(place, 5).tolist()] for cell, cheap, place in plan]
    merged = {name: {**state.get(name, {}), group.name: value} for name, value in learnt.items()}
    return {**{key: value for key, value in state.items() if key != "fallback"}, **merged, "plan": rows}


def plan_of(group: Group, state: Mapping[str, Any]) -> tuple[Planned, dict[str, Any]]:
    """The trials of a round, and what was learnt on the way: parameters of the model, and a certificate."""
    left, size, first = group.total - group.done, round_of(group), first_of(group)
    if group.done < first:
        return _space_filling(group, min(size, first - group.done)), {}
    model = Model.of(group, state.get("fit", {}).get(group.name))
    to_explore = left - len(model.unsettled) - top_ups(group.total, len(group.conditions))
    if to_explore > 0:
        plan = explored(model, min(size, to_explore))
    elif model.unsettled:
        plan = settled(model, min(size, len(model.unsettled)))
    else:
        plan = topped_up(model, max(1, min(size // 2, left)))
    learnt = {"fit": model.fit, "regret": model.standing.summary()}
    return plan or explored(model, 1), learnt


def first_of(group: Group) -> int:
    """Space-filling trials before the model is asked."""
    least = 4 + 4 * len(group.space) + 2 * group.cells.at.shape[1]
    if group.earlier_trials:
        least //= _WITH_PRIOR
    return int(max(1, min(least, (group.total - len(group.conditions)) * 2 // 3)))


def round_of(group: Group) -> int:
    """Trials of a round."""
    return int(min(_MOST, max(1, len(group.conditions) // _ROUNDS)))


def _space_filling(group: Group, count: int) -> Planned:
    """Points and cells of one sequence, so that each region of weights is seen in all regions of the map."""
    at, n = group.cells.at, len(group.space)
    filling = sobol_points(n + at.shape[1], group.seed, first_of(group))
    chosen: Planned = []
    for number in range(group.done, group.done + count):
        if group.cheap and number % _CHECKED == _CHECKED - 1:
            chosen.append(_in_full(group, chosen))
            continue
        place = filling[number]
        near = np.square(at - place[n:]).sum(axis=1) if at.shape[1] else np.zeros(len(at))
        seen = np.bincount([*group.places.cell, *(cell for cell, *_ in chosen)], minlength=len(at))
        cell = int(np.lexsort((near, seen))[0])
        chosen.append((cell, group.cheap, place[:n]))
    return chosen


def _in_full(group: Group, chosen: Planned) -> tuple[int, bool, np.ndarray]:
    """The trial before, computed in full: far from any optimum too, slabs are held against the whole."""
    if chosen:
        cell, _, place = chosen[-1]
    else:
        cell, place = int(group.places.cell[-1]), group.places.point[-1]
    return cell, False, place


STRATEGIES.register(
    Strategy(
        "map",
        propose_for_the_map,
        sees="campaign",
        needs_model=needs_model,
        cheap=True,
        whole=whole_trials,
        starts_from_prior=True,
        certifies=True,
    )
)
