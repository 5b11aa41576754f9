"""However a command ends, it ends with one message and a code of the table."""

import errno
import io
import sys
import tempfile

import pytest
from rich.console import Console

from fusedtomo.errors import InputError, NoRoom
from tests.disks import SmallDisk
from tests.workflows.values import TRIALS, campaign
from workflows.command import cli
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder


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


@pytest.fixture(scope="module")
def only_read(tmp_path_factory):
    """A run folder on a disk that nobody can write to."""
    with SmallDisk(tmp_path_factory.mktemp("disks") / "disk", 4000) as disk:
        with RunFolder(disk.folder / "run", campaign()) as run, Journal(run.journal) as journal:
            for one in TRIALS:
                journal.append(one)
        disk.only_read()
        yield disk.folder


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["report", "run"], 2, "run/atlas.h5: Read-only file system; mend that, then try again"),
        (["status", "run"], 0, ""),
        (["trials", "run"], 0, ""),
        (["trials", "run", "--failed"], 0, ""),
        (
            ["merge", "run", "run", "--out", "whole"],
            2,
            "whole: cannot be written (Read-only file system); give",
        ),
        (
            ["run", "quickstart", "--out", "run"],
            2,
            "run: cannot be written (Read-only file system); give another",
        ),
        (["phantom", "conio_nanotube", "--size", "16", "--out", "a.h5"], 2, "a.h5: cannot be written (Read-only file"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_on_a_disk_that_is_only_read_a_command_reads_or_says_so_once(only_read, monkeypatch, capfd, words, code, told):
    before = sorted(only_read.rglob("*"))
    monkeypatch.chdir(only_read)
    monkeypatch.setattr(sys, "argv", ["fusedtomo", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capfd.readouterr().err
    assert end.value.code == code, said
    assert told in " ".join(said.split())
    assert said.count("error:") == (code != 0)
    assert "Traceback" not in said
    assert sorted(only_read.rglob("*")) == before
