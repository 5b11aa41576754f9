"""Nothing that a user gives runs in a script: control characters are refused, the rest is quoted; bash is the judge."""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fusedtomo.errors import InputError
from tests.workflows.tiny import config
from workflows.batch.jobscript import job_script
from workflows.batch.submit import request_for
from workflows.machines import Machine, parsl_config
from workflows.machines.config import block_script
from workflows.machines.quoting import plain_path, quoted

BATCH = {"name": "m", "workers": 2, "cpus_per_node": 4, "walltime_min": 60}
TEXTS = [
    name
    for name, field in Machine.model_fields.items()
    if field.default in ("", ()) or isinstance(field.default, str) or name in ("name", "accelerators")
]
CONTROL = ["\n", "\r", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\u200b"]
HOSTILE = [
    *("; TRIP", "$(TRIP)", "`TRIP`", "& TRIP", "| TRIP", "${x:-$(TRIP)}"),
    *("' ; TRIP #", '" ; TRIP "', "a\\", "#TRIP", "%{TRIP", "a b"),
]
QUOTED_FIELDS = {
    "slurm": ("account", "queue", "qos", "constraint"),
    "pbs": ("account", "queue", "select_options"),
    "lsf": ("account", "queue"),
}


def test_the_fields_of_text_are_found():
    some = {"name", "account", "queue", "scheduler_options", "worker_init", "interface", "mail_user", "scratch"}
    assert some <= set(TEXTS)


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("character", CONTROL, ids=repr)
def test_a_control_character_is_refused_in_every_field(field, character):
    allowed = field in ("worker_init", "description") and character == "\n"
    value = f"a{character}touch b"
    change = {field: [value] if field in ("scheduler_options", "interface", "accelerators") else value}
    if allowed:
        assert getattr(Machine(**BATCH).changed("there", **change), field) == value
        return
    with pytest.raises(InputError, match=f"^there: '{field}"):
        Machine(**BATCH).changed("there", **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"launcher_options": "-x 'a"}, "'launcher_options' = .*No closing quotation"),
        ({"accelerators": ["0", "1; touch x"]}, "'1; touch x' is no name of a GPU"),
    ],
    ids=str,
)
def test_what_cannot_be_written_into_a_command_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        Machine(**BATCH).changed("there", **change)


@pytest.fixture
def trips(tmp_path):
    """Whether a script, run by bash where every command of a scheduler does nothing, leaves the file `trip`."""
    commands, trip = tmp_path / "bin", tmp_path / "trip"
    commands.mkdir()
    for name in ("fusedtomo", "sbatch", "srun", "qsub", "bsub", "scancel", "qdel", "bkill", "mpiexec", "jsrun", "ssh"):
        (commands / name).write_text("#!/bin/sh\nexit 0\n")
        (commands / name).chmod(0o755)
    (commands / "TRIP").write_text(f"#!/bin/sh\ntouch {trip}\n")
    (commands / "TRIP").chmod(0o755)
    (tmp_path / "nodes").write_text("n1\n")

    def run(text):
        variables = {"PATH": f"{commands}:/usr/bin:/bin", "PBS_NODEFILE": str(tmp_path / "nodes")}
        variables |= {"SLURM_SUBMIT_DIR": str(tmp_path), "PBS_O_WORKDIR": str(tmp_path), "LS_SUBCWD": str(tmp_path)}
        trip.unlink(missing_ok=True)
        text = text.replace("export PATH=", "export NOT_THE_PATH=")
        subprocess.run(["bash"], input=text, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60)
        return trip.exists()

    return run


def scripts(machine, folder, **more):
    request = request_for(config(), folder / "tiny.toml", machine, "m.toml", folder / "run", None, 3)
    return job_script(replace(request, **more)), block_script(machine, folder / "parsl")


def test_the_tripwire_works(trips, tmp_path):
    machine = Machine(**BATCH, provider="slurm", worker_init="TRIP")  # shell text by its nature
    assert list(map(trips, scripts(machine, tmp_path))) == [True, True]


def is_words(text):
    try:
        return bool(shlex.split(text))
    except ValueError:
        return False


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("provider", QUOTED_FIELDS)
def test_a_hostile_value_is_one_word_for_the_scheduler_and_nothing_for_bash(trips, tmp_path, provider, hostile):
    fields, path = QUOTED_FIELDS[provider], Path(hostile)
    words = hostile if is_words(hostile) else shlex.quote(hostile)
    others = {"scheduler_options": [hostile], "launcher_options": words, "bind_option": words}
    launcher = {"slurm": "srun", "pbs": "mpiexec", "lsf": "hosts"}[provider]
    machine = Machine(**BATCH, **dict.fromkeys(fields, hostile), **others, provider=provider, launcher=launcher)
    job, block = scripts(machine, tmp_path, config=path, profile=hostile, out=path, script=path)
    assert not trips(job)
    assert not trips(block)
    directives = [line for line in job.splitlines() if line.startswith(machine.scheduler.directive)]
    said = [word for line in directives if not line.endswith(f" {hostile}") for word in shlex.split(line)]
    assert sum(word.endswith(hostile) for word in said) == len(fields)


@pytest.mark.parametrize("below", ["", "here"], ids=["elsewhere", "below the folder"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_folder_of_the_installation_is_one_word(trips, tmp_path, monkeypatch, below, hostile):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / below / hostile))
    monkeypatch.setenv("PYTHONPATH", hostile)
    job, _ = scripts(Machine(**BATCH, provider="slurm"), tmp_path)
    assert not trips(job)
    (line,) = [line for line in job.splitlines() if line.startswith("export PATH=")]
    said = subprocess.run(["bash", "-c", f"{line}; printenv PATH"], cwd=here, capture_output=True, text=True)
    assert said.stdout.startswith(f"{tmp_path / below / hostile}/bin:")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_parsl_s_command_to_pbs_takes_a_hostile_queue_as_one_word(tmp_path, monkeypatch, hostile):
    """The queue is given to qsub by a shell, not in the script."""
    from workflows.machines.providers import provider_of

    (tmp_path / "qsub").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/words\necho 7.pbs\n')
    (tmp_path / "TRIP").write_text(f"#!/bin/sh\ntouch {tmp_path}/trip\n")
    for name in ("qsub", "TRIP"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    provider = provider_of(Machine(**BATCH, provider="pbs", queue=hostile, account=hostile), "")
    provider.script_dir = str(tmp_path)
    assert provider.submit("true", 1) == "7.pbs"
    assert (tmp_path / "words").read_text().splitlines()[:4] == ["-q", hostile, "-A", hostile]
    assert not (tmp_path / "trip").exists()


def test_a_control_character_is_not_quoted_but_refused():
    with pytest.raises(InputError, match=r"'a\\nb': control characters"):
        quoted("a\nb")


@pytest.mark.parametrize("name", ["runs/a", "/data/Müller_1/x-2", "a@b%c+d=e:f,g~"])
def test_a_plain_path_is_taken(name):
    assert plain_path(Path(name), "why") == Path(name)


def test_a_run_folder_that_parsl_cannot_write_into_its_scripts_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(InputError, match=r"Parsl starts no workers below such a folder; give a path of letters"):
        parsl_config(Machine(name="m", workers=1), tmp_path / "my runs" / "parsl")
