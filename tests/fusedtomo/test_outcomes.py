"""Every error ends a command with one message and one exit code, which the page of faults lists."""

import errno
import os
import re
import tempfile
from pathlib import Path

import pytest

from fusedtomo.errors import InputError, TryAgain, unwritable
from fusedtomo.outcomes import OUTCOMES, outcome_of

PAGE = Path(__file__).parents[2] / "docs/faults.md"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def of_the_system(number, name=None):
    return OSError(number, os.strerror(number), name)


def test_the_page_lists_every_outcome_as_the_table_does():
    listed = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert {int(code): meaning for code, meaning in listed} == OUTCOMES


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InputError("x: wrong; mend it"), 2, "x: wrong; mend it"),
        (TryAgain("in use"), 75, "in use"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (of_the_system(errno.EACCES, "a.h5"), 2, "a.h5: Permission denied; mend that"),
        (of_the_system(errno.EACCES, b"a.h5"), 2, "a.h5: Permission denied; mend that"),
        (of_the_system(errno.EIO), 70, "unexpected OSError"),
        (ZeroDivisionError("by zero"), 70, "unexpected ZeroDivisionError: by zero; .* report it with "),
        *[(of_the_system(number, "a.h5"), 75, "a.h5: cannot be written .*make room") for number in FULL],
        *[(of_the_system(number), 75, "a file: cannot be written .*make room") for number in FULL],
        *[(unwritable("a.h5", of_the_system(number), "-"), 75, "a.h5: cannot .*make room, then") for number in FULL],
        (unwritable("a.h5", of_the_system(errno.EROFS), "give another"), 2, "a.h5: cannot .*; give another"),
    ],
)
def test_an_error_has_one_outcome(error, code, told, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcome = outcome_of(error)
    assert outcome.code == code
    assert code in OUTCOMES
    assert re.match(told, outcome.message)
    assert "\n" not in outcome.message


def failed():
    try:
        return 1 / 0
    except ZeroDivisionError as error:
        return error


def test_the_log_that_is_named_has_the_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    log = Path(re.search(r"report it with (\S+)$", outcome_of(failed()).message).group(1))
    assert log.parent == tmp_path
    assert "1 / 0" in log.read_text()


def test_a_log_that_cannot_be_written_is_told_too(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    outcome = outcome_of(failed())
    assert outcome.code == 70
    assert outcome.message.endswith(
        "(its log could not be written: No such file or directory; TMPDIR names another folder for it)"
    )
