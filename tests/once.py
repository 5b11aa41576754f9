"""What several processes of one test run need, made once: by the one that comes first, while the others wait."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder of all processes of this run: pytest-xdist gives each of them one inside."""
    return factory.getbasetemp().parent if factory.getbasetemp().name.startswith("popen-") else factory.getbasetemp()


@contextmanager
def one_at_a_time(factory: pytest.TempPathFactory, name: str) -> Iterator[None]:
    """Only one process is inside; a process that is killed leaves no lock behind."""
    with (shared_folder(factory) / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder or file of that name, which `make` makes where it is not there yet; for reading only."""
    made, done = shared_folder(factory) / name, shared_folder(factory) / f"{name}.made"
    with one_at_a_time(factory, name):
        if not done.exists():
            make(made)
            done.touch()
    return made
