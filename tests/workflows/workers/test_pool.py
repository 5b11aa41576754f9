"""A pool of workers whose members may be killed while they wait."""

import multiprocessing
import os
import queue
import subprocess
import sys
import threading
import time

import psutil
import pytest
import zmq

from workflows.workers import pool as pool_module
from workflows.workers.pool import PatientQueue, answered_in_time

SPAWN = multiprocessing.get_context("spawn")


def wait_for_a_task(tasks, waiting):
    waiting.set()
    tasks.get(timeout=60)


@pytest.fixture
def tasks():
    tasks = PatientQueue(0, ctx=SPAWN)
    yield tasks
    tasks.close()


def test_a_reader_killed_while_it_waits_takes_no_lock_with_it(tasks):
    waiting = SPAWN.Event()
    reader = SPAWN.Process(target=wait_for_a_task, args=(tasks, waiting))
    reader.start()
    assert waiting.wait(60)
    time.sleep(0.5)  # it says so just before it waits
    reader.kill()
    reader.join()
    tasks.put("task")
    assert tasks.get(timeout=10) == "task"


def test_every_task_is_read_once_by_readers_that_race(tasks):
    got = []

    def read():
        while (task := tasks.get()) is not None:
            got.append(task)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for task in [*range(200), None, None, None]:
        tasks.put(task)
    for reader in readers:
        reader.join(60)
    assert sorted(got) == list(range(200))


def test_an_empty_queue_says_so_at_once_or_after_the_timeout(tasks):
    with pytest.raises(queue.Empty):
        tasks.get(block=False)
    began = time.monotonic()
    with pytest.raises(queue.Empty):
        tasks.get(timeout=0.2)
    assert time.monotonic() - began >= 0.2


# a pool as Parsl's, with a thread that speaks to the interchange until standard input says what ends
POOL = """
import os, pathlib, sys, threading, time
from multiprocessing import active_children, get_context
from workflows.workers import pool

pathlib.Path(__file__).with_name(f"imported-{os.getpid()}").touch()

left = threading.Event()

def speak():
    words = sys.stdin.readline()
    if words == "fail\\n":
        raise RuntimeError("lost")
    if words == "leave\\n":
        left.set()
        time.sleep(100)

if __name__ == "__main__":
    pool._LOOK_S, pool._GRACE_S = 0.05, 0.2
    threading.excepthook = pool._end_with
    manager = pool.helper(get_context("spawn"))
    shared = manager.dict(a=1)
    threading.Thread(target=speak, name=pool._SPEAKER).start()
    threading.Thread(target=time.sleep, args=(100,)).start()  # as one that waits for ever
    pool._JOIN_S = 0
    print(shared["a"], active_children()[0].pid, flush=True)
    left.wait()
"""


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """The process, and its helper."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    (tmp_path / "program.py").write_text(POOL)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "program.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    answer, helper = map(int, process.stdout.readline().split())
    assert answer == 1
    yield process, psutil.Process(helper)
    process.kill()
    process.communicate()


def test_a_helper_imports_nothing_of_the_pool_s_program(pool, tmp_path):
    process, _ = pool
    assert [path.name for path in tmp_path.glob("imported-*")] == [f"imported-{process.pid}"]


@pytest.mark.parametrize("words", ["fail\n", "end\n", "leave\n"])
def test_a_pool_ends_with_its_speaker_or_its_main_thread_whatever_waits_for_ever(pool, words, tmp_path):
    process, helper = pool
    process.stdin.write(words)
    process.stdin.flush()
    assert process.wait(30) == 1
    helper.wait(30)
    assert os.listdir(tmp_path / "tmp") == []


def test_a_pool_ends_with_its_helper(pool, tmp_path):
    process, helper = pool
    helper.kill()
    assert process.wait(30) == 1
    assert os.listdir(tmp_path / "tmp") == []


def test_a_helper_ends_with_its_pool(pool, tmp_path):
    process, helper = pool
    process.kill()
    helper.wait(30)
    assert os.listdir(tmp_path / "tmp") == []


def test_an_interchange_that_does_not_answer_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(pool_module, "_ANSWER_S", 0.1)
    with zmq.Context() as context, answered_in_time(context.socket)(zmq.DEALER) as socket:
        socket.connect("tcp://127.0.0.1:9")
        with pytest.raises(zmq.Again):
            socket.recv()
