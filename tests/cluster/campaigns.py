"""A campaign on the test cluster: long enough to be disturbed, started as a user starts it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.cluster.lab import HERE, Cluster
from tests.workflows.tiny import content, toml_value, write_toml
from workflows.record.journal import replay

ROOT = HERE.parents[1]
# proposals take a quarter of a second, trials less
CHANGES = {
    "solver": {"max_iterations": 10},
    "axes": {"haadf_tilts": [4, 6], "chemical_tilts": [3, 5]},
    "search": {**content()["search"], "evaluations": 6, "initial_points": 4},
    "methods": ["fused", "poisson-tv"],
}
N_TRIALS = 4 * 6 + 2 * 3
MACHINE = {
    "name": "test",
    "provider": "slurm",
    "cpus_per_node": 2,
    "workers": 1,
    "init_blocks": 2,
    "max_blocks": 2,
    "walltime_min": 10,
    "drain_min": 1,
    "poll_s": 1.0,
    "heartbeat_period_s": 2,
    "heartbeat_threshold_s": 8,
}
# profiles of stand-ins, by scheduler
STANDINS = {
    "pbs": {"launcher_options": "pbs_tmrsh", "scheduler_options": ["-l place=scatter:excl"]},
    "lsf": {"launcher_options": "blaunch", "scheduler_options": ["-x"]},
}
# the command of a user, but for the figures, which take longer than the campaign
_COMMAND = """#!{python}
import sys
sys.path.insert(0, {root!r})
import workflows.control.run
workflows.control.run.write_products = lambda folder, *_: folder.path / "report.html"
{change}
from workflows.command.cli import main
main()
"""


def write_campaign(folder: Path) -> Path:
    """The campaign's file."""
    return write_toml(folder / "tiny.toml", **CHANGES)


def write_machine(folder: Path, **fields) -> Path:
    """A profile for the nodes of the test cluster, with some fields changed; return its path."""
    lines = (f"{name} = {toml_value(value)}\n" for name, value in {**MACHINE, **fields}.items())
    path = folder / "machine.toml"
    path.write_text("".join(lines))
    return path


def write_command(path: Path, change: str = "") -> Path:
    """The command `fusedtomo` of this checkout, its code changed by lines of Python; return its path."""
    path.write_text(_COMMAND.format(python=sys.executable, root=str(ROOT), change=change))
    path.chmod(0o755)
    return path


def facts(out: Path):
    """What must not depend on machines and interruptions."""
    return sorted((t.condition, t.trial, t.status, sorted(t.point.items()), t.nrmse) for t in trials(out))


def trials(out: Path):
    """What the journal of a run holds."""
    return replay(out / "trials.jsonl")


class Controller:
    """A running `fusedtomo run`."""

    def __init__(self, process: subprocess.Popen, out: Path):
        self._process, self._out = process, out

    def wait_for_trials(self, count: int, timeout_s: float = 300) -> None:
        """Return once the journal has so many lines."""
        end = time.monotonic() + timeout_s
        while len(trials(self._out)) < count:
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{len(trials(self._out))} of {count} trials\n{self.stop()}")
            time.sleep(0.1)

    def finish(self, timeout_s: float = 300) -> str:
        """Wait for its end; return what it said. It must have ended well."""
        try:
            said = self._process.communicate(timeout=timeout_s)[0]
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{len(trials(self._out))} trials, no end\n{self.stop()}") from None
        assert self._process.returncode == 0, said
        return said

    def stop(self) -> str:
        """Kill it if it still runs; return what it said."""
        for process in [*psutil.Process(self._process.pid).children(recursive=True), self._process]:
            process.kill()
        return self._process.communicate()[0]


@contextmanager
def running(cluster: Cluster, *words: str | Path, out: Path, env: dict[str, str] | None = None) -> Iterator[Controller]:
    """A command on the login node that works in the run folder `out`."""
    process = subprocess.Popen(
        cluster.command(*words, cwd=out.parent),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**cluster.env, **(env or {})},
    )
    controller = Controller(process, out)
    try:
        yield controller
    finally:
        if process.poll() is None:
            controller.stop()
