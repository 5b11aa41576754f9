"""Is this installation fit to run a campaign? One check a line, with what to do when it fails."""

import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

import fusedtomo
from workflows.machines import load_machine, settled
from workflows.provenance import processor

_OPTIONAL = {
    "cupy": "GPU solver (extras gpu12, gpu13)",
    "mpi4py": "MPI slabs (extra mpi)",
    "astra": "cross-check (extra astra)",
}


def examine(console: Console, machine_name: str) -> bool:
    """Run every check; return whether all that matter passed."""
    machine = settled(load_machine(machine_name))
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: f"{sys.version.split()[0]}, fusedtomo {fusedtomo.__version__}",
        "machine": lambda: f"{processor()}, {len(os.sched_getaffinity(0))} usable cores, {_memory_gb():.1f} GB",
        "packages": _packages,
        "kernels": _kernels,
        "write speed": _write_speed,
        "parsl": lambda: _parsl(machine),
    }
    passed = [_report(console, name, check) for name, check in checks.items()]
    for module, purpose in _OPTIONAL.items():
        console.print(f"  [dim]optional[/dim] {module}: {_version(module) or 'not installed'} - {purpose}")
    console.print("[green]ready[/green]" if all(passed) else "[red]not ready[/red]: see above")
    return all(passed)


def _report(console: Console, name: str, check: Callable[[], str]) -> bool:
    try:
        with console.status(name):
            said = check()
    except Exception as error:
        console.print(f"  [red]failed[/red] {name}: {type(error).__name__}: {error}")
        return False
    console.print(f"  [green]ok[/green] {name}: {said}")
    return True


def _packages() -> str:
    names = ("numpy", "scipy", "numba", "h5py", "pydantic", "skopt", "sklearn", "parsl", "matplotlib")
    return ", ".join(f"{name} {_version(name, required=True)}" for name in names)


def _version(module: str, required: bool = False) -> str:
    try:
        loaded = importlib.import_module(module)
    except ImportError:
        if required:
            raise
        return ""
    return getattr(loaded, "__version__", "installed")


def _kernels() -> str:
    from workflows.apps import warm_up

    compiled, cached = warm_up(), warm_up()
    return f"ready in {compiled:.1f} s, a 16^3 trial takes {cached * 1e3:.0f} ms"


def _write_speed() -> str:
    block, count = b"\0" * (1 << 20), 32
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        began = time.perf_counter()
        with (Path(folder) / "probe").open("wb") as file:
            for _ in range(count):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        seconds = time.perf_counter() - began
    return f"{count / seconds:.0f} MB/s here, flushed to disk"


def _parsl(machine) -> str:
    from workflows.run import workers

    with tempfile.TemporaryDirectory() as folder, workers(machine, Path(folder), Console(quiet=True)):
        return f"{machine.n_workers} workers of '{machine.name}' answer"


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
