"""How are the iterations of a solver told? By a bar in a terminal; elsewhere by lines, now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from workflows.saying import KERNELS

_EVERY_S = 30.0
_THINNED = (slice(None), *(slice(None, None, 4),) * 3)  # a 64th of a volume's voxels tell how far it moved

Advance = Callable[[int, Any], dict[str, float]]
"""The callback of a solver (fusedtomo.solvers.solution.Callback)."""


@contextmanager
def told(say: Console, title: str, total: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Advance]:
    """Give the callback that tells the iterations of a solver, of `total` at most."""
    if say.is_terminal:
        with _bar(say, title, total) as advance:
            yield advance
    else:
        say.print(f"{title}: at most {total} iterations, a line every {_EVERY_S:g} s; {KERNELS}", markup=False)
        yield _Lines(say, title, total, clock)


@contextmanager
def _bar(say: Console, title: str, total: int) -> Iterator[Advance]:
    """A spinner until the first iteration, then the bar."""
    counted = TextColumn("{task.completed}/{task.total}")
    columns = (TextColumn("{task.description}"), BarColumn(), counted, TimeRemainingColumn())
    waiting, progress = say.status(f"{title} ({KERNELS})"), Progress(*columns, console=say, transient=True)
    task = progress.add_task(title, total=total)

    def advance(iteration: int, _volume: Any) -> dict[str, float]:
        waiting.stop()
        progress.start()
        progress.update(task, completed=iteration)
        return {}

    waiting.start()
    try:
        yield advance
    finally:
        waiting.stop()
        progress.stop()


class _Lines:
    """Prints a line when the last one is long enough ago."""

    def __init__(self, say: Console, title: str, total: int, clock: Callable[[], float]):
        self._say, self._title, self._total, self._clock = say, title, total, clock
        self._began: float | None = None  # the first call: what comes before it is announced
        self._last, self._before = 0.0, None

    def __call__(self, iteration: int, volume: Any) -> dict[str, float]:
        now, sample = self._clock(), volume[_THINNED].copy()
        if self._began is None:
            self._began = self._last = now
        elif now - self._last >= _EVERY_S:
            self._last = now
            self._say.print(self._line(iteration, now - self._began, _moved(sample, self._before)), markup=False)
        self._before = sample
        return {}

    def _line(self, iteration: int, seconds: float, moved: float) -> str:
        return f"{self._title}: iteration {iteration} of {self._total} after {seconds:.0f} s, moved by {moved:.1e}"


def _moved(now: Any, before: Any) -> float:
    """How far a volume moved in an iteration, over its own length: what --tolerance is compared with."""
    length = float((now * now).sum()) ** 0.5
    return float(((now - before) ** 2).sum()) ** 0.5 / length if length else 0.0
