"""What may reach a script, and how is it written there? Everything that a user gave passes through here.

A script is read by three: the scheduler its directives, bash the rest, and Parsl the lines that start workers. A
control character could end a line and begin another, in a comment too, so that none gets in; what is left is quoted.
"""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from fusedtomo.errors import InputError

_PLAIN = re.compile(r"[\w@%+=:,./~][\w@%+=:,./~-]*")


def one_line(text: str) -> str:
    """The text itself.

    Raises:
        InputError: it has control characters, or others that are not seen, such as a line's end.
    """
    if not text.isprintable():
        raise InputError("control characters would break a job script in two; take them out")
    return text


def shell_lines(text: str) -> str:
    """The text itself, which may be of several lines, with tabs.

    Raises:
        InputError: it has other control characters.
    """
    for line in text.replace("\t", " ").split("\n"):
        one_line(line)
    return text


def quoted(value: object) -> str:
    """A value as one word, for bash and for every scheduler: all of them read quotes as shells do.

    Raises:
        InputError: it has control characters.
    """
    try:
        return shlex.quote(one_line(str(value)))
    except InputError as error:
        raise InputError(f"{str(value)!r}: {error}") from None


def quoted_or_none(value: str) -> str | None:
    """The same, for what Parsl takes None for when nothing is asked."""
    return quoted(value) if value else None


def quoted_words(words: str | Sequence[str]) -> str:
    """Several words, such as the options of a launcher or a command, each quoted.

    Raises:
        ValueError: a quote is not closed.
    """
    return " ".join(map(quoted, shlex.split(words) if isinstance(words, str) else words))


def plain_path(path: Path, why: str) -> Path:
    """The path itself.

    Raises:
        InputError: it holds more than letters, digits and @ % + = : , . / ~ _ -, or begins with the last of these;
            `why` says who cannot take that.
    """
    if not _PLAIN.fullmatch(str(path)):
        raise InputError(f"{str(path)!r}: {why}; give a path of letters, digits and the signs . _ - + = @ % , : ~")
    return path
