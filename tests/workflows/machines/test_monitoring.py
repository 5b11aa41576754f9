"""Parsl's monitoring: off unless asked for, a clear message without its packages, a warning on shared disks."""

import os
import sqlite3
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from fusedtomo.errors import InputError
from workflows.machines import Machine, monitoring, parsl_config
from workflows.machines.monitoring import file_system, warning_of

Mount = namedtuple("Mount", "mountpoint fstype")
WATCHED = Machine(name="m", monitoring=True)


def test_it_is_off_unless_a_profile_asks(tmp_path):
    assert parsl_config(Machine(name="m"), tmp_path).monitoring is None


def test_without_its_packages_there_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(InputError, match=r"monitoring = true needs more packages.*fusedtomo\[monitoring\]"):
        parsl_config(WATCHED, tmp_path)


def test_a_shared_file_system_is_warned_about(tmp_path, monkeypatch):
    mounts = [Mount("/", "ext4"), Mount(str(tmp_path), "lustre"), Mount(str(tmp_path / "a"), "tmpfs")]
    monkeypatch.setattr(monitoring.psutil, "disk_partitions", lambda all: mounts)
    (tmp_path / "a").mkdir()
    assert file_system(tmp_path / "runs" / "new") == "lustre"
    assert file_system(tmp_path / "a" / "new") == "tmpfs"
    assert "which is on lustre" in warning_of(WATCHED, tmp_path / "runs")
    assert warning_of(WATCHED, tmp_path / "a") == ""
    assert warning_of(Machine(name="m"), tmp_path) == ""


def test_the_disk_of_a_path_that_leads_nowhere_is_found():
    assert file_system(Path("/")) != ""
    assert file_system(Path("/none/none")) == file_system(Path("/"))


_SCRIPT = """
if __name__ == "__main__":
    from pathlib import Path
    from rich.console import Console
    from workflows.machines import load_machine
    from workflows.workers.start import workers
    with workers(load_machine("mine.toml"), Path("run"), Console(quiet=True)) as submit:
        submit(len, "four").result(60)
"""


@pytest.mark.slow
def test_tasks_of_workers_are_in_the_database(tmp_path):
    pytest.importorskip("sqlalchemy")
    (tmp_path / "mine.toml").write_text('name = "mine"\nworkers = 1\nmonitoring = true\n')
    (tmp_path / "run").mkdir()
    (tmp_path / "script.py").write_text(_SCRIPT)  # Parsl's database process imports the main module again
    command = [sys.executable, "script.py"]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "run" / "parsl" / "monitoring.db") as database:
        ((tasks,),) = database.execute("select count(*) from task where task_time_returned is not null")
        assert tasks >= 2  # the solver process was started, and this one
    database.close()
