"""Machine profiles: what they may say, and what is refused at the door."""

import os

import pytest

from fusedtomo.errors import InputError
from workflows.machines import CONFIGS, Machine, Wishes, load_machine


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


BATCH = {"name": "m", "provider": "slurm", "workers": 2, "walltime_min": 60}


def test_workers_are_counted_over_accelerators_nodes_and_blocks():
    machine = Machine(name="m", accelerators=4, nodes_per_block=3)
    assert (machine.accelerator_names, machine.workers_per_node, machine.n_workers) == (("0", "1", "2", "3"), 4, 12)
    assert Machine(**{**BATCH, "nodes_per_block": 3, "init_blocks": 1, "max_blocks": 5}).n_workers == 2 * 3 * 5
    assert Machine(name="m", cpus_per_node=64, threads_per_worker=8).n_workers == 8
    shared = Machine(name="m", accelerators=("0", "0", "1", "1"))
    assert shared.n_workers == 4


def test_an_interface_may_be_one_name_or_several():
    assert Machine(name="m", interface="hsn0").interface == ("hsn0",)
    assert Machine(name="m", interface=["hsn0", "bond0"]).interface == ("hsn0", "bond0")


def test_the_launcher_follows_the_provider_unless_it_is_said():
    assert Machine(name="m").node_launcher == "single-node"
    assert Machine(**BATCH).node_launcher == "srun"
    assert Machine(**{**BATCH, "launcher": "mpiexec"}).node_launcher == "mpiexec"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"walltime_min": 0}, "provider slurm needs walltime_min"),
        ({"walltime_min": 5}, "drain_min 5 leaves nothing of walltime_min 5"),
        ({"workers": 0}, "needs workers, accelerators or cpus_per_node"),
        ({"workers": 5, "accelerators": 4}, "more than the 4 accelerators; repeat names to share them"),
        ({"heartbeat_period_s": 30}, "is not above heartbeat_period_s"),
        ({"max_blocks": 2, "init_blocks": 3}, "min_blocks <= init_blocks <= max_blocks"),
        ({"cpu_affinity": "list:0-7:8-15:16-23"}, "cpu_affinity lists 3 sets of cores for 2 workers"),
        ({"cpu_affinity": "first"}, "'cpu_affinity' = 'first'"),
        ({"launcher": "aprun"}, "'launcher' = 'aprun'"),
    ],
    ids=str,
)
def test_what_does_not_fit_together_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        Machine(**BATCH).changed("there", **change)


def test_a_change_that_is_not_given_leaves_the_profile():
    assert Machine(**BATCH).changed("there", account=None).account == ""
    assert Machine(**BATCH).changed("there", account="A1").account == "A1"


def test_the_command_line_s_wishes_win_and_can_be_said_again():
    wishes = Wishes(account="A1", nodes=3, walltime_min=90.0, workers_in="blocks")
    machine = wishes.applied(Machine(**BATCH))
    assert (machine.account, machine.nodes_per_block, machine.walltime_min) == ("A1", 3, 90)
    assert machine.workers_in == "blocks"
    assert wishes.options() == ["--account", "A1", "--nodes", "3", "--walltime", "90", "--workers-in", "blocks"]
    assert Wishes().applied(Machine(**BATCH)) == Machine(**BATCH)
    assert Wishes().options() == []


def test_what_only_the_user_knows_must_be_given():
    machine = Machine(**{**BATCH, "required": ["account", "queue"], "queue": "debug"})
    with pytest.raises(InputError, match="machine 'm' needs your account: give --account, or set `account` in a copy"):
        machine.complete()
    assert machine.changed("there", account="A1").complete().account == "A1"
