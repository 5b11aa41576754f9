"""A worker outlives its trials: whatever one does to its process is a failed result, and the next one is computed."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.workflows.running import ENDLESS, scores
from tests.workflows.running import tiny_trial as trial
from workflows.trial.evaluate import evaluate
from workflows.trial.solver_process import Handling, SolverProcess, UnfitWorker, ending, last_lines, temporary_folder


@pytest.fixture(scope="module")
def solver(tmp_path_factory):
    """One solver process for all tests, as a worker has it."""
    one = SolverProcess(Handling(folder=str(tmp_path_factory.mktemp("run"))))

    def with_(limit_s=3600.0):
        one.how = replace(one.how, limit_s=limit_s)
        one.start()
        return one

    yield with_
    one.end()


def child(solver):
    return psutil.Process(solver._child.pid)


def later_killed(solver):
    """Kill the process while it computes; return its id."""
    threading.Timer(0.1, child(solver).kill).start()
    return solver._child.pid


def test_a_result_is_the_same_as_without_a_process_and_the_process_stays(solver):
    one = solver()
    pid = one._child.pid
    assert [scores(one.evaluate(trial())) for _ in range(2)] == [scores(evaluate(trial()))] * 2
    assert one._child.pid == pid
    assert one.evaluate(trial()).worker.endswith(f":{pid}")


def test_a_trial_that_hangs_is_ended_with_its_group_and_says_where_it_hung(solver):
    one = solver(limit_s=2)
    group = os.getpgid(one._child.pid)
    assert group == one._child.pid != os.getpgid(0)
    result = one.evaluate(trial(**ENDLESS))
    assert (result.status, result.reason) == ("failed", "time limit of 2 s reached")
    assert result.seconds >= 2
    assert result.weights == {"haadf": 0.05, "chemical": 1.0, "tv": 0.7}
    assert "in evaluate" in result.stderr  # the traceback of where it was
    log = Path(one.how.folder) / "logs" / f"{os.uname().nodename}-{group}.log"
    assert result.stderr in log.read_text()
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
    assert one.evaluate(trial()).ok


def test_a_process_killed_once_costs_nothing_but_time(solver):
    one = solver()
    before = later_killed(one)
    assert one.evaluate(trial(solver__max_iterations=200, solver__tolerance=0.0)).ok
    assert one._child.pid != before


def test_a_process_killed_at_every_attempt_is_a_trial_out_of_memory(solver, monkeypatch):
    one, start = solver(), SolverProcess.start
    with monkeypatch.context() as patch:
        patch.setattr(SolverProcess, "start", lambda self: (start(self), later_killed(self)))
        result = one.evaluate(trial(**ENDLESS))
    assert result.status == "failed"
    assert result.reason == "killed by signal 9, probably out of memory (in each of 2 attempts)"
    assert one.evaluate(trial()).ok


def test_memory_that_is_not_there_is_a_failed_trial_and_a_fresh_process(tmp_path):
    one = SolverProcess(Handling(folder=str(tmp_path), memory_gb=0.6))
    one.start()
    before = one._child.pid
    result = one.evaluate(trial(phantom__size=512))
    assert result.status == "failed"
    assert "MemoryError" in result.reason
    assert "MemoryError: Unable to allocate" in result.stderr.splitlines()[-1]  # the end of its traceback
    assert one._child is None
    assert not psutil.pid_exists(before)


def test_nan_is_a_failed_trial_with_a_finite_line(solver):
    result = solver().evaluate(replace(trial(), point={"haadf": 1e300, "tv": 1.0}))
    assert (result.status, result.nrmse) == ("failed", None)
    assert "finite" in result.reason or "nan" in result.reason.lower()
    assert result.line()


def test_the_last_lines_are_bounded_and_those_of_this_trial(tmp_path):
    log = tmp_path / "log"
    log.write_text("old\n" + "".join(f"line {n} é\n" for n in range(10_000)))
    said = last_lines(log, 0)
    assert said.splitlines() == [f"line {n} é" for n in range(9970, 10_000)]
    log.write_text("old\n" + "x" * 100_000)
    assert last_lines(log, 4) == "x" * 4000
    log.write_text("old\nnew\n")
    assert last_lines(log, 4) == "new"
    assert last_lines(tmp_path / "none", 0) == last_lines(None, 0) == ""


@pytest.mark.parametrize("scratch", ["file/scratch", "/proc/scratch"])
def test_scratch_that_cannot_be_written_is_no_failure_of_a_trial(tmp_path, scratch):
    (tmp_path / "file").write_text("")
    how = Handling(scratch=str(tmp_path / scratch))
    with pytest.raises(UnfitWorker, match=r"scratch '.*' cannot be written on .*give another scratch"):
        SolverProcess(how).evaluate(trial())


def test_scratch_is_made_and_used(tmp_path):
    scratch = str(tmp_path / "local" / "scratch")
    assert temporary_folder(scratch) == {"TMPDIR": scratch}
    assert list((tmp_path / "local" / "scratch").iterdir()) == []
    assert temporary_folder("") == {}


def test_a_process_that_cannot_start_is_no_failure_of_a_trial(tmp_path, monkeypatch):
    (tmp_path / "numba.py").write_text("raise ImportError('no numba on this node')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(UnfitWorker, match=r"solver process on .* ended with exit code 1"):
        SolverProcess(Handling(folder=str(tmp_path))).evaluate(trial())


_WORKER = """
import sys
from tests.workflows.running import ENDLESS, tiny_trial
from workflows.trial.solver_process import Handling, SolverProcess
solver = SolverProcess(Handling())
solver.start()
print(solver._child.pid, flush=True)
solver.evaluate(tiny_trial(**ENDLESS))
"""


def test_a_solver_dies_with_its_worker_while_it_computes():
    worker = subprocess.Popen([sys.executable, "-c", _WORKER], stdout=subprocess.PIPE, text=True)
    solver = psutil.Process(int(worker.stdout.readline()))
    time.sleep(0.5)
    assert solver.is_running()
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert psutil.wait_procs([solver], timeout=10)[1] == []


def test_the_kernel_is_told_to_take_the_solver_first(solver):
    one = solver()
    scores = [int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (one._child.pid, os.getpid())]
    assert scores[0] >= max(500, scores[1])


def test_endings_in_words():
    assert ending(3) == "ended with exit code 3"
    assert ending(-signal.SIGSEGV) == "killed by signal 11"
    assert ending(-signal.SIGKILL) == "killed by signal 9, probably out of memory"
