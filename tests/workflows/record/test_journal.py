"""The journal: every line on the disk before the next, a torn one cut, a broken one named."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusedtomo.errors import InputError, TryAgain
from workflows.record.journal import Journal, TrialResult, best, by_condition, replay

FULL = TrialResult(
    condition="fused-h4-c3",
    trial=2,
    status="ok",
    point={"haadf": 0.1 + 0.2, "tv": 1 / 3},
    weights={"haadf": 0.1 + 0.2, "chemical": 1.0, "tv": 1 / 3},
    nrmse=0.7234567890123456,
    nrmse_by_element={"Co": 0.7},
    rmse_by_element={"Co": 0.1},
    stoichiometry_error=0.2,
    terms={"haadf": 1.5, "chemical": 0.0},
    iterations=12,
    stopped="tolerance",
    snr={"HAADF": 100.0},
    seconds=1.25,
    started=1.5e9,
    worker="host:1",
    search={"gains": [0.1, 0.2], "candidates": [[0.5, 0.25]], "told": 2},
    proposal_s=0.5,
)


def failed(trial, reason="ValueError: é\n\"quoted\" 'x'"):
    return TrialResult(condition="fused-h2-c2", trial=trial, status="failed", point={"tv": 1.0}, reason=reason)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trials.jsonl"


@pytest.fixture
def written(path):
    with Journal(path) as journal:
        for trial in (FULL, failed(0), failed(1)):
            journal.append(trial)
    return path


def test_what_is_written_is_replayed_bit_by_bit(written):
    assert replay(written) == [FULL, failed(0), failed(1)]


def test_a_trial_is_one_line(written):
    assert written.read_bytes().count(b"\n") == 3
    assert written.read_bytes().endswith(b"\n")


@given(number=st.floats(allow_nan=False, allow_infinity=False), text=st.text())
def test_every_number_and_text_survives_a_line(number, text):
    score = abs(number) % 2
    trial = TrialResult(condition="c", trial=0, status="ok", point={"tv": number}, nrmse=score, reason=text)
    assert "\n" not in trial.line()
    assert TrialResult.from_line(trial.line()) == trial


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_line_never_holds_what_is_no_number(value):
    with pytest.raises(ValueError, match="JSON compliant"):
        TrialResult(condition="c", trial=0, status="ok", point={}, nrmse=value).line()


def test_every_line_is_on_the_disk_before_append_returns(path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append((os.fstat(descriptor).st_ino, replay(path))))
    with Journal(path) as journal:
        journal.append(FULL)
        journal.append(failed(0))
    inode = path.stat().st_ino
    assert seen == [(inode, [FULL]), (inode, [FULL, failed(0)])]  # the whole line, then fsync of this very file


def test_several_results_share_one_fsync_and_none_needs_none(path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(replay(path)))
    with Journal(path) as journal:
        journal.append(FULL, failed(0), failed(1))
        journal.append()
    assert seen == [[FULL, failed(0), failed(1)]]


def test_a_line_of_an_older_version_is_still_a_trial(written):
    content = written.read_text()
    assert '"proposal_s"' in content
    written.write_text(content.replace(', "proposal_s": 0.5', "").replace(', "proposal_s": 0.0', ""))
    assert [trial.proposal_s for trial in replay(written)] == [0.0, 0.0, 0.0]


def test_a_torn_last_line_is_left_out_wherever_it_is_torn(written):
    content = written.read_bytes()
    start = content[:-1].rfind(b"\n") + 1
    for end in range(start, len(content)):
        written.write_bytes(content[:end])
        assert replay(written) == [FULL, failed(0)]


def test_a_torn_last_line_is_cut_when_the_journal_is_opened(written):
    content = written.read_bytes()
    written.write_bytes(content[:-5])
    with Journal(written) as journal:
        journal.append(failed(7))
    assert replay(written) == [FULL, failed(0), failed(7)]


def test_opening_a_whole_journal_changes_nothing(written):
    before = written.read_bytes()
    Journal(written).close()
    assert written.read_bytes() == before


@pytest.mark.parametrize(
    "broken",
    [b"{", b"", b"\xff\xfe", b"[1]", b"3", b'{"condition": "c"}', b'{"condition": "c", "unknown": 1}'],
    ids=str,
)
def test_a_broken_line_inside_is_named_by_file_and_number(written, broken):
    lines = written.read_bytes().split(b"\n")
    lines[1] = broken
    written.write_bytes(b"\n".join(lines))
    with pytest.raises(InputError, match=r"trials\.jsonl:2: not a trial .*restore the line or remove it"):
        replay(written)


def test_no_journal_is_no_trials(path):
    assert replay(path) == []


class _FullDisk:
    """A file on a disk that has room for some bytes more."""

    def __init__(self, file, room):
        self._file, self._room = file, room
        self.fileno = file.fileno

    def write(self, data):
        if not self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken, self._room = data[: self._room], max(0, self._room - len(data))
        return self._file.write(taken)


@pytest.mark.parametrize("room", [0, 10])
def test_a_full_disk_is_one_error_and_leaves_a_journal_that_goes_on(path, room):
    journal = Journal(path)
    journal.append(FULL)
    file, journal._file = journal._file, _FullDisk(journal._file, room)
    with pytest.raises(InputError, match=r"trials\.jsonl: cannot be written \(No space left on device\); make room"):
        journal.append(failed(0))
    file.close()
    with Journal(path) as again:
        again.append(failed(0))
    assert replay(path) == [FULL, failed(0)]


def test_groups_are_in_the_order_of_trial_numbers():
    groups = by_condition([failed(2), FULL, failed(0)])
    assert [trial.trial for trial in groups["fused-h2-c2"]] == [0, 2]
    assert groups["fused-h4-c3"] == [FULL]


def test_the_best_is_the_lowest_and_of_equals_the_earliest():
    def scored(trial, nrmse):
        return TrialResult(condition="c", trial=trial, status="ok", point={}, nrmse=nrmse)

    assert best([failed(0), scored(3, 0.5), scored(1, 0.5), scored(2, 0.6)]).trial == 1
    assert best([failed(0)]) is None


def _moved(path):
    path.rename(path.with_name("elsewhere.jsonl"))


def _replaced(path):
    _moved(path)
    path.write_bytes(path.with_name("elsewhere.jsonl").read_bytes())


def _cut(path):
    os.truncate(path, 10)


@pytest.mark.parametrize(
    ("change", "told"),
    [(_moved, r"elsewhere\.jsonl"), (_replaced, r"elsewhere\.jsonl"), (Path.unlink, r"\(deleted\)"), (_cut, "changed")],
)
def test_a_journal_that_is_no_longer_what_was_written_is_told_with_its_place(path, change, told):
    with Journal(path) as journal:
        journal.append(FULL)
        journal.check_in_place()
        change(path)
        with pytest.raises(TryAgain, match=told):
            journal.check_in_place()
        with pytest.raises(TryAgain, match="Put the run folder back, then run the same command again"):
            journal.append(failed(0))


def test_a_journal_that_was_moved_has_the_trial_that_told_it(path):
    with Journal(path) as journal:
        _moved(path)
        with pytest.raises(TryAgain):
            journal.append(FULL)
    assert replay(path.with_name("elsewhere.jsonl")) == [FULL]
