"""Parsl's logs keep within their bounds, and a full disk makes them silent, not loud."""

import logging

import pytest

from tests.disks import file_size_limit
from workflows.machines import logs
from workflows.machines.logs import BoundedLogging


@pytest.fixture
def log(tmp_path):
    """A logger of Parsl's that writes into the folder."""
    before = list(logging.getLogger("parsl").handlers)
    end = BoundedLogging().initialize_logging(log_dir=tmp_path / "made", log_name="manager")
    yield logging.getLogger("parsl.pool")
    end()
    assert logging.getLogger("parsl").handlers == before


def test_what_is_logged_can_be_read(log, tmp_path):
    log.info("a worker joined")
    logging.getLogger("concurrent.futures").error("a callback failed")
    said = (tmp_path / "made" / "manager.log").read_text()
    assert "a worker joined" in said
    assert "a callback failed" in said


def test_no_flood_fills_a_disk_and_its_end_is_kept(tmp_path, monkeypatch, request):
    monkeypatch.setattr(logs, "_BYTES", 10_000)
    log = request.getfixturevalue("log")
    for number in range(1000):
        log.error("traceback %d", number)
    files = list((tmp_path / "made").iterdir())
    assert sum(path.stat().st_size for path in files) < 20_000
    assert "traceback 999" in (tmp_path / "made" / "manager.log").read_text()


def test_a_full_disk_makes_no_words(log, capsys):
    with file_size_limit(0):
        log.error("no room for this")
    assert capsys.readouterr() == ("", "")
