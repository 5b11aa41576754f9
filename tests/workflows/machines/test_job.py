"""Inside a batch job: its nodes and its time, as each scheduler tells them."""

import json
import time

import pytest

from fusedtomo.errors import InputError
from workflows.machines import Machine, settled
from workflows.machines.schedulers import lsf, pbs, scheduler, slurm

SLURM = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-3]"}


def machine(provider, **fields):
    return Machine(name="m", **{"provider": provider, "workers": 2, "walltime_min": 60, **fields})


@pytest.fixture
def says(monkeypatch):
    """The scheduler's commands by name, and what they print."""
    answers = {}
    for module in (slurm, pbs, lsf):
        monkeypatch.setattr(module, "said", lambda *command: answers.get(command[0], ""))
    return answers


def nodefile(path, *hosts):
    path.write_text("\n".join(hosts) + "\n")
    return str(path)


def test_no_job_no_change():
    assert settled(machine("slurm"), {}) == machine("slurm")
    assert settled(Machine(name="m"), SLURM) == Machine(name="m")


def test_a_job_of_another_scheduler_is_no_place_for_workers():
    assert settled(machine("pbs"), SLURM).provider == "pbs"


def test_slurm_s_nodes_become_one_block_started_from_here(says):
    says |= {"scontrol": "n1\nn2\nn3\n", "squeue": "1-02:03:04\n"}
    here = settled(machine("slurm", max_blocks=4, init_blocks=2), SLURM)
    assert (here.provider, here.node_launcher, here.nodes_per_block, here.n_workers) == ("local", "srun", 3, 6)
    assert (here.init_blocks, here.max_blocks) == (1, 1)
    assert here.walltime_min == pytest.approx(26 * 60 + 3 + 4 / 60)


def test_slurm_s_end_is_known_from_the_environment_where_it_is_new_enough(says):
    says["scontrol"] = "n1"
    here = settled(machine("slurm"), {**SLURM, "SLURM_JOB_END_TIME": str(int(time.time()) + 1800)})
    assert here.walltime_min == pytest.approx(30, abs=0.5)


@pytest.mark.parametrize("left", ["", "UNLIMITED\n"])
def test_a_scheduler_that_does_not_say_how_long_leaves_the_profile_s_walltime(says, left):
    says |= {"scontrol": "n1", "squeue": left}
    assert settled(machine("slurm"), SLURM).walltime_min == 60


def test_pbs(says, tmp_path):
    times = {"Resource_List": {"walltime": "02:00:00"}, "resources_used": {"walltime": "00:15:00"}}
    says["qstat"] = json.dumps({"Jobs": {"7.pbs": times}})
    nodes = nodefile(tmp_path / "nodes", "n1", "n1", "n2", "n2")
    here = settled(machine("pbs"), {"PBS_JOBID": "7.pbs", "PBS_NODEFILE": nodes})
    assert (here.nodes_per_block, here.node_launcher, here.walltime_min) == (2, "hosts", 105)


def test_lsf(says, tmp_path):
    says["bjobs"] = "1:58 L\n"
    nodes = nodefile(tmp_path / "nodes", "n1", "n1", "n2")
    here = settled(machine("lsf"), {"LSB_JOBID": "7", "LSB_DJOB_HOSTFILE": nodes})
    assert (here.nodes_per_block, here.walltime_min) == (2, 118)


def test_jsrun_starts_nothing_on_the_node_of_the_script(says, tmp_path):
    nodes = nodefile(tmp_path / "nodes", "batch5", "h01", "h01", "h02")
    here = settled(machine("lsf", launcher="jsrun"), {"LSB_JOBID": "7", "LSB_DJOB_HOSTFILE": nodes})
    assert here.nodes_per_block == 2


def test_blocks_can_be_submitted_from_inside_a_job():
    assert settled(machine("slurm", workers_in="blocks"), SLURM).provider == "slurm"


def test_a_job_that_is_wanted_and_not_there_is_refused():
    with pytest.raises(InputError, match="this is no job of slurm; start it with `fusedtomo submit`"):
        settled(machine("slurm", workers_in="job"), {})


def test_a_job_that_is_nearly_over_is_refused(says):
    says |= {"scontrol": "n1", "squeue": "4:00"}
    with pytest.raises(InputError, match=r"job 7 ends in 4\.0 min, .* last 5 min"):
        settled(machine("slurm"), SLURM)


def test_nodes_that_cannot_be_found_out_are_an_error_and_not_a_wait(says, tmp_path):
    with pytest.raises(InputError, match="is scontrol in PATH"):
        settled(machine("slurm"), SLURM)
    with pytest.raises(InputError, match=r"list of nodes .* cannot be read"):
        settled(machine("pbs"), {"PBS_JOBID": "7", "PBS_NODEFILE": str(tmp_path / "none")})


def test_a_command_that_is_missing_says_nothing():
    assert scheduler.said("no-such-command-of-a-scheduler") == ""


def test_a_job_of_this_one_host_needs_no_network_but_a_shell_beside_it_does(says, monkeypatch):
    says |= {"scontrol": "n1.site", "squeue": "30:00"}
    monkeypatch.setattr(scheduler.socket, "gethostname", lambda: "n1")
    assert settled(machine("slurm", interface="ib0"), SLURM).address == "127.0.0.1"
    monkeypatch.setattr(scheduler.socket, "gethostname", lambda: "login1")
    assert settled(machine("slurm", interface="ib0"), SLURM).address == ""
    says["scontrol"] = "login1 n2"
    assert settled(machine("slurm"), SLURM).address == ""
