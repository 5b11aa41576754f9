"""However a command ends, it ends with one message and a code of the table."""

import errno
import io
import sys
import tempfile

import pytest
from rich.console import Console

from fusedtomo.errors import InputError, NoRoom
from workflows.command import cli


@pytest.fixture
def ended(monkeypatch, tmp_path, capfd):
    """Run a command that raises; return its exit code and its words."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def call(error):
        def app():
            raise error

        monkeypatch.setattr(cli, "app", app)
        monkeypatch.setattr(sys, "argv", ["fusedtomo"])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, capfd.readouterr().err

    return call


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InputError("[/x] is wrong"), 2, "error: [/x] is wrong\n"),
        (NoRoom("a: make room"), 75, "error: a: make room\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 75, "error: a file: cannot be written (No space"),
        (OSError(errno.ENOTDIR, "Not a directory", "a/b"), 2, "error: a/b: Not a directory; mend that"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (LookupError("[/x]"), 70, "error: unexpected LookupError: [/x]; this is a fault of fusedtomo: please report"),
        (MemoryError(), 75, "error: memory ran out; free some"),
    ],
)
def test_an_error_is_one_message_and_a_code_of_the_table(ended, error, code, told):
    found, said = ended(error)
    assert found == code
    assert said.startswith(told)
    assert said.count("\n") == 1


def test_a_message_that_cannot_be_written_changes_no_code(ended, monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cli, "say", Console(file=Full(), soft_wrap=True))
    assert ended(InputError("wrong"))[0] == 2
