"""A process that started Parsl ends in bounded time, with its exit code, even where Parsl hangs."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

_SCRIPT = """
import sys, threading, time
from types import SimpleNamespace
from workflows.workers import ending

for_ever = threading.Thread(target=time.sleep, args=(60,))  # as Parsl's, which wait for those that are gone
interchange = SimpleNamespace(poll=lambda: {interchange}, kill=lambda: print("killed"))
executor = SimpleNamespace(interchange_proc=interchange)
kernel = SimpleNamespace(cleanup=lambda: {cleanup}, executors={{"trials": executor, "other": object()}})
print(ending.end(kernel, within_s={within_s}))
ending.leave(3)
"""


@pytest.mark.parametrize(
    ("cleanup", "interchange", "within_s", "said"),
    [
        ("print('clean')", None, 20, ["clean", "True"]),
        ("for_ever.start() or for_ever.join()", None, 0.5, ["killed", "False"]),
        ("print('asked')", -9, 20, ["False"]),  # an interchange that is gone is not waited for
        ("print('asked')", None, 0, ["killed", "False"]),
    ],
    ids=["clean", "hangs", "lost", "haste"],
)
def test_a_process_leaves_with_its_code_whatever_parsl_does(cleanup, interchange, within_s, said):
    script = _SCRIPT.format(cleanup=cleanup, interchange=interchange, within_s=within_s)
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50, cwd=Path.cwd())
    assert (done.returncode, done.stdout.split()) == (3, said), done.stderr
    assert time.monotonic() - began < 30
