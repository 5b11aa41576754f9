"""A pool of workers whose members may be killed while they wait."""

import multiprocessing
import queue
import threading
import time

import pytest

from workflows.workers.pool import PatientQueue

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
