"""What is Parsl told about a machine? A profile turned into a parsl.Config."""

import shutil
import sys
from pathlib import Path

from workflows.machines.profile import Machine


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
        max_workers_per_node=machine.workers_per_node,
        available_accelerators=list(machine.accelerator_names),
        cpu_affinity=machine.cpu_affinity,
        cores_per_worker=1e-6,  # max_workers_per_node alone decides
        prefetch_capacity=0,
        heartbeat_period=machine.heartbeat_period_s,
        heartbeat_threshold=machine.heartbeat_threshold_s,
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
    return "\n".join([machine.worker_init, *exports, f"export PATH={Path(sys.executable).parent}:$PATH"])


def _interchange_command() -> list[str]:
    """Parsl's interchange, told by the kernel to end when this process dies, kill -9 included."""
    interchange = str(Path(sys.executable).parent / "interchange.py")
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", interchange] if setpriv else [interchange]
