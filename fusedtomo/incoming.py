"""Files that come in: is this one a regular file of bounded size, and what text or JSON does it hold?"""

import json
import os
import stat
from pathlib import Path
from typing import Any

from fusedtomo.errors import InputError

MOST_BYTES = 250_000  # of a text file: a campaign has some 5 kB, and what a parser takes grows faster than the size


def check_regular(path: str | Path, wanted: str) -> None:
    """Refuse what is no regular file: a pipe would block for ever, a device may never end.

    Args:
        path: the file.
        wanted: what to give instead, such as "an HDF5 file".
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise _unreadable(path, error, wanted) from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: cannot be read (it is a folder); give the path of {wanted}")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: cannot be read (it is no regular file); give the path of {wanted}")


def read_text(path: str | Path, wanted: str) -> str:
    """Return the text of a regular file of at most MOST_BYTES in UTF-8."""
    check_regular(path, wanted)
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)  # the size that the system states may be 0, as below /proc
    except OSError as error:
        raise _unreadable(path, error, wanted) from None
    if len(content) > MOST_BYTES:
        raise InputError(
            f"{path}: has more than {MOST_BYTES / 1e3:g} kB, the most that is read; give the path of {wanted}"
        )
    try:
        return content.decode("utf-8")
    except ValueError as error:
        raise InputError(f"{path}: cannot be read (no UTF-8: {error}); give the path of {wanted}") from None


def read_json(path: str | Path, wanted: str) -> Any:
    """Return the content of a JSON file, in which every key stands once and every number is finite."""
    return parsed_json(read_text(path, wanted), path, wanted)


def parsed_json(text: str, path: str | Path, wanted: str) -> Any:
    """The same of a text that a file holds."""
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_each_once)
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply; give the path of {wanted}") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}; mend it, or give the path of {wanted}") from None


def _unreadable(path: str | Path, error: Exception, wanted: str) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"{path}: cannot be read ({reason}); give the path of {wanted}")


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"'{twice}' is given twice")
    return content
