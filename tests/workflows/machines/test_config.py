"""What Parsl is told about a machine: its workers, its retries, and when to give up."""

import sys
from pathlib import Path

import pytest
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.jobs.states import JobState, JobStatus
from parsl.providers import LocalProvider

from workflows.machines import CONFIGS, Machine, load_machine, parsl_config
from workflows.machines.config import NoBlockLeft, block_watch, retry_cost, worker_init
from workflows.trial.solver_process import UnfitWorker

PROFILES = sorted(path.stem for path in (CONFIGS / "machines").glob("*.toml"))
BATCH = Machine(name="m", provider="slurm", workers=2, walltime_min=60, drain_min=10, address="10.0.0.1")


def executor_of(machine, folder):
    (executor,) = parsl_config(machine, folder).executors
    return executor


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_renders_one_pinned_worker_an_accelerator(name, tmp_path):
    machine = load_machine(name).changed("here", interface=(), address="10.0.0.1")
    config = parsl_config(machine, tmp_path)
    (executor,) = config.executors
    assert executor.workers_per_node == machine.workers_per_node
    assert executor.available_accelerators == list(machine.accelerator_names)
    assert (executor.encrypted, executor.prefetch_capacity, executor.all_addresses) == (True, 0, {"10.0.0.1"})
    assert config.usage_tracking == 0
    if machine.cpu_affinity.startswith("list"):
        assert executor.cpu_affinity.count(":") == machine.workers_per_node


def test_blocks_drain_before_their_end_and_are_replaced(tmp_path):
    config = parsl_config(BATCH, tmp_path)
    (executor,) = config.executors
    assert executor.drain_period == 50 * 60
    assert (config.strategy, config.retries, config.retry_handler) == ("simple", 1, retry_cost)


def test_ranks_are_started_by_one_worker_on_the_first_node_of_a_block(tmp_path):
    alone, ranks = parsl_config(BATCH.changed("here", nodes_per_block=4), tmp_path, ("trials", "ranks")).executors
    assert (alone.label, ranks.label) == ("trials", "ranks")
    assert (ranks.max_workers_per_node, ranks.available_accelerators) == (1, [])
    assert type(ranks.provider.launcher).__name__ == "SimpleLauncher"
    assert ranks.provider.nodes_per_block == alone.provider.nodes_per_block == 4
    local = Machine(name="m", workers=8, accelerators=8, device="gpu", nodes_per_block=2, launcher="srun")
    (ranks,) = parsl_config(local, tmp_path, ("ranks",)).executors
    assert (ranks.max_workers_per_node, ranks.available_accelerators) == (1, [])
    assert type(ranks.provider.launcher).__name__ == "SingleNodeLauncher"


def test_every_kind_of_workers_tells_of_its_blocks(tmp_path):
    def on_submit(label, job):
        pass

    for machine in (BATCH, Machine(name="m", workers=1)):
        config = parsl_config(machine, tmp_path, ("trials", "ranks"), on_submit)
        assert [executor.provider.on_submit for executor in config.executors] == [on_submit, on_submit]


def test_a_local_machine_does_not_drain_and_replaces_workers_that_were_killed(tmp_path):
    config = parsl_config(Machine(name="m", workers=1), tmp_path)
    assert config.executors[0].drain_period is None
    assert config.strategy == "simple"


def test_lost_infrastructure_costs_little_and_anything_else_is_final():
    lost = [ManagerLost(b"m", "n1"), WorkerLost(0, "n1"), UnfitWorker("no scratch")]
    assert all(10 * retry_cost(error, None) <= 1 < 11 * retry_cost(error, None) for error in lost)
    assert retry_cost(ValueError("wrong input"), None) > 1


class Executor:
    """What the watch needs of Parsl's."""

    def __init__(self, managers=()):
        self.managers, self.bad = list(managers), None

    def connected_managers(self):
        return self.managers

    def set_bad_state_and_fail_all(self, error):
        self.bad = error


def states(*names):
    return {str(block): JobStatus(JobState[name], message=f"words of {block}") for block, name in enumerate(names)}


@pytest.mark.parametrize(
    ("limit", "names", "ends"),
    [
        (20, [], False),
        (20, ["RUNNING"], False),
        (20, ["COMPLETED"] * 5, False),  # the next one comes
        (20, ["FAILED", "FAILED"], False),
        (20, ["COMPLETED", "FAILED", "MISSING", "FAILED"], True),
        (20, ["FAILED", "FAILED", "FAILED", "PENDING"], False),
        (5, ["COMPLETED"] * 5, True),  # no more may be submitted
    ],
)
def test_the_run_ends_when_no_block_is_left_and_none_will_come(limit, names, ends):
    executor = Executor()
    block_watch(limit)(executor, states(*names))
    assert (executor.bad is not None) is ends
    if ends:
        assert isinstance(executor.bad, NoBlockLeft)
        assert f"words of {len(names) - 1}" in str(executor.bad)


def test_connected_workers_are_believed_more_than_a_scheduler_that_says_all_ended():
    executor = Executor(managers=["n1"])
    block_watch(2)(executor, states("COMPLETED", "COMPLETED"))
    assert executor.bad is None


def test_the_profile_s_own_lines_come_first_and_imports_are_those_of_the_controller(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "/a b")
    lines = worker_init(Machine(name="m", worker_init="module load python\n"), tmp_path).splitlines()
    assert lines[0] == "module load python"
    assert "export PYTHONPATH='/a b'" in lines


def test_parsl_is_told_to_use_high_throughput_workers_and_the_local_provider(tmp_path):
    config = parsl_config(Machine(name="m", workers=3, threads_per_worker=2), tmp_path)
    (executor,) = config.executors
    assert type(executor).__name__ == "HighThroughputExecutor"
    assert isinstance(executor.provider, LocalProvider)
    assert (executor.max_workers_per_node, executor.prefetch_capacity) == (3, 0)
    assert executor.encrypted
    assert Path(config.run_dir) == tmp_path
    assert config.usage_tracking == 0


def test_a_worker_has_its_threads_and_finds_its_python(tmp_path):
    init = worker_init(Machine(name="m", threads_per_worker=2), tmp_path).splitlines()
    assert {"export NUMBA_NUM_THREADS=2", "export OMP_NUM_THREADS=2", "export OPENBLAS_NUM_THREADS=2"} <= set(init)
    folder = Path(init[-1].removeprefix("export PATH=").removesuffix(":$PATH"))
    assert folder == Path(sys.executable).parent
    assert (folder / "python3").exists()


def test_the_interchange_ends_with_its_controller(tmp_path):
    (executor,) = parsl_config(Machine(name="m"), tmp_path).executors
    *setpriv, interchange = executor.interchange_launch_cmd
    assert setpriv[1:] == ["--pdeathsig", "TERM"]
    assert Path(interchange).exists()
