"""Campaigns whose controller is on the login node and submits blocks of workers through Parsl's provider."""

import pytest

from tests.cluster.campaigns import N_TRIALS, STANDINS, facts, running, write_command, write_machine

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(900)]  # a busy machine is five times slower


@pytest.fixture
def start(cluster, fusedtomo, campaign, tmp_path):
    """Start `fusedtomo run` on the login node, on a machine like that of write_machine."""

    def start(command=fusedtomo, env=None, **machine):
        words = ("run", campaign, "--machine", write_machine(tmp_path, **machine), "--out", tmp_path / "run")
        return running(cluster, command, *words, out=tmp_path / "run", env=env)

    return start


def test_the_undisturbed_map_is_whole(undisturbed):
    assert len(undisturbed) == N_TRIALS
    assert {status for _, _, status, _, _ in undisturbed} == {"ok"}


def test_a_block_is_lost_to_scancel_then_a_node_to_a_power_cut(cluster, start, undisturbed, tmp_path):
    with start() as controller:
        controller.wait_for_trials(4)
        first, second = cluster.jobs(["RUNNING"])
        cluster.run("scancel", first)
        controller.wait_for_trials(14)
        (lost,) = cluster.nodes_of(second)
        cluster.crash(lost)
        controller.finish()
    cluster.report_down(lost)
    cluster.boot(lost)
    assert facts(tmp_path / "run") == undisturbed
    # the second: whether Slurm or the controller's end came first
    assert cluster.state(first) == "CANCELLED"
    assert cluster.state(second) in ("NODE_FAIL", "CANCELLED")


def test_blocks_share_a_node(cluster, start, undisturbed, tmp_path):
    """Two jobs of one core each run on one node; the quotes of `scheduler_options` reach Slurm."""
    shared = {"exclusive": False, "cpus_per_node": 1, "memory_per_node_gb": 1, "mail_user": "me@x.org"}
    with start(**shared, scheduler_options=["--comment='a b; $(c)'"]) as controller:
        controller.wait_for_trials(4)
        blocks = cluster.jobs(["RUNNING"])
        nodes = [cluster.nodes_of(job) for job in blocks]
        shown = cluster.run("scontrol", "--oneliner", "show", "job", blocks[0])
        controller.finish()
    assert facts(tmp_path / "run") == undisturbed
    assert len(nodes) == 2
    assert nodes[0] == nodes[1]
    for words in ("Comment=a b; $(c) ", "MailUser=me@x.org MailType=END,FAIL", "mem=1G,node=1", "OverSubscribe=OK"):
        assert words in shown


@pytest.mark.nightly  # a chain of jobs shows PBS every day
@pytest.mark.parametrize("scheduler", ["lsf", "pbs"])
def test_the_same_map_on_other_schedulers(cluster, standins, start, undisturbed, tmp_path, scheduler):
    """Two blocks, though PBS's qstat names only the first of the jobs that it is asked about."""
    before = cluster.last_job()
    with start(provider=scheduler, env=standins, **STANDINS[scheduler]) as controller:
        controller.finish()
    assert facts(tmp_path / "run") == undisturbed
    assert cluster.last_job() - before == 2
    started = list(tmp_path.glob("run/parsl/*/submit_scripts/start_*.sh"))
    assert [script.stat().st_mode & 0o077 for script in started] == [0, 0]  # they hold the job's whole environment


@pytest.mark.nightly
def test_submissions_are_bounded_when_the_scheduler_hides_jobs(cluster, standins, start, undisturbed, tmp_path):
    """Asked as Parsl itself asks, qstat names one job only; Parsl takes the others for ended and replaces them."""
    change = "from workflows.machines.schedulers import pbs; del pbs.AskedOneByOne._status"
    as_parsl_asks = write_command(tmp_path / "fusedtomo", change)
    before = cluster.last_job()
    profile = {"provider": "pbs", "launcher_options": "pbs_tmrsh", "max_submissions": 4}
    with start(command=as_parsl_asks, env=standins, **profile) as controller:
        controller.finish()
    assert 2 < cluster.last_job() - before <= 4  # one or two too many, as the campaign lasts; then no more
    assert facts(tmp_path / "run") == undisturbed
