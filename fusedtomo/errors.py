"""The one exception for bad input: it names the thing, the value and the cure."""

import errno
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no block left: of the disk, of a quota, of what a file may have


class InputError(ValueError):
    """Something a user gave cannot be used; the command line prints it as one message and exits with 2."""


class TryAgain(InputError):
    """What the same command may overcome a while later; the command line exits with 75, as sysexits.h has it."""


class NoRoom(TryAgain):
    """A disk that is full."""


def is_full(error: OSError) -> bool:
    """Whether it says that a disk is full."""
    return error.errno in _FULL


def unwritable(path: str | Path, error: OSError, cure: str) -> InputError:
    """The error of a file that cannot be written; the cure is for any reason but a full disk."""
    said = f"{path}: cannot be written ({error.strerror})"
    return (
        NoRoom(f"{said}; make room, then run the same command again")
        if is_full(error)
        else InputError(f"{said}; {cure}")
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint such as ``did you mean 'tv'?``, or the list of known names when none is near."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known names: {', '.join(known)}"
