"""The controller's heartbeat: whole whenever it is read, kept after the end, no danger to the campaign."""

import json
import threading
import time

import pytest

from workflows.record import state
from workflows.record.state import Heartbeat, Progress, State, read_state


@pytest.fixture
def _quick(monkeypatch):
    monkeypatch.setattr(state, "_EVERY_S", 0.001)


def wait_for(condition, timeout_s=20):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


@pytest.mark.usefixtures("_quick")
def test_every_read_finds_a_whole_state_and_the_last_word_stays(tmp_path):
    seen = []
    with Heartbeat(tmp_path, "laptop") as heart:
        wait_for(lambda: read_state(tmp_path))
        for count in range(200):
            heart.update(phase="running", progress=Progress(4, count, 1.0, 2.0), left_s=count)
            seen.append(read_state(tmp_path))
        wait_for(lambda: read_state(tmp_path).progress.running == 199)
        heart.update(phase="finished")
    assert None not in seen
    last = read_state(tmp_path)
    assert (last.phase, last.over, last.machine, last.progress) == ("finished", True, "laptop", Progress(4, 199, 1, 2))
    assert not last.alive(time.time())
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.usefixtures("_quick")
def test_it_beats_while_the_controller_waits(tmp_path):
    with Heartbeat(tmp_path, "laptop"):
        first = read_state(tmp_path).written
        wait_for(lambda: read_state(tmp_path).written > first)


def test_an_error_is_the_last_word(tmp_path):
    with pytest.raises(OSError, match="gone"), Heartbeat(tmp_path, "laptop"):
        raise OSError("gone")
    assert read_state(tmp_path).phase == "ended with an error (gone)"
    assert read_state(tmp_path).over


def test_a_disk_that_cannot_be_written_ends_nothing(tmp_path):
    with Heartbeat(tmp_path / "none", "laptop"):
        pass
    assert read_state(tmp_path / "none") is None
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"phase": 3}', "\0", '{"phase": "running", "progress": {}}'])
def test_a_state_that_cannot_be_read_is_none(tmp_path, content):
    (tmp_path / "state.json").write_text(content)
    assert read_state(tmp_path) is None


def test_a_state_of_a_later_version_can_be_read(tmp_path):
    later = json.loads(State(phase="running").model_dump_json()) | {"weather": "fine"}
    (tmp_path / "state.json").write_text(json.dumps(later))
    assert read_state(tmp_path).phase == "running"


def test_old_words_are_no_life():
    assert State(phase="running", written=100.0).alive(119.0)
    assert not State(phase="running", written=100.0).alive(121.0)
    assert not State(phase="stopped", over=True, written=100.0).alive(100.0)


def test_utilisation_is_unknown_before_the_start():
    assert Progress(0, 0, 0.0, 0.0).utilisation is None
