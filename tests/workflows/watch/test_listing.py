"""`trials`: every trial on a line, failures with what they said, and no way out of the folder of logs."""

import io
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from fusedtomo.errors import InputError
from tests.workflows.values import campaign, trial
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder
from workflows.watch.listing import log_of, show

FINE = replace(trial("fused-h5-c3", 0, 0.3421, haadf=0.01, tv=20.0), worker="n17:42", iterations=9)
FAILED = replace(trial("fused-h5-c9", 1, None, tv=3.0), worker="n17:43", stderr="\n".join(map(str, range(40))))
SILENT = replace(trial("poisson-c3", 0, None), reason="")


@pytest.fixture
def run(tmp_path):
    with RunFolder(tmp_path / "run", campaign()) as folder, Journal(folder.journal) as journal:
        for one in (FINE, FAILED, SILENT):
            journal.append(one)
    (folder.path / "logs").mkdir()
    (folder.path / "logs" / "n17-43.log").write_text("words")
    return folder.path


def said(run, failed=False, condition=None, as_json=False, width=60, sort=None, reverse=False):
    console = Console(file=io.StringIO(), width=width)
    show(console, run, failed, condition, as_json, sort, reverse)
    return console.file.getvalue().splitlines()


def test_every_trial_is_a_line_however_narrow_the_terminal(run):
    lines = said(run, width=20)
    assert lines[0].split() == ["condition", "trial", "NRMSE", "s", "iterations", "worker", "point"]
    assert lines[1].split() == ["fused-h5-c3", "0", "0.3421", "36.0", "9", "n17:42", "haadf", "0.01,", "tv", "20"]
    assert lines[2].split()[:3] == ["fused-h5-c9", "1", "failed"]
    assert lines[2].endswith("tv 3  MemoryError: <b>")
    assert len(lines) == 4


def test_failures_say_why_and_where_the_log_is(run):
    lines = said(run, failed=True)
    assert lines[0] == "fused-h5-c9 #1  tv 3  on n17:43, after 36.0 s"
    assert lines[1].strip() == "MemoryError: <b>"
    assert [line.strip() for line in lines[2:8]] == ["34", "35", "36", "37", "38", "39"]
    assert lines[8] == f"  log: {run / 'logs' / 'n17-43.log'}"
    assert lines[9].startswith("poisson-c3 #0")
    assert lines[10].strip() == "no reason recorded"
    assert len(lines) == 11


def test_no_failure_is_said(run):
    assert said(run, failed=True, condition="fused-h5-c3") == ["no trial failed"]


def test_a_condition_alone(run):
    assert [line.split()[0] for line in said(run, condition="fused-h5-c9")] == ["condition", "fused-h5-c9"]
    with pytest.raises(InputError, match=r"no condition 'fused-h5-c8'; did you mean 'fused-h5-c\d'\?"):
        said(run, condition="fused-h5-c8")


def test_json_is_the_journal_and_the_log(run):
    found = [json.loads(line) for line in said(run, as_json=True)]
    assert [one["condition"] for one in found] == ["fused-h5-c3", "fused-h5-c9", "poisson-c3"]
    assert found[0]["nrmse"] == 0.3421
    assert [one["log"] for one in found] == [None, str(run / "logs" / "n17-43.log"), None]


def order(run, sort, reverse=False):
    """Condition and number of the trials, as they are listed."""
    return [(line.split()[0], int(line.split()[1])) for line in said(run, sort=sort, reverse=reverse)[1:]]


@pytest.fixture
def more(run):
    """Two more trials beside a good and two failed ones."""
    with Journal(run / "trials.jsonl") as journal:
        journal.append(replace(trial("fused-h20-c3", 0, 0.2, haadf=0.5, tv=7.0), seconds=90.0, iterations=4))
        journal.append(replace(trial("poisson-tv-c3", 1, 0.5, tv=1.0), seconds=1.0, iterations=70))
    return run


_FAILED = [("fused-h5-c9", 1), ("poisson-c3", 0)]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("nrmse", [("fused-h20-c3", 0), ("fused-h5-c3", 0), ("poisson-tv-c3", 1)]),
        ("iterations", [("fused-h20-c3", 0), ("fused-h5-c3", 0), ("poisson-tv-c3", 1)]),
    ],
)
def test_sorted_by_a_result_the_failed_ones_come_last_either_way(more, column, expected):
    assert order(more, column) == expected + _FAILED
    assert order(more, column, reverse=True) == expected[::-1] + _FAILED


def test_sorted_by_what_every_trial_has(more):
    assert [name for name, _ in order(more, "condition")] == sorted(name for name, _ in order(more, None))
    assert [number for _, number in order(more, "trial")] == [0, 0, 0, 1, 1]
    assert order(more, "seconds")[0] == ("poisson-tv-c3", 1)
    assert order(more, "seconds", reverse=True)[0] == ("fused-h20-c3", 0)


def test_sorted_by_a_searched_parameter(more):
    found = order(more, "tv")
    assert [name for name, _ in found] == ["poisson-tv-c3", "fused-h5-c9", "fused-h20-c3", "fused-h5-c3", "poisson-c3"]


def test_reversed_alone_the_latest_comes_first(more):
    assert order(more, None, reverse=True) == order(more, None)[::-1]


def test_an_unknown_column_is_answered_with_the_nearest(run):
    with pytest.raises(InputError, match=r"--sort nmrse: there is no such column; did you mean 'nrmse'\?"):
        said(run, sort="nmrse")


@pytest.mark.parametrize("worker", ["..:/../secret", "../x:1", "/etc/x:1", "n17:43/../x", "n17:x", "a\nb:1", ""])
def test_a_worker_s_name_leads_nowhere_but_to_its_log(run, worker):
    (run / "secret.log").write_text("key")
    (run / "x-1.log").write_text("key")
    assert log_of(run, worker) is None


def test_what_a_trial_said_does_not_steer_the_terminal(run):
    with Journal(run / "trials.jsonl") as journal:
        journal.append(replace(FAILED, trial=0, reason="\x1b]0;owned\x07[red]", stderr="a\x1b[2Jb\r\n\x9b31mc"))
        journal.append(replace(FAILED, condition="\x1b[2J", worker="\x9b31m"))
    text = "\n".join(said(run, failed=True) + said(run))
    assert not {"\x1b", "\x07", "\r", "\x9b"} & set(text)
    assert "]0;owned[red]" in text


def test_a_reader_that_leaves_early_is_no_error(run):
    with (run / "trials.jsonl").open("a") as journal:
        journal.writelines(replace(FINE, trial=number).line() + "\n" for number in range(1, 3000))
    command = [sys.executable, "-m", "workflows.command.cli", "trials", str(run)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("condition")
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) in (0, 1)
