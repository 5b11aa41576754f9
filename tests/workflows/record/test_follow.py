"""Following a journal: every line once, never the same byte twice, whatever happens to the file."""

import io
from dataclasses import replace

import pytest

from fusedtomo.errors import InputError
from tests.workflows.values import trial
from workflows.record.follow import Follower
from workflows.record.journal import Journal

TRIALS = [trial("fused-h5-c3", number, 0.5) for number in range(6)]
LINES = [one.line().encode() + b"\n" for one in TRIALS]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trials.jsonl"


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def test_each_look_gives_what_is_new(path):
    follower = Follower(path)
    assert follower.read() == ([], False)  # the run may not have begun
    for one, data in zip(TRIALS, LINES, strict=True):
        append(path, data)
        assert follower.read() == ([one], False)
        assert follower.read() == ([], False)


def test_a_line_that_is_being_written_is_given_once_it_is_whole(path):
    follower, data, got = Follower(path), b"".join(LINES), []
    for byte in range(0, len(data), 7):
        append(path, data[byte : byte + 7])
        got += follower.read()[0]
    assert got == TRIALS


def test_nothing_is_read_twice(path, monkeypatch):
    append(path, b"".join(LINES[:5]))
    follower = Follower(path)
    follower.read()
    append(path, LINES[5])
    sizes = []

    class Counting(io.FileIO):
        def read(self, *size):
            content = super().read(*size)
            sizes.append(len(content))
            return content

    monkeypatch.setattr(type(path), "open", lambda self, mode: Counting(self, "r"))
    assert follower.read() == ([TRIALS[5]], False)
    assert sum(sizes) == len(LINES[5])


def test_a_torn_line_that_the_next_controller_cuts_is_no_loss(path):
    append(path, LINES[0] + LINES[1][:20])
    follower = Follower(path)
    assert follower.read() == ([TRIALS[0]], False)
    with Journal(path) as journal:
        journal.append(TRIALS[2])
    assert follower.read() == ([TRIALS[2]], False)


def test_another_journal_under_the_name_is_read_from_its_start(path, tmp_path):
    append(path, b"".join(LINES))
    follower = Follower(path)
    follower.read()
    long = [replace(TRIALS[3], trial=number) for number in range(9)]
    (tmp_path / "new").write_bytes(b"".join(trial.line().encode() + b"\n" for trial in long))
    (tmp_path / "new").replace(path)
    assert follower.read() == (long, True)
    path.write_bytes(LINES[4])
    assert follower.read() == ([TRIALS[4]], True)
    path.unlink()
    assert follower.read() == ([], True)


def test_a_trial_that_stands_twice_is_named(path):
    append(path, LINES[0] + LINES[1])
    follower = Follower(path)
    follower.read()
    append(path, LINES[0])
    with pytest.raises(InputError, match=r":3: not a trial \(trial \d+ of .+ stands in an earlier line\)"):
        follower.read()


def test_a_broken_line_is_named_by_its_number_in_the_file(path):
    append(path, LINES[0] + LINES[1])
    follower = Follower(path)
    follower.read()
    append(path, LINES[2] + b"broken\n")
    with pytest.raises(InputError, match=r"trials\.jsonl:4: not a trial"):
        follower.read()
