"""Did a solver converge? "Convergence should be confirmed for accurate reconstruction" (paper, Supplement 13)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

Values = Sequence[float] | np.ndarray  # of a term, the start's first
Verdict = Literal["converged", "not converged", "diverging"]
TERMS = ("haadf", "chemical", "tv")
SOLVE = "solve"  # a row's cost function, by number, in the history of a method that changes it on the way
WINDOW = 10  # iterations looked back
SETTLED = 1e-3  # of the cost: what no term may move by in the window
RISEN = 1e-2  # of the least cost: ten times what momentum swings the cost by about its minimum (docs/solver.md)


def convergence(history: Mapping[str, Values]) -> Verdict:
    """The verdict on the cost terms of all iterates, the start first, such as `Solution.history`.

    - "diverging": the last cost is no finite number, lies above that of the start, or by more than 1 % above the least.
    - "converged": over the last 10 iterations, or all where there are fewer, no term moved by more than 0.1 % of the
      cost. Terms that trade against each other at the same cost have not settled.
    - "not converged": anything else, and a start alone.

    Of a method that changes its cost function on the way, it judges the last one. It speaks of the cost at the last
    iterate, not of the volume's error: what is converged may be regularised badly.

    Raises:
        KeyError: no "total" is in the history.
    """
    total = np.asarray(last_solve(history)["total"], float)
    last = total[-1]
    if not np.isfinite(last) or last > total[0] or last > (1 + RISEN) * total.min():
        return "diverging"
    if len(total) < 2:
        return "not converged"
    return "converged" if moved(history) <= SETTLED else "not converged"


def moved(history: Mapping[str, Values]) -> float:
    """The furthest that a term moved over the last 10 iterations, over the last cost."""
    history = last_solve(history)
    terms = [np.asarray(history[name], float)[-WINDOW - 1 :] for name in TERMS if name in history]
    furthest = max(float(np.ptp(values)) for values in terms)
    return furthest / max(abs(float(history["total"][-1])), np.finfo(float).tiny)


def last_solve(history: Mapping[str, Values]) -> dict[str, np.ndarray]:
    """The rows of the last cost function alone, the one that its solve began with first; all where there is but one."""
    values = {name: np.asarray(each, float) for name, each in history.items() if name != SOLVE}
    if SOLVE not in history:
        return values
    solve = np.asarray(history[SOLVE])
    return {name: each[solve == solve[-1]] for name, each in values.items()}
