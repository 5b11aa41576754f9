"""Runs shell text as a batch job would."""

import os
import subprocess

import pytest


@pytest.fixture
def run_bash(tmp_path):
    """Run a script by bash with more variables; return what it printed."""

    def run(text, check=True, **variables):
        script = tmp_path / "script.sh"
        script.write_text(text)
        environ = {**os.environ, **variables}
        command = ["bash", str(script)]
        return subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=check, timeout=60
        )

    return run
