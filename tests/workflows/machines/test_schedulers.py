"""A batch scheduler is one value: what it asks for in both ways of running, and that a new one is one registration."""

from dataclasses import replace

import pytest

from fusedtomo.errors import InputError
from tests.workflows.tiny import config
from workflows.batch.jobscript import job_script
from workflows.batch.submit import request_for
from workflows.machines import Machine, load_machine, settled
from workflows.machines.config import block_script
from workflows.machines.schedulers import SCHEDULERS, Job, cancel_command, node_file
from workflows.machines.schedulers.slurm import SLURM
from workflows.workers.blocks import Blocks

BATCH = {"name": "m", "workers": 2, "cpus_per_node": 4, "walltime_min": 60, "launcher": "simple"}


def asked(machine, folder):
    """The directives of a job's script, then those of a block's, without the word that begins each."""
    request = request_for(config(), folder / "tiny.toml", machine, "m.toml", folder / "run", None, 3)
    texts = job_script(request), block_script(machine, folder / "parsl")
    begin = machine.scheduler.directive + " "
    return [[line.removeprefix(begin) for line in text.splitlines() if line.startswith(begin)] for text in texts]


def of_mail(directives):
    return [line for line in directives if line.startswith(("--mail", "-M ", "-m ", "-u ")) or line in ("-B", "-N")]


@pytest.mark.parametrize(
    ("provider", "events", "lines"),
    [
        ("slurm", ["begin", "fail"], ["--mail-user=me@x.org", "--mail-type=BEGIN,FAIL"]),
        ("slurm", "end", ["--mail-user=me@x.org", "--mail-type=END"]),
        ("pbs", ["begin", "fail"], ["-M me@x.org", "-m ab"]),
        ("pbs", "end", ["-M me@x.org", "-m e"]),
        ("lsf", ["begin", "fail"], ["-u me@x.org", "-B", "-N"]),
        ("lsf", "begin", ["-u me@x.org", "-B"]),
        ("lsf", "end", ["-u me@x.org", "-N"]),
    ],
)
def test_mail_is_asked_for_in_both_ways_of_running(tmp_path, provider, events, lines):
    machine = Machine(**BATCH, provider=provider, mail_user="me@x.org", mail_events=events)
    assert [of_mail(directives) for directives in asked(machine, tmp_path)] == [lines, lines]


@pytest.mark.parametrize("provider", ["slurm", "pbs", "lsf"])
def test_no_mail_unless_an_address_is_given(tmp_path, provider):
    directives_of_both = asked(Machine(**BATCH, provider=provider), tmp_path)
    assert [set(of_mail(directives)) - {"-m n"} for directives in directives_of_both] == [set(), set()]


@pytest.mark.parametrize("address", ["a b@c", "a@b\n", "a@b;c", "-a@b'", "a@b@c", "@b", "a@"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InputError, match="'mail_user' = "):
        Machine(**BATCH).changed("there", mail_user=address)


@pytest.mark.parametrize("events", [[], ["never"]])
def test_mail_at_no_moment_is_refused(events):
    with pytest.raises(InputError, match="'mail_events"):
        Machine(**BATCH).changed("there", mail_events=events)


def test_a_shared_node_of_slurm_is_asked_for_by_cores_and_memory(tmp_path):
    whole = Machine(**BATCH, provider="slurm")
    shared = whole.changed("there", exclusive=False, memory_per_node_gb=1.5)
    for directives in asked(whole, tmp_path):
        assert "--exclusive" in directives
        assert not [line for line in directives if line.startswith(("--cpus", "--mem"))]
    for directives in asked(shared, tmp_path):
        assert "--exclusive" not in directives
        assert {"--cpus-per-task=4", "--mem=1536M"} <= set(directives)
    by_workers = shared.changed("there", cpus_per_node=0, threads_per_worker=3, memory_per_node_gb=0.0)
    for directives in asked(by_workers, tmp_path):
        assert "--cpus-per-task=6" in directives
        assert not [line for line in directives if line.startswith("--mem")]


def test_memory_of_pbs_is_a_part_of_its_select(tmp_path):
    machine = Machine(**BATCH, provider="pbs", memory_per_node_gb=2, select_options="ngpus=4")
    for directives in asked(machine, tmp_path):
        assert "-l select=1:ncpus=4:mem=2048mb:ngpus=4" in directives


@pytest.mark.parametrize(
    ("provider", "field", "value"),
    [
        ("pbs", "qos", "high"),
        ("lsf", "exclusive", False),
        ("slurm", "select_options", "ngpus=4"),
        ("lsf", "memory_per_node_gb", 4),
    ],
)
def test_a_field_that_means_nothing_to_the_scheduler_is_refused(provider, field, value):
    with pytest.raises(InputError, match=f"{field} means nothing to {provider}; say it in scheduler_options"):
        Machine(**BATCH, provider=provider).changed("there", **{field: value})


def test_inside_its_job_a_machine_keeps_what_its_scheduler_was_asked_for():
    machine = Machine(**BATCH, provider="slurm", exclusive=False, qos="high")
    assert machine.changed("job 7", provider="local").qos == "high"


def test_an_unknown_scheduler_is_named_with_the_nearest():
    with pytest.raises(InputError, match=r"no scheduler 'slrum'; did you mean 'slurm'\?"):
        Machine(**BATCH).changed("there", provider="slrum")


# A new scheduler, as a plug-in would bring it.

TOY = replace(
    SLURM,
    name="toy",
    label="toy",
    directive="#TOY",
    submit="toysub",
    next_job="toysub --after {script} {link}",
    cancel="toydel",
    folder="TOY_FOLDER",
    launcher="hosts",
    node_file="TOY_NODES",
    takes=frozenset(),
    asks=lambda machine, name: [f"name={name}", f"nodes={machine.nodes_per_block}"],
    current_job=lambda environ: Job("7", ("n1", "n2"), 3600.0) if "TOY_JOB" in environ else None,
)


@pytest.fixture
def toy(monkeypatch):
    """The scheduler, registered for the time of a test."""
    monkeypatch.setattr(SCHEDULERS, "_values", dict(SCHEDULERS._values))
    SCHEDULERS.register(TOY)


def test_a_new_scheduler_is_one_line_of_registration(toy, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text('name = "mine"\nprovider = "toy"\nworkers = 2\nwalltime_min = 60\n')
    machine = load_machine(str(tmp_path / "mine.toml"))
    text = job_script(request_for(config(), tmp_path / "t.toml", machine, "mine.toml", tmp_path / "run", None, 3))
    for line in ("#TOY name=tiny", "#TOY nodes=1", 'cd "$TOY_FOLDER"', f"next=$(toysub --after {tmp_path}/run/job.sh"):
        assert line in text
    assert 'toydel "$next"' in text
    assert settled(machine, {}).provider == "toy"
    assert settled(machine, {"TOY_JOB": "7"}).nodes_per_block == 2
    assert "${TOY_NODES:-" in block_script(machine, tmp_path / "parsl")
    (tmp_path / "toydel").write_text(f"#!/bin/sh\necho $1 >> {tmp_path}/ended\n")
    (tmp_path / "toydel").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    Blocks(tmp_path).note("toy", "11")
    assert Blocks(tmp_path).end() == 1
    assert (tmp_path / "ended").read_text() == "11\n"


def test_what_no_scheduler_has_is_not_cancelled():
    assert [cancel_command(scheduler.label) for scheduler in SCHEDULERS.values()] == ["scancel", "qdel", "bkill"]
    assert cancel_command("local") is None


@pytest.mark.parametrize("variables", [{"PBS_NODEFILE": "a"}, {"LSB_DJOB_HOSTFILE": "a"}, {}], ids=str)
def test_the_file_of_nodes_is_found_in_any_job(run_bash, monkeypatch, variables):
    for name in ("PBS_NODEFILE", "LSB_DJOB_HOSTFILE"):
        monkeypatch.delenv(name, raising=False)
    assert run_bash(f'set -u; echo "{node_file()}"', **variables).stdout.strip() == ("a" if variables else "")
