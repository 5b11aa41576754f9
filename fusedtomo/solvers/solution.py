"""What every solver returns, and the record it keeps while it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Callback = Callable[[int, np.ndarray], Mapping[str, float]]
"""Called after every outer iteration with its number and the volume; what it returns joins the history."""

Stop = str  # "tolerance", "max_iterations" or "not finite"


@dataclass(frozen=True, eq=False)
class Solution:
    """A solver's result.

    Attributes:
        volume: (element, z, y, x) float32, >= 0.
        history: every cost term ("haadf", "chemical", "tv", "total") and what the callback gave, one value an iterate,
            the initial one first.
        stopped: "tolerance", "max_iterations" or "not finite".
    """

    volume: np.ndarray
    history: dict[str, list[float]]
    stopped: Stop

    @property
    def iterations(self) -> int:
        """Outer iterations done."""
        return max((len(values) for values in self.history.values()), default=1) - 1


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
