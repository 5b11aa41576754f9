"""The one exception for bad input: it names the thing, the value and the cure."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something a user gave cannot be used; the command line prints it as one message and exits with 2."""


class TryAgain(InputError):
    """What the same command may overcome a while later; the command line exits with 75, as sysexits.h has it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint such as ``did you mean 'tv'?``, or the list of known names when none is near."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known names: {', '.join(known)}"
