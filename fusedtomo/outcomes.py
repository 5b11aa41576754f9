"""How does a command end? Every exit code, and which of them an error means (docs/faults.md lists them)."""

import os
import tempfile
import traceback
from dataclasses import dataclass

from fusedtomo.errors import InputError, TryAgain, is_full, unwritable

DONE, WANTING, INPUT, UNEXPECTED, AGAIN, INTERRUPTED = 0, 1, 2, 70, 75, 130  # 70 and 75 as sysexits.h has them
OUTCOMES = {
    DONE: "done, or stopped in good order",
    WANTING: "not complete (`status --complete`), not fit (`doctor`), a failed trial, or the output has no reader",
    INPUT: "something given cannot be used; the message says what, and what helps",
    UNEXPECTED: "an error that nobody expected; the message says where its log is: report it",
    AGAIN: "the same command may do better later: disk or memory full, all workers lost, run folder in use or moved",
    INTERRUPTED: "interrupted",
}


@dataclass(frozen=True)
class Outcome:
    """An exit code, and the one message that comes with it."""

    code: int
    message: str


def outcome_of(error: BaseException) -> Outcome:
    """What an error means that came through to the command; the traceback of an unexpected one goes to a log."""
    if isinstance(error, KeyboardInterrupt):
        return Outcome(INTERRUPTED, "interrupted")
    if isinstance(error, MemoryError):
        said = f" ({error})" if str(error) else ""
        error = TryAgain(f"memory ran out{said}; free some, or give a smaller volume or more ranks")
    if isinstance(error, OSError):
        error = _of_a_file(error)
    if isinstance(error, InputError):
        return Outcome(AGAIN if isinstance(error, TryAgain) else INPUT, str(error))
    kind = f"unexpected {type(error).__name__}: {error}"
    return Outcome(UNEXPECTED, f"{kind}; this is a fault of fusedtomo: please report it {_logged(error)}")


def _of_a_file(error: OSError) -> Exception:
    """An error of the operating system in our words, where it names a file or means that a disk is full."""
    if is_full(error):
        return unwritable(_name(error) or "a file", error, "")
    return InputError(f"{_name(error)}: {error.strerror}; mend that, then try again") if _name(error) else error


def _name(error: OSError) -> str:
    return "" if error.filename is None else os.fsdecode(error.filename)


def _logged(error: BaseException) -> str:
    """The words that say where the traceback is."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="fusedtomo-", suffix=".log", delete=False) as file:
            file.writelines(traceback.format_exception(error))
    except OSError as why:
        return f"(its log could not be written: {why.strerror}; TMPDIR names another folder for it)"
    return f"with {file.name}"
