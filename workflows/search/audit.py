"""The strategy "audit": what is the least error of a condition really? Sobol points in full, then ever nearer the best.

The last fifth of the trials refines: points in a box about the best so far, which shrinks.
"""

import numpy as np

from workflows.campaign import STRATEGIES, Strategy
from workflows.search.places import unit
from workflows.search.propose import Asked, Proposal, scaled
from workflows.search.space_filling import sobol, sobol_points

_REFINED = 5  # of so many trials one refines
_WIDEST, _NARROWEST = 0.1, 0.01  # half widths of the box, of the ranges


def audit(asked: Asked) -> Proposal:
    """The next point of the sequence, or one near the best."""
    spread = asked.trials - asked.trials // _REFINED
    if asked.trial < spread or not asked.told:
        return sobol(asked)
    best, _ = min(asked.told, key=lambda one: one[1])
    step = asked.trial - spread
    width = _WIDEST * (_NARROWEST / _WIDEST) ** (step / max(1, asked.trials - spread))
    offsets = 2 * sobol_points(len(asked.space), asked.seed + 1, step + 1)[step] - 1
    place = np.clip(np.array(unit(asked.space, best)) + width * offsets, 0, 1)
    return Proposal(scaled(asked.space, place), dict(asked.state))


STRATEGIES.register(Strategy("audit", audit, laid_by_budget=True))
