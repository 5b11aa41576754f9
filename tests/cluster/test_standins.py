"""The stand-ins for PBS and LSF: they run what is submitted, with the real ones' variables, limits and exit codes."""

import json
import re
import subprocess

import pytest

pytestmark = pytest.mark.slurm

# what a script sees of its job; in PBS's and LSF's own variables only
SHOW = """
hostname > {out}/host
cat "${{PBS_NODEFILE:-$LSB_DJOB_HOSTFILE}}" > {out}/hosts
env > {out}/environ
pwd > {out}/directory
for host in $(sort -u {out}/hosts); do {shell} $host "hostname > {out}/shell.$host"; done
exit 3
"""


@pytest.fixture
def call(cluster, commands, tmp_path):
    """Run a stand-in on the login node; returns what subprocess.run does."""

    def run(*words, stdin="", **environ):
        path = {"PATH": f"{commands}:{cluster.env['PATH']}", **environ}
        return subprocess.run(
            cluster.command(*words, cwd=tmp_path),
            input=stdin,
            env={**cluster.env, **path},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def environ(folder):
    return dict(line.split("=", 1) for line in (folder / "environ").read_text().splitlines() if "=" in line)


def pbs_job(call, text, *options, **environ):
    done = call("qsub", *options, stdin=text, **environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def pbs_state(call, job):
    return json.loads(call("qstat", "-x", "-f", "-F", "json", job).stdout)["Jobs"][job]


def lsf_job(call, text, *options, **environ):
    done = call("bsub", *options, stdin=text, **environ)
    assert done.returncode == 0, done.stderr
    return re.fullmatch(r"Job <(\d+)> is submitted to queue <normal>\.\n", done.stdout)[1]


def lsf_state(call, job):
    return call("bjobs", "-noheader", "-o", "jobid stat", job).stdout.split()[1]


def test_a_pbs_job_runs_on_its_nodes_with_pbs_s_variables_only(call, cluster, tmp_path):
    directives = f"#PBS -N show\n#PBS -l select=2:ncpus=2,walltime=0:05:00\n#PBS -j oe\n#PBS -o {tmp_path}/said\n"
    script = directives + SHOW.format(out=tmp_path, shell="pbs_tmrsh")
    job = pbs_job(call, script, FUSEDTOMO_TEST="not inherited")
    cluster.wait_for(lambda: pbs_state(call, job)["job_state"] == "F", "the job ends")
    assert (tmp_path / "hosts").read_text().split() == ["n1", "n2"]
    assert (tmp_path / "host").read_text() == "n1\n"
    assert [(tmp_path / f"shell.{node}").read_text() for node in ("n1", "n2")] == ["n1\n", "n2\n"]
    seen = environ(tmp_path)
    assert (seen["PBS_JOBID"], seen["PBS_JOBNAME"], seen["PBS_O_WORKDIR"]) == (job, "show", str(tmp_path))
    assert "FUSEDTOMO_TEST" not in seen
    assert not [name for name in seen if name.startswith("SLURM")]
    assert (tmp_path / "directory").read_text().strip() == seen["HOME"]
    assert pbs_state(call, job)["Exit_status"] == 3
    assert (tmp_path / "said").read_text() == ""


def test_an_lsf_job_runs_on_its_nodes_with_lsf_s_variables_only(call, cluster, tmp_path):
    directives = f'#BSUB -J show\n#BSUB -n 4\n#BSUB -R "span[ptile=2]"\n#BSUB -W 5\n#BSUB -o {tmp_path}/said\n'
    job = lsf_job(call, directives + SHOW.format(out=tmp_path, shell="blaunch"), FUSEDTOMO_TEST="inherited")
    cluster.wait_for(lambda: lsf_state(call, job) == "EXIT", "the job ends")
    assert (tmp_path / "hosts").read_text().split() == ["n1", "n1", "n2", "n2"]
    assert [(tmp_path / f"shell.{node}").read_text() for node in ("n1", "n2")] == ["n1\n", "n2\n"]
    seen = environ(tmp_path)
    assert (seen["LSB_JOBID"], seen["LSB_JOBNAME"], seen["LS_SUBCWD"]) == (job, "show", str(tmp_path))
    assert (seen["LSB_DJOB_NUMPROC"], seen["LSB_MCPU_HOSTS"].strip()) == ("4", "n1 2 n2 2")
    assert seen["FUSEDTOMO_TEST"] == "inherited"
    assert not [name for name in seen if name.startswith("SLURM")]
    assert (tmp_path / "directory").read_text().strip() == str(tmp_path)
    assert (tmp_path / "said").read_text() == ""


def test_a_walltime_is_announced_by_a_signal_then_enforced(call, cluster, tmp_path):
    script = "trap 'echo told' TERM USR2; while :; do sleep 0.2; done\n"
    limit = f"#PBS -l walltime=0:00:02\n#PBS -j oe\n#PBS -o {tmp_path}/pbs\n"
    job = pbs_job(call, limit + script)
    cluster.wait_for(lambda: pbs_state(call, job)["job_state"] == "F", "the job ends")
    assert pbs_state(call, job)["Exit_status"] == -29
    assert (tmp_path / "pbs").read_text().startswith("=>> PBS: job killed: walltime 3 exceeded limit 2\n")
    assert "told\n" in (tmp_path / "pbs").read_text()


def test_jobs_are_listed_and_ended(call, cluster, tmp_path):
    begin = f"touch {tmp_path}/$(hostname)-$$; sleep 1000 & wait\n"  # nodes count their processes apart
    first, second = (pbs_job(call, f"trap 'exit 7' TERM; {begin}", "-o", "/dev/null") for _ in range(2))
    other = lsf_job(call, begin)
    cluster.wait_for(lambda: len(list(tmp_path.glob("n[1-4]-*"))) == 3, "all run")
    assert [line.split()[-2:] for line in call("qstat").stdout.splitlines()[1:]] == [["R", "workq"]] * 2
    assert call("bjobs").stdout.split() == ["JOBID", "STAT", other, "RUN"]
    assert call("bjobs", "-noheader", "-o", "time_left", other).stdout in ("0:59 L\n", "1:00 L\n")
    query = ("qstat", "-x", "-f", "-F", "json", first, second)
    assert list(json.loads(call(*query).stdout)["Jobs"]) == [first, second]
    assert list(json.loads(call(*query, QSTAT_ONLY_FIRST="1").stdout)["Jobs"]) == [first]

    assert call("qdel", first).returncode == 0
    assert call("bkill", other).stdout == f"Job <{other}> is being terminated\n"
    cluster.wait_for(lambda: cluster.jobs() == [second.split(".")[0]], "two have ended")
    assert pbs_state(call, first)["Exit_status"] == 7
    assert lsf_state(call, other) == "EXIT"
    assert call("qstat", first).returncode == 35
    assert call("qdel", first, second).returncode == 35  # one that has ended does not keep the other
    assert call("bkill", other).returncode == 255
    cluster.wait_for(lambda: cluster.jobs() == [], "all have ended")
    assert call("qstat").stdout.strip() == ""
    assert call("bjobs").returncode == 255


def test_a_job_waits_for_another(call, cluster):
    first = pbs_job(call, "sleep 1000\n", "-o", "/dev/null")
    second = pbs_job(call, "true\n", "-o", "/dev/null", "-W", f"depend=afterany:{first}")
    third = lsf_job(call, "true\n", "-w", f"ended({second.split('.')[0]})")
    cluster.wait_for(lambda: pbs_state(call, first)["job_state"] == "R", "the first runs")
    assert pbs_state(call, second)["job_state"] == "Q"
    assert lsf_state(call, third) == "PEND"
    call("qdel", first)
    cluster.wait_for(lambda: lsf_state(call, third) == "DONE", "the last ends")
    assert pbs_state(call, second)["Exit_status"] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["qsub", "/no/such/script"], 1, "qsub: script file:: No such file or directory"),
        (["qsub", "-q", "nosuch"], 170, "qsub: Unknown queue"),
        (["qsub", "-l", "gpus=2"], 188, "qsub: Unknown resource: Resource_List.gpus"),
        (["qstat", "-x", "-f", "-F", "json", "999.test"], 153, "qstat: Unknown Job Id 999.test"),
        (["qdel", "999.test"], 153, "qdel: Unknown Job Id 999.test"),
        (["bsub", "-q", "nosuch"], 255, "nosuch: No such queue. Job not submitted."),
        (["bjobs", "999"], 255, "Job <999> is not found"),
        (["bkill", "999"], 255, "Job <999>: No matching job found"),
    ],
)
def test_what_is_refused_and_how(call, words, code, said):
    done = call(*words)
    assert (done.returncode, done.stderr.strip()) == (code, said)


def test_bsub_reads_directives_from_standard_input_only(call, cluster, tmp_path):
    script = tmp_path / "script"
    script.write_text(f"#!/bin/bash\n#BSUB -J named\necho $LSB_JOBNAME > {tmp_path}/name\n")
    script.chmod(0o755)
    for words, stdin, name in (((), script.read_text(), "named"), ((script,), "", "job")):
        job = lsf_job(call, stdin, *words)
        cluster.wait_for(lambda job=job: lsf_state(call, job) == "DONE", "the job ends")
        assert (tmp_path / "name").read_text() == f"{name}\n"
