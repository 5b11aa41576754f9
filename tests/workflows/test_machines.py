"""Machine profiles: validated, and turned into what Parsl is told."""

import os
import sys
from pathlib import Path

import pytest

from fusedtomo.errors import InputError
from workflows.machines import CONFIGS, Machine, load_machine, parsl_config


@pytest.mark.parametrize("name", [path.stem for path in (CONFIGS / "machines").glob("*.toml")])
def test_every_profile_that_comes_with_fusedtomo_loads_under_its_name(name):
    assert load_machine(name).name == name


def test_a_profile_may_be_a_file(tmp_path):
    (tmp_path / "mine.toml").write_text('name = "mine"\nworkers = 3\n')
    assert load_machine(str(tmp_path / "mine.toml")).n_workers == 3


def test_workers_fill_the_usable_cores():
    cores = len(os.sched_getaffinity(0))
    assert Machine(name="m").n_workers == cores
    assert Machine(name="m", threads_per_worker=cores).n_workers == 1
    assert Machine(name="m", threads_per_worker=256).n_workers == 1


def test_workers_of_the_command_line_win():
    assert load_machine("laptop").with_workers(5).n_workers == 5
    assert load_machine("laptop").with_workers(None) == load_machine("laptop")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "m"\nworker = 2\n', r"mine\.toml: unknown key 'worker' = 2; did you mean 'workers'\?"),
        ('name = "m"\nworkers = -1\n', r"mine\.toml: 'workers' = -1: .* greater than or equal to 0"),
        ('name = "m"\nprovider = "slurmm"\n', r"mine\.toml: 'provider' = 'slurmm': "),
        ('name = "m"\nstart_timeout_s = nan\n', r"mine\.toml: 'start_timeout_s' = nan: "),
        ("workers = 1\n", r"mine\.toml: 'name' is missing"),
        ("name = \n", r"mine\.toml: not valid TOML"),
    ],
    ids=["unknown", "negative", "provider", "nan", "missing", "torn"],
)
def test_a_bad_profile_is_named(tmp_path, text, message):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_machine(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("name", "message"),
    [("laptopp", r"no machine 'laptopp'; did you mean 'laptop'\?"), ("none.toml", "cannot be read")],
)
def test_an_unknown_machine_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        load_machine(name)


def test_workers_out_of_range_name_the_option():
    with pytest.raises(InputError, match=r"--workers: 'workers' = 5000: "):
        load_machine("laptop").with_workers(5000)


def test_parsl_is_told_to_use_high_throughput_workers_and_the_local_provider(tmp_path):
    config = parsl_config(Machine(name="m", workers=3, threads_per_worker=2), tmp_path)
    (executor,) = config.executors
    assert type(executor).__name__ == "HighThroughputExecutor"
    assert type(executor.provider).__name__ == "LocalProvider"
    assert (executor.max_workers_per_node, executor.prefetch_capacity) == (3, 0)
    assert executor.encrypted
    assert Path(config.run_dir) == tmp_path
    assert config.usage_tracking == 0


def test_a_worker_has_its_threads_and_finds_parsl_s_script(tmp_path):
    (executor,) = parsl_config(Machine(name="m", threads_per_worker=2), tmp_path).executors
    init = executor.provider.worker_init.splitlines()
    assert {"export NUMBA_NUM_THREADS=2", "export OMP_NUM_THREADS=2", "export OPENBLAS_NUM_THREADS=2"} <= set(init)
    folder = Path(init[-1].removeprefix("export PATH=").removesuffix(":$PATH"))
    assert folder == Path(sys.executable).parent
    assert (folder / "process_worker_pool.py").exists()


def test_the_interchange_ends_with_its_controller(tmp_path):
    (executor,) = parsl_config(Machine(name="m"), tmp_path).executors
    *setpriv, interchange = executor.interchange_launch_cmd
    assert setpriv[1:] == ["--pdeathsig", "TERM"]
    assert Path(interchange).exists()
