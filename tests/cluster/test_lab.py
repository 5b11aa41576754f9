"""The test cluster itself: nodes are apart, can lose power, and leave nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.cluster.lab import Cluster

pytestmark = pytest.mark.slurm


def submit(cluster, script, *options):
    """Submit a shell script; return the job's id."""
    return cluster.run("sbatch", "--parsable", "--output=/dev/null", *options, "--wrap", script).strip()


def namespaces():
    """Network namespaces and mounts that exist on this machine."""
    networks = set()
    for process in psutil.pids():
        try:
            networks.add(os.readlink(f"/proc/{process}/ns/net"))
        except OSError:  # ended meanwhile
            continue
    return networks, Path("/proc/self/mountinfo").read_text()


def processes(mark, name=""):
    """Processes that have the mark in their environment, wherever they run, and the name if one is given."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("FUSEDTOMO_TEST") == mark and name in (process.name(), ""):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_every_node_has_its_own_name_and_address_and_shares_the_files(cluster, tmp_path):
    script = f"hostname; hostname -I; ps -e -o comm= | grep -c slurmd; echo yes > {tmp_path}/$(hostname)"
    said = cluster.run("srun", "--label", "-N4", "bash", "-c", script).split("\n")
    for index, node in enumerate(cluster.nodes):
        assert {f"{index}: {node}", f"{index}: 10.77.0.{index + 1} ", f"{index}: 1"} <= set(said)
        assert (tmp_path / node).read_text() == "yes\n"


def test_a_node_that_loses_power_loses_its_job_and_boots_again(cluster, tmp_path):
    mark = [f"--export=ALL,FUSEDTOMO_TEST={tmp_path}", "--no-requeue"]
    job, other = (submit(cluster, "setsid sleep 1000 & wait", f"--nodelist={node}", *mark) for node in ("n2", "n3"))
    cluster.wait_for(lambda: len(processes(str(tmp_path), "sleep")) == 2, "both jobs run")
    cluster.crash("n2")
    cluster.wait_for(lambda: len(processes(str(tmp_path), "sleep")) == 1, "one job is dead")
    assert cluster.jobs() == [job, other]  # Slurm does not know yet
    cluster.report_down("n2")
    cluster.wait_for(lambda: cluster.jobs() == [other], "the job is out of the queue")
    assert (cluster.state(job), cluster.state(other)) == ("NODE_FAIL", "RUNNING")
    cluster.boot("n2")
    cluster.run("scancel", other)
    cluster.wait_for(lambda: cluster.idle() == cluster.nodes, "all nodes idle")
    assert cluster.run("srun", "--nodelist=n2", "hostname") == "n2\n"


def test_a_stopped_cluster_leaves_nothing_behind(slurm, tmp_path, monkeypatch):
    monkeypatch.setenv("FUSEDTOMO_TEST", str(tmp_path))
    before = namespaces()
    with Cluster(tmp_path / "s", n_nodes=2) as cluster:
        submit(cluster, "setsid sleep 1000 & sleep 1000", "--nodelist=n2")
        cluster.wait_for(lambda: len(processes(str(tmp_path), "sleep")) == 2, "the job runs")
        assert cluster.run("ip", "-brief", "link").count("@") == 2
    assert processes(str(tmp_path)) == []
    assert namespaces() == before
    assert list(tmp_path.iterdir()) == []


def test_the_cluster_of_a_test_run_that_is_killed_ends(slurm, tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from tests.cluster.lab import Cluster\n"
        "with Cluster(Path(sys.argv[1]), n_nodes=1): print('up', flush=True); time.sleep(1000)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "s"],
        stdout=subprocess.PIPE,
        env={**os.environ, "FUSEDTOMO_TEST": str(tmp_path)},
        text=True,
    )
    assert process.stdout.readline() == "up\n"
    members = processes(str(tmp_path))
    assert {"slurmctld", "slurmd", "munged"} <= {member.name() for member in members}
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert psutil.wait_procs(members, timeout=20)[1] == []
