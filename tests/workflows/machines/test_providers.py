"""Batch jobs of workers: the scripts that would be submitted, never too many, none left behind."""

import json
import re

import pytest
from parsl.jobs.states import JobState
from parsl.providers.cluster_provider import ClusterProvider

from workflows.machines import CONFIGS, load_machine
from workflows.machines.bounded import NotSubmitted
from workflows.machines.config import block_script
from workflows.machines.providers import launcher_of, provider_of

PROFILES = sorted(path.stem for path in (CONFIGS / "machines").glob("*.toml"))
BATCH = [name for name in PROFILES if load_machine(name).provider != "local"]


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The script of a block of a profile, on two nodes, for account A1."""
    monkeypatch.chdir(tmp_path)

    def of(name, **changes):
        machine = load_machine(name).changed("test", account="A1", nodes_per_block=2, **changes)
        return block_script(machine, tmp_path / "parsl")

    return of


@pytest.mark.parametrize("name", BATCH)
def test_every_profile_renders_a_whole_script(name, script):
    text = script(name)
    assert text.startswith("#!/bin/bash\n")
    assert "python3 -m workflows.workers.pool ..." in text
    assert not re.search(r"\bNone\b|\$\{(nodes|walltime|user_script)", text)
    assert load_machine(name).worker_init in text


def lines(text, directive):
    return [line for line in text.splitlines() if line.startswith(directive)]


def test_perlmutter(script):
    text = script("perlmutter")
    wanted = ["nodes=2", "time=120", "no-requeue", "gpus-per-node=4", "exclusive", "account=A1", "qos=regular"]
    assert {f"#SBATCH --{one}" for one in [*wanted, "constraint=gpu"]} <= set(lines(text, "#SBATCH"))
    assert "srun --ntasks 2 -l --ntasks-per-node=1 -c 128 --cpu-bind=none --gpus-per-node=4 bash" in text


def test_polaris(script, tmp_path):
    text = script("polaris")
    wanted = ["walltime=01:00:00", "select=2:ncpus=64:system=polaris:ngpus=4", "filesystems=home:eagle"]
    assert {f"#PBS -l {one}" for one in [*wanted, "place=scatter"]} <= set(lines(text, "#PBS"))
    assert "mpiexec --cpu-bind none --depth=64 --ppn 1 -n $WORKERCOUNT --hostfile $HOSTFILE" in text
    assert f"\ncd {tmp_path / 'parsl'}\n" in text  # the launcher's file of hosts is written there


def test_summit_and_other_lsf_machines_ask_for_nodes_in_their_own_way(script):
    assert {"#BSUB -nnodes 2", "#BSUB -W 120", "#BSUB -P A1"} <= set(lines(script("summit"), "#BSUB"))
    assert "jsrun -n 2 -r 1 -a 1 -c 42 -g 6 /bin/bash" in script("summit")
    assert {"#BSUB -n 64", '#BSUB -R "span[ptile=32]"', "#BSUB -x"} <= set(lines(script("lsf"), "#BSUB"))
    assert 'blaunch "$host" /bin/bash "$start" &' in script("lsf")


def test_a_walltime_is_rounded_up_to_minutes(script):
    assert "#PBS -l walltime=26:01:00" in script("pbs", walltime_min=26 * 60 + 0.5)


def test_the_hosts_launcher_starts_every_host_once_with_the_variables_of_the_job(tmp_path, run_bash):
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/bash\necho "$1" >> "$(dirname "$0")/hosts"; shift; env -i "$@"\n')
    shell.chmod(0o755)
    nodes = tmp_path / "nodes"
    nodes.write_text("n2\nn1\nn2\n")
    launcher = launcher_of(load_machine("pbs").changed("test", launcher_options=str(shell)))
    text = launcher(f'echo "$GREETING" >> {tmp_path}/said', 1, 2, str(tmp_path))
    run_bash(text, JOBNAME="j", PBS_NODEFILE=str(nodes), GREETING='it\'s $HOME "here"')
    assert sorted((tmp_path / "hosts").read_text().split()) == ["n1", "n2"]
    assert (tmp_path / "said").read_text() == 2 * 'it\'s $HOME "here"\n'


def provider(name, tmp_path, **changes):
    machine = load_machine(name).changed("test", **changes)
    made = provider_of(machine, "")
    made.script_dir = str(tmp_path)
    return made


def test_no_more_jobs_than_the_cap_are_ever_submitted(tmp_path):
    pbs = provider("pbs", tmp_path, max_submissions=2)
    asked = []
    pbs.execute_wait = lambda command, timeout=None: (0, f"{len(asked)}.pbs\n", asked.append(command) or "")
    assert [pbs.submit("true", 1), pbs.submit("true", 1)] == ["0.pbs", "1.pbs"]
    with pytest.raises(NotSubmitted, match=r"2 batch jobs were submitted .*\(max_submissions\)"):
        pbs.submit("true", 1)
    assert len(asked) == 2


def test_the_cap_is_20_times_the_blocks_at_once(tmp_path):
    assert provider("slurm", tmp_path, max_blocks=3).limit == 60


def test_what_the_scheduler_says_when_it_refuses_is_kept(tmp_path):
    slurm = provider("slurm", tmp_path)
    slurm.execute_wait = lambda command, timeout=None: (1, "", "sbatch: error: Invalid account\n")
    with pytest.raises(NotSubmitted, match="refused the batch job: sbatch: error: Invalid account"):
        slurm.submit("true", 1)


def test_pbs_is_asked_for_one_job_at_a_time(tmp_path):
    """As the real qstat of OpenPBS, this one answers for the first id that it is asked for alone."""
    pbs = provider("pbs", tmp_path)

    def qstat(command, timeout=None):
        if command.startswith("qsub"):
            return 0, f"{len(pbs.resources)}.pbs\n", ""
        first = command.split()[5]
        return 0, json.dumps({"Jobs": {first: {"job_state": "R"}}}), ""

    pbs.execute_wait = qstat
    ids = [pbs.submit("true", 1) for _ in range(3)]
    assert [status.state for status in pbs.status(ids)] == [JobState.RUNNING] * 3


@pytest.mark.parametrize(
    ("name", "answer", "noted"),
    [
        ("slurm", "Submitted batch job 7", ("slurm", "7")),
        ("pbs", "7.pbs", ("pbspro", "7.pbs")),
        ("lsf", "Job <7> is submitted to queue <q>.", ("lsf", "7")),
    ],
)
def test_every_block_that_was_submitted_is_told_of(tmp_path, monkeypatch, name, answer, noted):
    made = provider(name, tmp_path)
    told = []
    made.on_submit = lambda label, job: told.append((label, job))
    monkeypatch.setattr(ClusterProvider, "execute_wait", lambda self, command, timeout=None: (0, answer, ""))
    made.submit("true", 1)
    assert told == [noted]
    made.script("true")  # rendering is no submission
    assert len(told) == 1


def test_a_block_of_this_host_is_told_of_too(tmp_path):
    told = []
    made = provider_of(load_machine("laptop"), "", lambda label, job: told.append((label, job)))
    made.script_dir = str(tmp_path)
    assert told == [("local", made.submit("true", 1))] != []


def test_a_block_that_the_scheduler_did_not_give_is_not_told_of(tmp_path):
    pbs = provider("pbs", tmp_path)
    pbs.on_submit = lambda *_: pytest.fail("there is no block")
    pbs.execute_wait = lambda command, timeout=None: (0, "", "")
    with pytest.raises(NotSubmitted, match="no job id"):
        pbs.submit("true", 1)


def test_the_scheduler_is_asked_as_often_as_the_profile_says(tmp_path):
    assert provider("slurm", tmp_path, poll_s=2).status_polling_interval == 2


def test_a_script_is_rendered_without_a_submission(tmp_path):
    slurm = provider("slurm", tmp_path)
    slurm.execute_wait = lambda *_: pytest.fail("nothing may be executed")
    assert "sleep 1" in slurm.script("sleep 1")
    assert slurm.tried == 0
