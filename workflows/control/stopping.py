"""When does a controller end before its campaign does? At a signal, or when its walltime is near."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

# a batch system that asks to end kills half a minute later; a person and a walltime give more
_HURRIED = (signal.SIGTERM, signal.SIGHUP)
_HURRIED_S = 12.0  # of the 20 s within which the run ends: workers and files take the rest
_SIGNALS = (signal.SIGINT, signal.SIGUSR1, *_HURRIED)


class Stopped(BaseException):
    """The controller was asked to end where nothing has to be waited for."""


class Stop:
    """Asks the campaign to end; a context manager of the main thread.

    The first signal raises Stopped; inside `calling` it calls a function instead. The second raises KeyboardInterrupt.
    A signal that was ignored before (nohup) stays ignored.

    Args:
        drain_s: seconds that running trials have to end.
    """

    def __init__(self, drain_s: float):
        self.asked = False
        self._on_stop: Callable[[float], None] | None = None
        self._drain_s = drain_s
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._take)
            for number in _SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def calling(self, on_stop: Callable[[float], None]) -> Iterator[None]:
        """Inside the block the first signal calls `on_stop` with the seconds that running trials have to end."""
        self._on_stop = on_stop
        try:
            yield
        finally:
            self._on_stop = None

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        if self._on_stop is None:
            raise Stopped
        self._on_stop(min(self._drain_s, _HURRIED_S) if number in _HURRIED else self._drain_s)
