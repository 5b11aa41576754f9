"""How is it said what a program does now? A spinner in a terminal; elsewhere, where rich shows nothing, a line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console

KERNELS = "the first time on a machine, preparing the kernels takes up to a minute"


class Said(Protocol):
    """What says it."""

    def update(self, status: str) -> None:
        """Say something else from now on."""


@contextmanager
def doing(say: Console, what: str) -> Iterator[Said]:
    """Say what is being done while it is done."""
    if say.is_terminal:
        with say.status(what) as status:
            yield status
    else:
        lines = _Lines(say)
        lines.update(what)
        yield lines


class _Lines:
    """A line whenever there is something new to say."""

    def __init__(self, say: Console) -> None:
        self._say, self._last = say, ""

    def update(self, status: str) -> None:
        if status and status != self._last:
            self._say.print(status, markup=False)
        self._last = status
