"""Programs on several ranks, for tests marked `mpi`: mpiexec as a child process, ended when it hangs."""

import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent

import pytest

# Open MPI refuses root, as in a container, and more ranks than cores; MPICH knows none of these.
_OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",  # up to 4
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # from 5 on
}


def mpiexec() -> str | None:
    """The launcher beside this Python, where the mpich wheel puts it, else the one on the PATH."""
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def needs_mpi(test):
    """Mark a test, and skip it where there is no MPI."""
    missing = "mpi4py" if find_spec("mpi4py") is None else "mpiexec" if mpiexec() is None else None
    return pytest.mark.mpi(pytest.mark.skipif(missing is not None, reason=f"{missing} is not installed")(test))


def run_ranks(n: int, *arguments: str, timeout_s: float = 200) -> subprocess.CompletedProcess:
    """Run ``python *arguments`` on n ranks of one thread each; a TimeoutExpired leaves no process behind."""
    command = [mpiexec(), "-n", str(n), sys.executable, *arguments]
    with TemporaryDirectory(prefix="ranks") as folder:  # where Open MPI leaves files when a rank fails
        environment = {**os.environ, "TMPDIR": folder, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **_OPEN_MPI}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        with process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def run_script(n: int, body: str, *arguments: str, timeout_s: float = 200) -> subprocess.CompletedProcess:
    """Run the lines of `body` on n ranks, guarded, with `comm`, `np`, `sys` and fusedtomo.parallel at hand."""
    script = "import sys\nimport numpy as np\nfrom fusedtomo.parallel import *\ncomm = world()\nwith guarded(comm):\n"
    return run_ranks(n, "-c", script + indent(body.strip("\n"), "    "), *arguments, timeout_s=timeout_s)


def check_script(n: int, body: str, *arguments: str) -> None:
    """Run `body` on n ranks and fail with what they printed unless each reached its end."""
    end = "\ncomm.any(False)\nprint(f'rank {comm.rank} done\\n', end='')"
    ended = run_script(n, body.rstrip() + end, *arguments)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("done") == n, ended.stdout
