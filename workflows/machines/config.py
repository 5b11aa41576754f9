"""What is Parsl told about a machine? A profile turned into a parsl.Config."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflows.machines.bounded import Bounded
from workflows.machines.monitoring import hub_of
from workflows.machines.network import LOOPBACK, address_of
from workflows.machines.passed_on import exports
from workflows.machines.profile import Machine
from workflows.machines.quoting import plain_path, quoted
from workflows.machines.schedulers import node_file
from workflows.trial.own_gpu import VENDOR
from workflows.trial.solver_process import UnfitWorker

if TYPE_CHECKING:
    from parsl.config import Config
    from parsl.executors import HighThroughputExecutor

_RETRIES = 1
_POOL = "python3 -m workflows.workers.pool"
_THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_ROW_OF_FAILURES = 3  # blocks that fail one after the other before no more are tried


class NoBlockLeft(Exception):
    """No block of workers runs, and none will."""


def parsl_config(
    machine: Machine,
    run_dir: Path,
    kinds: Sequence[str] = ("trials",),
    on_submit: Callable[[str, str], None] | None = None,
) -> "Config":
    """The parsl.Config of a machine.

    Args:
        machine: where workers are started.
        run_dir: Parsl's folder, for its logs and scripts; its path is written into scripts.
        kinds: of workers: "trials", "ranks" or both.
        on_submit: told (label of the provider, id) of every block of workers that is started.
    """
    from parsl.config import Config

    from workflows.machines.logs import BoundedLogging

    plain_path(run_dir.absolute(), "Parsl starts no workers below such a folder")
    return Config(
        executors=[_executor(kind, _for_kind(machine, kind), run_dir, on_submit) for kind in kinds],
        monitoring=hub_of(machine, run_dir),
        retries=_RETRIES,
        retry_handler=retry_cost,
        strategy="simple",  # only this one replaces a block that has ended
        strategy_period=0.5 if machine.provider == "local" else 2.0,  # the first block starts at the first look
        usage_tracking=0,
        run_dir=str(run_dir),
        initialize_logging=BoundedLogging(),
    )


def block_script(machine: Machine, run_dir: Path) -> str:
    """The batch script that Parsl would submit for one block of workers."""
    from workflows.machines.providers import provider_of

    provider = provider_of(machine, worker_init(machine, run_dir))
    assert isinstance(provider, Bounded), "a machine without a scheduler has no batch script"
    provider.script_dir = str(run_dir / "000" / "submit_scripts")
    # the command's addresses and ports are known once a controller listens
    return provider.script(f"{_POOL} ...")


def _for_kind(machine: Machine, kind: str) -> Machine:
    """The machine as workers of a kind see it: ranks are started by one worker, on the first node of a block."""
    if kind == "trials":
        return machine
    one = {"workers": 1, "accelerators": 0, "cpu_affinity": "none"}
    if machine.provider == "local":  # in a batch job too, whose nodes the launcher of ranks knows
        return machine.changed(kind, **one, launcher="single-node", nodes_per_block=1)
    return machine.changed(kind, **one, launcher="simple")


def _executor(
    label: str, machine: Machine, run_dir: Path, on_submit: Callable[[str, str], None] | None
) -> "HighThroughputExecutor":
    from parsl.executors import HighThroughputExecutor
    from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD

    from workflows.machines.providers import provider_of

    provider: Any = provider_of(machine, worker_init(machine, run_dir), on_submit)
    drain_s = 60 * (machine.walltime_min - machine.drain_min)
    return HighThroughputExecutor(
        label=label,
        address=address_of(machine),
        loopback_address=LOOPBACK,
        max_workers_per_node=machine.workers_per_node,
        available_accelerators=list(machine.accelerator_names),
        cpu_affinity=machine.cpu_affinity,
        cores_per_worker=1e-6,  # max_workers_per_node alone decides
        prefetch_capacity=0,
        heartbeat_period=machine.heartbeat_period_s,
        heartbeat_threshold=machine.heartbeat_threshold_s,
        drain_period=None
        if machine.provider == "local"
        else int(drain_s),  # a controller inside the job stops by itself (deadline)
        encrypted=True,
        provider=provider,
        launch_cmd=DEFAULT_LAUNCH_CMD.replace("process_worker_pool.py", _POOL),
        interchange_launch_cmd=_interchange_command(),
        block_error_handler=block_watch(machine.submissions),
    )


def retry_cost(error: Exception, _task: Any) -> float:
    """What a failure costs of the budget of retries: a lost or unfit node little, anything else all of it.

    Nodes that are lost say nothing about the trial, so it is given back ten times. A trial that fails by itself is a
    result and no exception; an exception says that the task could not be run at all, and would say so again.
    """
    from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

    return 0.1 if isinstance(error, ManagerLost | WorkerLost | UnfitWorker) else _RETRIES + 1


def block_watch(limit: int) -> Callable[[Any, Mapping[str, Any]], None]:
    """Parsl's handler of block states: ends the run when no block is left and none will come.

    A state is no evidence by itself where a scheduler is asked: the workers that are connected are.
    """
    from parsl.jobs.states import JobState

    def failed(status: Any) -> bool:
        return status.state in (JobState.FAILED, JobState.MISSING)

    def watch(executor: Any, states: Mapping[str, Any]) -> None:
        ended = [states[block] for block in sorted(states, key=int)]
        if not ended or not all(state.terminal for state in ended):
            return
        row = ended[-_ROW_OF_FAILURES:]
        hopeless = len(row) == _ROW_OF_FAILURES and all(map(failed, row))
        if not (hopeless or len(ended) >= limit) or executor.connected_managers():
            return
        executor.set_bad_state_and_fail_all(NoBlockLeft(_words_of(row[-1], len(ended))))

    return watch


def _words_of(status: Any, number: int) -> str:
    said = (status.stderr_summary or status.message or "").strip()
    return f"no block of workers is left ({number} started){': ' + said[-500:] if said else ''}"


def worker_init(machine: Machine, run_dir: Path) -> str:
    """The shell lines before a pool of workers starts: the profile's own, then what is the same everywhere."""
    lines = [machine.worker_init.strip()]
    # numba, BLAS and OpenMP would each take every core otherwise
    lines += [f"export {name}={machine.threads_per_worker}" for name in _THREADS]
    if machine.accelerator_names:
        lines.append(f"export {VENDOR}={machine.gpu_vendor}")
    lines += exports()
    # the workers' Python must be found even when the virtual environment was never activated
    lines.append(f"export PATH={quoted(Path(sys.executable).parent)}:$PATH")
    if machine.node_launcher == "mpiexec":  # Parsl's launcher leaves files where it is started, and knows PBS only
        lines.append(f"cd {quoted(run_dir.absolute())}")
        lines.append(f'export PBS_NODEFILE="{node_file()}"')
    return "\n".join(line for line in lines if line)


def _interchange_command() -> list[str]:
    """Parsl's interchange, told by the kernel to end when this process dies, kill -9 included."""
    interchange = str(Path(sys.executable).parent / "interchange.py")
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", interchange] if setpriv else [interchange]
