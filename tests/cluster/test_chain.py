"""Campaigns whose controller is in the batch job, one job after the other until the map is complete."""

import pytest

from tests.cluster.campaigns import N_TRIALS, STANDINS, facts, trials, write_machine

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(900)]  # a busy machine is five times slower


@pytest.fixture
def submit(cluster, fusedtomo, campaign, tmp_path):
    """`fusedtomo submit` on the login node, for a chain of jobs of two nodes; returns the first job's id."""

    def submit(env=None, **machine):
        # a function, for the job script puts this environment's own commands first
        init = f'fusedtomo() {{ {fusedtomo} "$@"; }}'
        profile = write_machine(tmp_path, nodes_per_block=2, init_blocks=1, max_blocks=1, worker_init=init, **machine)
        cluster.run(fusedtomo, "submit", campaign, "--machine", profile, "--out", "run", cwd=tmp_path, env=env)
        return cluster.jobs()[0]

    return submit


def wait_for_trials(cluster, folder, count):
    cluster.wait_for(lambda: len(trials(folder / "run")) >= count, f"{count} trials", timeout_s=300)


def said(folder):
    return "\n".join(log.read_text() for log in sorted(folder.glob("tiny.o*")))


def test_a_job_is_cut_off_by_its_walltime_the_next_loses_a_node_a_later_one_ends(
    cluster, submit, undisturbed, tmp_path
):
    first = submit()
    wait_for_trials(cluster, tmp_path, 4)
    for node in cluster.nodes_of(first):
        cluster.freeze(node)  # else the campaign may end before Slurm looks at the time, every 30 s
    cluster.run("scontrol", "update", f"JobId={first}", "EndTime=now+1")
    cluster.wait_for(lambda: cluster.state(first) == "TIMEOUT", "the job is over")
    done = len(trials(tmp_path / "run"))
    assert 4 <= done < N_TRIALS

    cluster.wait_for(lambda: cluster.jobs(["RUNNING"]), "the next job runs")
    (second,) = cluster.jobs(["RUNNING"])
    wait_for_trials(cluster, tmp_path, done + 4)
    _, lost = cluster.nodes_of(second)
    cluster.crash(lost)
    cluster.report_down(lost)
    cluster.wait_for(lambda: cluster.state(second) == "NODE_FAIL", "the job is over")
    assert len(trials(tmp_path / "run")) < N_TRIALS
    cluster.boot(lost)

    cluster.wait_for(lambda: cluster.jobs() == [], "the chain ends", timeout_s=300)
    assert facts(tmp_path / "run") == undisturbed, said(tmp_path)
    # Slurm starts the next job while the lost one's controller still ends: that job finds the folder busy and hands on
    *busy, last, unneeded = [cluster.state(str(job)) for job in range(int(second) + 1, cluster.last_job() + 1)]
    assert (last, unneeded) == ("COMPLETED", "CANCELLED")
    assert set(busy) <= {"FAILED"}, said(tmp_path)


@pytest.mark.parametrize("scheduler", ["pbs", pytest.param("lsf", marks=pytest.mark.nightly)])
def test_the_same_map_on_other_schedulers(cluster, standins, submit, undisturbed, tmp_path, scheduler):
    first = submit(provider=scheduler, env=standins, **STANDINS[scheduler])
    cluster.wait_for(lambda: cluster.jobs() == [], "the chain ends", timeout_s=300)
    assert facts(tmp_path / "run") == undisturbed, said(tmp_path)
    assert cluster.state(first) == "COMPLETED"
    assert cluster.last_job() == int(first) + 1  # the next one, which was not needed
