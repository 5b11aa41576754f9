"""Machine profiles: a validated TOML file turned into a parsl.Config."""

import os
import shutil
import sys
from pathlib import Path
from typing import Literal

from pydantic import Field

from fusedtomo.errors import InputError, nearest
from fusedtomo.settings import Settings
from fusedtomo.toml import read_toml, validated

_HERE = Path(__file__).parent
# a checkout has the folder beside this package, an installed distribution inside it
CONFIGS = next((folder for folder in (_HERE.parent / "configs", _HERE / "configs") if folder.is_dir()), _HERE)


class Machine(Settings):
    """Where trials run (configs/machines/*.toml)."""

    name: str = Field(description="the profile's name")
    description: str = Field("", description="what it is for")
    provider: Literal["local"] = Field("local", description="Parsl provider that starts the workers")
    workers: int = Field(0, ge=0, le=4096, description="worker processes; 0: one per usable core")
    threads_per_worker: int = Field(1, ge=1, le=256, description="numba threads of a worker")
    start_timeout_s: float = Field(180, gt=0, description="seconds until the first worker must have joined")

    @property
    def n_workers(self) -> int:
        """Worker processes started."""
        return self.workers or max(1, len(os.sched_getaffinity(0)) // self.threads_per_worker)

    def with_workers(self, workers: int | None) -> "Machine":
        """The profile with another number of workers."""
        if workers is None:
            return self
        if workers < 1:
            raise InputError(f"--workers = {workers}: give 1 or more, or leave it out for the profile's")
        return validated(Machine, {**self.model_dump(), "workers": workers}, "--workers")


def load_machine(name_or_path: str) -> Machine:
    """Load a profile by name (configs/machines) or by the path of a TOML file."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        known = [file.stem for file in (CONFIGS / "machines").glob("*.toml")]
        if name_or_path not in known:
            raise InputError(f"there is no machine '{name_or_path}'; {nearest(name_or_path, known)}")
        path = CONFIGS / "machines" / f"{name_or_path}.toml"
    return validated(Machine, read_toml(path), path)


def parsl_config(machine: Machine, run_dir: Path):
    """The parsl.Config of a machine, logging below run_dir."""
    from parsl.config import Config
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    provider = LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1, worker_init=_worker_init(machine))
    executor = HighThroughputExecutor(
        label="trials",
        address="127.0.0.1",
        loopback_address="127.0.0.1",
        max_workers_per_node=machine.n_workers,
        cores_per_worker=1e-6,  # max_workers_per_node alone decides
        prefetch_capacity=0,
        heartbeat_period=5,
        heartbeat_threshold=30,
        encrypted=True,
        provider=provider,
        interchange_launch_cmd=_interchange_command(),
    )
    return Config(
        executors=[executor],
        retries=1,  # a worker that was killed gets its trial back once; a wrong trial is a result, not an exception
        strategy="none",
        strategy_period=0.5,  # the first block starts at the first look, 5 s away by default
        usage_tracking=0,
        run_dir=str(run_dir),
    )


def _worker_init(machine: Machine) -> str:
    """One thread pool per worker: numba, BLAS and OpenMP would each take every core otherwise."""
    threads = machine.threads_per_worker
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    exports = [f"export {name}={threads}" for name in names]
    # parsl's worker script must be found even when the virtual environment was never activated
    return "\n".join([*exports, f"export PATH={Path(sys.executable).parent}:$PATH"])


def _interchange_command() -> list[str]:
    """Parsl's interchange, told by the kernel to end when this process dies, kill -9 included."""
    interchange = str(Path(sys.executable).parent / "interchange.py")
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", interchange] if setpriv else [interchange]
