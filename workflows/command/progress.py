"""How far is a computation that takes minutes? A bar in a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def told(say: Console, title: str, total: int) -> Iterator[Callable[[int, Any], dict[str, float]]]:
    """Give the callback of a solver that shows its iterations."""
    counted = TextColumn("{task.completed}/{task.total}")
    columns = (TextColumn("{task.description}"), BarColumn(), counted, TimeRemainingColumn())
    with Progress(*columns, console=say, transient=True) as progress:
        task = progress.add_task(title, total=total)

        def advance(iteration: int, _volume: Any) -> dict[str, float]:
            progress.update(task, completed=iteration)
            return {}

        yield advance
