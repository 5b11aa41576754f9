"""The scripts of batch jobs: those of jobscripts/ are what `submit` prints, and a chain goes on as it should."""

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fusedtomo.errors import InputError
from tests.workflows.tiny import config, write_toml
from workflows.batch import submit
from workflows.batch.jobscript import job_script
from workflows.command.cli import app
from workflows.machines import CONFIGS, load_machine

ROOT = Path(__file__).parents[3]
NAMES = sorted(path.stem for path in (CONFIGS / "machines").glob("*.toml"))
BATCH = [name for name in NAMES if load_machine(name).provider != "local"]
GENERIC = ["slurm", "pbs", "lsf"]


def submitted(*options):
    return CliRunner().invoke(app, ["submit", *options], catch_exceptions=False)


@pytest.mark.parametrize("name", BATCH)
def test_the_script_of_every_machine_is_what_submit_prints(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "prefix", str(ROOT / ".venv"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    script = f"jobscripts/{name}.sh"
    account = ["--account", "YOUR_ACCOUNT"] if load_machine(name).required else []
    done = submitted("configs/campaigns/quickstart.toml", "--machine", name, *account, "--script", script, "--dry-run")
    assert done.exit_code == 0
    assert done.stdout == (ROOT / script).read_text()


def request(name, folder, **more):
    machine = load_machine(name).changed("test", account="A1")
    return submit.request_for(
        config(), folder / "tiny.toml", machine, name, folder / "run", None, **{"max_jobs": 3, **more}
    )


def test_a_job_asks_for_what_a_block_of_workers_asks_for(tmp_path):
    text = job_script(request("polaris", tmp_path))
    for line in ("-l select=1:ncpus=64:system=polaris:ngpus=4", "-l walltime=01:00:00", "-A A1", "-q debug"):
        assert f"#PBS {line}\n" in text
    text = job_script(request("perlmutter", tmp_path))
    for line in ("--nodes=1", "--time=120", "--account=A1", "--qos=regular", "--constraint=gpu", "--gpus-per-node=4"):
        assert f"#SBATCH {line}\n" in text
    assert "#BSUB -nnodes 1\n" in job_script(request("summit", tmp_path))


# A job of a chain is run for real, with commands of a scheduler that write down how they were called.


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Run a job's script; return its exit code and the scheduler's commands that it gave."""
    commands, said = tmp_path / "bin", tmp_path / "said"
    commands.mkdir()

    def command(name, body):
        (commands / name).write_text(f"#!/bin/bash\n{body}\n")
        (commands / name).chmod(0o755)

    def run(name, code, complete, link=None):
        said.write_text("")
        for scheduler, answer in (
            ("sbatch", "77"),
            ("qsub", "77.pbs"),
            ("bsub", "Job <77> is submitted to queue <q>."),
        ):
            note = f'echo "{scheduler} $* link=$FUSEDTOMO_LINK" >> {said}'
            command(scheduler, f"{note}; echo '{answer}'")
        for cancel in ("scancel", "qdel", "bkill"):
            command(cancel, f'echo "{cancel} $*" >> {said}')
        ends = f"kill -{code - 128} $$" if code > 128 else f"exit {code}"
        command("fusedtomo", f'[ "$1" = status ] && exit {0 if complete else 1}; {ends}')
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        script = tmp_path / "run" / "job.sh"
        script.parent.mkdir(exist_ok=True)
        script.write_text(job_script(request(name, Path())))
        folder_of_the_job = load_machine(name).scheduler.folder
        given = {folder_of_the_job: str(tmp_path), "SLURM_JOB_ID": "76", "PBS_JOBID": "76.pbs", "LSB_JOBID": "76"}
        given |= {"FUSEDTOMO_LINK": str(link)} if link else {}
        clean = {key: value for key, value in os.environ.items() if key not in ("FUSEDTOMO_LINK", "PYTHONPATH")}
        ended = os.spawnve(os.P_WAIT, "/bin/bash", ["bash", str(script)], {**clean, **given})
        return ended, said.read_text().splitlines()

    return run


def test_the_next_job_waits_for_this_one_and_knows_its_place(job):
    _, (sbatch,) = job("slurm", 0, complete=False)
    assert shlex.split(sbatch)[1:-1] == [
        "--parsable", "--dependency=afterany:76", "--export=ALL,FUSEDTOMO_LINK=2", "run/job.sh",
    ]  # fmt: skip
    _, (qsub,) = job("pbs", 0, complete=False, link=2)
    assert qsub.startswith("qsub -W depend=afterany:76.pbs -v FUSEDTOMO_LINK=3 run/job.sh")
    _, (bsub,) = job("lsf", 0, complete=False, link=2)
    assert bsub == "bsub -w ended(76) link=3"


@pytest.mark.parametrize("name", GENERIC)
@pytest.mark.parametrize(
    ("code", "complete", "goes_on"),
    [
        (0, False, True),  # stopped in good order before the walltime
        (0, True, False),
        (75, False, True),  # workers lost
        (143, False, True),  # ended by SIGTERM
        (137, False, True),  # killed
        (2, False, False),  # wrong input
        (1, False, False),  # an error of ours
        (127, False, False),  # no such command: a wrong environment
        (137, True, False),
    ],
)
def test_the_next_job_is_kept_as_long_as_it_can_do_something(job, name, code, complete, goes_on):
    ended, said = job(name, code, complete)
    assert ended == code
    cancel = {"slurm": "scancel 77", "pbs": "qdel 77.pbs", "lsf": "bkill 77"}[name]
    assert said[1:] == ([] if goes_on else [cancel])


@pytest.mark.parametrize("name", GENERIC)
def test_a_chain_has_an_end(job, name):
    assert job(name, 0, complete=False, link=3) == (0, [])
    assert job(name, 0, complete=True, link=3) == (0, [])


# What `submit` does beside it.


@pytest.fixture
def login(tmp_path, monkeypatch):
    """A login node: a folder with a campaign, and an sbatch that answers."""
    monkeypatch.chdir(tmp_path)
    write_toml(tmp_path / "tiny.toml")
    (tmp_path / "sbatch").write_text("#!/bin/bash\necho Submitted batch job 4711\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_a_campaign_is_sent_and_the_user_knows_how_to_watch_it(login, capfd):
    submit_here(login)
    said = capfd.readouterr().err
    for words in ("job 4711 of at most 20", "squeue --job 4711", "fusedtomo status runs/tiny --watch"):
        assert words in said
    for words in ("tail -f tiny.o4711", "scancel --name=tiny"):
        assert words in said
    assert os.access(login / "runs/tiny/job.sh", os.X_OK)


def submit_here(folder, name="slurm", **wishes):
    from rich.console import Console

    machine = load_machine(name).changed("test", **wishes)
    say = Console(stderr=True, soft_wrap=True, highlight=False)
    submit.submit(Console(), say, Path("tiny.toml"), machine, name, None, None, 20, False)


def test_what_the_scheduler_says_when_it_refuses_is_shown(login):
    (login / "sbatch").write_text("#!/bin/bash\necho 'sbatch: error: invalid account' >&2; exit 1\n")
    with pytest.raises(InputError, match=r"sbatch refused the job: sbatch: error: invalid account"):
        submit_here(login)
    assert not (login / "runs").exists()


def test_without_the_scheduler_s_command_nothing_is_written(login):
    with pytest.raises(InputError, match=r"`bsub` is not in PATH: is this a login node of 'lsf'.* Nothing was written"):
        submit_here(login, "lsf")
    assert not (login / "runs").exists()


def test_a_refusal_leaves_the_script_of_a_chain_that_runs_and_all_else_in_the_folder(login):
    folder = login / "runs/tiny"
    folder.mkdir(parents=True)
    (folder / "job.sh").write_text("the chain's")
    (folder / "trials.jsonl").touch()
    (login / "sbatch").write_text("#!/bin/bash\nexit 1\n")
    with pytest.raises(InputError, match="refused"):
        submit_here(login)
    assert (folder / "job.sh").read_text() == "the chain's"
    (folder / "job.sh").unlink()
    with pytest.raises(InputError, match="refused"):
        submit_here(login)
    assert [path.name for path in folder.iterdir()] == ["trials.jsonl"]


def test_a_job_that_may_have_been_taken_keeps_its_script(login, monkeypatch):
    (login / "sbatch").write_text("#!/bin/bash\nsleep 20\n")
    monkeypatch.setattr(submit, "_TIMEOUT_S", 0.2)
    with pytest.raises(InputError, match=r"may have taken runs/tiny/job\.sh all the same: look into the queue"):
        submit_here(login)
    assert (login / "runs/tiny/job.sh").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("laptop", "has no batch scheduler; start the campaign with `fusedtomo run`"), ("aurora", "give --account")],
)
def test_what_cannot_be_sent_is_refused(login, name, message):
    with pytest.raises(InputError, match=message):
        submit_here(login, name)
    assert not (login / "runs").exists()


def test_a_folder_of_another_campaign_is_refused_before_the_job_waits_for_hours(login):
    from workflows.record.runfolder import RunFolder

    with RunFolder(login / "runs/tiny", config(seed=9)):
        pass
    with pytest.raises(InputError, match="holds another campaign; seed was 9 and is now 3"):
        submit_here(login)


@pytest.mark.parametrize("name", ["my runs", "a\nb", "a;b", "$(a)", "-a", "'a'"])
@pytest.mark.parametrize("field", ["out", "script", "config", "profile"])
def test_a_path_that_is_not_plain_is_refused(login, field, name):
    sent = replace(request("slurm", Path("runs")), **{field: name if field == "profile" else Path(name)})
    with pytest.raises(InputError, match="schedulers do not take such paths; give a path of letters"):
        submit._check(sent, config())


@pytest.mark.parametrize(
    ("said", "job_id"),
    [
        ("Submitted batch job 7\n", "7"),
        ("1234.polaris-pbs-01.hsn.cm.polaris.alcf.anl.gov\n", "1234.polaris-pbs-01.hsn.cm.polaris.alcf.anl.gov"),
        ("Job <815> is submitted to default queue <normal>.\n", "815"),
    ],
)
def test_the_job_s_id_is_read(said, job_id):
    assert submit._job_id(said) == job_id


def test_a_scheduler_that_gives_no_id_is_an_error():
    with pytest.raises(InputError, match="no job id, but said: nothing"):
        submit._job_id("\n")
