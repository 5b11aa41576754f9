"""`status` from outside: a snapshot, and followed; it needs no more than a folder that can be read."""

import io
import stat
import time

import pytest
from rich.console import Console

from fusedtomo.errors import InputError
from tests.workflows.values import campaign, everything
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder
from workflows.record.state import Progress, State
from workflows.watch import status as module
from workflows.watch.status import Watched, status, watch

NOW = 1.7e9
EVERYTHING = everything(campaign())


@pytest.fixture
def run(tmp_path):
    with RunFolder(tmp_path / "run", campaign()) as folder:
        pass
    return folder.path


def console(**options):
    return Console(file=io.StringIO(), width=100, **options)


def add(run, trials):
    with Journal(run / "trials.jsonl") as journal:
        for one in trials:
            journal.append(one)


def tell(run, **changes):
    state = State(phase="running", progress=Progress(4, 4, 30.0, 10.0), written=time.time()).model_copy(update=changes)
    (run / "state.json").write_text(state.model_dump_json())


class Script:
    """Stands for the time between looks: each does the next thing to the run."""

    def __init__(self, *steps):
        self.steps = list(steps)

    def __call__(self, _seconds):
        self.steps.pop(0)()


def interrupt():
    raise KeyboardInterrupt


def test_a_snapshot(run):
    add(run, EVERYTHING[:3])
    tell(run)
    out = console()
    status(out, run)
    assert "running" in out.file.getvalue()
    assert "3/33, 0 failed, 4 running" in out.file.getvalue()


def test_it_is_followed_until_the_map_is_complete_and_nobody_works(run, monkeypatch):
    monkeypatch.setattr(module.Screen, "due", True)
    out = console()
    steps = Script(
        lambda: (add(run, EVERYTHING[:5]), tell(run)),
        lambda: add(run, EVERYTHING[5:]),
        lambda: tell(run, phase="writing the report"),
        lambda: tell(run, phase="finished", over=True),
    )
    watch(out, run, steps)
    assert steps.steps == []
    counts = [line.split()[2] for line in out.file.getvalue().splitlines()]
    assert counts == ["0/33", "5/33", "33/33", "33/33", "33/33"]
    assert "writing the report" in out.file.getvalue().splitlines()[-2]
    assert "finished" in out.file.getvalue().splitlines()[-1]


def test_a_stop_ends_no_watching_for_the_next_job_may_go_on(run, monkeypatch):
    monkeypatch.setattr(module.Screen, "due", True)
    out = console()
    add(run, EVERYTHING[:5])
    steps = Script(
        lambda: tell(run, phase="stopped", over=True),
        lambda: tell(run),
        lambda: add(run, EVERYTHING[5:]),
        lambda: (run / "state.json").unlink(),
    )
    watch(out, run, steps)
    said = out.file.getvalue()
    assert "stopped at" in said
    assert said.splitlines()[-1].split()[2] == "33/33"


def test_ctrl_c_leaves_quietly(run):
    out = console(force_terminal=True, _environ={"TERM": "xterm"})
    watch(out, run, Script(lambda: None, interrupt))
    assert out.file.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_a_journal_that_was_replaced_is_counted_anew(run):
    watched = Watched(run)
    add(run, EVERYTHING[:9])
    watched.look()
    (run / "trials.jsonl").unlink()
    add(run, EVERYTHING[:2])
    watched.look()
    assert watched.tally.trials == 2


def test_a_folder_that_can_only_be_read_is_left_as_it_is(run):
    add(run, EVERYTHING[:3])
    with (run / "trials.jsonl").open("ab") as journal:
        journal.write(b'{"condition": "torn')
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()}
    for path in (*run.iterdir(), run):
        path.chmod(stat.S_IREAD | (stat.S_IEXEC if path.is_dir() else 0))
    out = console()
    status(out, run)
    watch(out, run, Script(interrupt))
    assert "3/33" in out.file.getvalue()
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()} == before
    run.chmod(0o755)


def test_what_is_no_run_is_refused(tmp_path):
    for command in (status, watch):
        with pytest.raises(InputError, match="not a run folder"):
            command(console(), tmp_path)
