"""What every solver returns, and the record it keeps while it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fusedtomo.arrays import Array, array_module

Callback = Callable[[int, np.ndarray], Mapping[str, float]]
"""Called after every outer iteration with its number and the volume; what it returns joins the history."""

AS_GOOD = 1e-3  # of the least cost: so far above it an iterate is as good
Stop = str  # "tolerance", "max_iterations", "diverging" or "not finite"


@dataclass(frozen=True, eq=False)
class Solution:
    """A solver's result.

    Attributes:
        volume: (element, z, y, x) float32, >= 0: the last iterate whose cost is at most 0.1 % above the least, and not
            above the start's.
        history: every cost term ("haadf", "chemical", "tv", "total") and what the callback gave, one value an iterate,
            the initial one first.
        stopped: "tolerance", "max_iterations", "diverging" (the cost rose above the start's) or "not finite".
    """

    volume: np.ndarray
    history: dict[str, list[float]]
    stopped: Stop

    @property
    def iterations(self) -> int:
        """Outer iterations done."""
        return max((len(values) for values in self.history.values()), default=1) - 1


class Best:
    """The last iterate that counts as the best: below the start, and at most 0.1 % above the least cost so far.

    Momentum swings the cost by less than that about its minimum, where an iterate is as good as another. One volume is
    copied, and only when the cost leaves these bounds.
    """

    def __init__(self, total: float):
        self._first = self._least = total
        self._is_last = True
        self._copy: Array = None

    def passed(self, total: float, before: Array) -> None:
        """An iteration led from the volume `before` to one of this cost."""
        good = total <= min(self._first, (1 + AS_GOOD) * self._least)  # NaN is not
        if self._is_last and not good:
            self._copy = array_module(before).empty_like(before) if self._copy is None else self._copy
            self._copy[:] = before
        self._is_last = good
        self._least = min(total, self._least) if good else self._least

    def volume(self, last: Array) -> Array:
        """The best volume, which may be the last one."""
        return last if self._is_last else self._copy


class History:
    """Collects the terms of every iterate."""

    def __init__(self, callback: Callback | None = None):
        self.values: dict[str, list[float]] = {}
        self._callback, self._count = callback, 0

    def record(self, terms: Mapping[str, float], volume: np.ndarray) -> float:
        """Note an iterate's terms and their total; return the total."""
        total = float(sum(terms.values()))
        extra = self._callback(self._count, volume) if self._callback else {}
        for name, value in {**terms, "total": total, **extra}.items():
            self.values.setdefault(name, []).append(float(value))
        self._count += 1
        return total
