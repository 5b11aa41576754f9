"""What does the batch job of a campaign look like? The controller in a job, and the next job behind it."""

import math
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from workflows.machines import Machine


@dataclass(frozen=True)
class Request:
    """A campaign that is to run inside batch jobs of a machine, with paths as seen from the folder it is sent from.

    Attributes:
        config, out: campaign file and run folder.
        name: name of the job.
        profile: the machine as the user named it: a profile's name or the path of its file.
        script: where the script lies; the job sends it again.
        max_jobs: jobs of the chain at most.
    """

    config: Path
    machine: Machine
    profile: str
    out: Path
    name: str
    script: Path
    max_jobs: int

    @property
    def words(self) -> "Scheduler":
        """How the machine's scheduler says it."""
        return SCHEDULERS[self.machine.provider]


@dataclass(frozen=True)
class Scheduler:
    """What differs from one batch scheduler to the other.

    Attributes:
        directive: begins a line that asks for something.
        submit: the command that takes a script; `reads` when it reads it from standard input.
        next_job: submits {script} once this job has ended, with {link} as FUSEDTOMO_LINK, and prints an id.
        cancel: ends a job by its id.
        folder: the variable with the folder that a job was sent from.
        watch: shows the job {id}.
        log: the file that a job {id} of name {name} writes what it says to.
        cancel_chain: ends all jobs of name {name}.
    """

    directive: str
    submit: str
    reads: bool
    next_job: str
    cancel: str
    folder: str
    watch: str
    log: str
    cancel_chain: str


SCHEDULERS = {
    "slurm": Scheduler(
        directive="#SBATCH",
        submit="sbatch",
        reads=False,
        next_job='sbatch --parsable --dependency=afterany:"$SLURM_JOB_ID" --export=ALL,FUSEDTOMO_LINK={link} {script}',
        cancel="scancel",
        folder="SLURM_SUBMIT_DIR",
        watch="squeue --job {id}",
        log="{name}.o{id}",
        cancel_chain="scancel --name={name}",
    ),
    "pbs": Scheduler(
        directive="#PBS",
        submit="qsub",
        reads=False,
        next_job='qsub -W depend=afterany:"$PBS_JOBID" -v FUSEDTOMO_LINK={link} {script}',
        cancel="qdel",
        folder="PBS_O_WORKDIR",
        watch="qstat -f {id}",
        log="{name}.o{number}",
        cancel_chain="qdel $(qselect -N {name})",
    ),
    "lsf": Scheduler(
        directive="#BSUB",
        submit="bsub",
        reads=True,
        next_job='FUSEDTOMO_LINK={link} bsub -w "ended($LSB_JOBID)" < {script} | grep -o "[0-9]*" | head -1',
        cancel="bkill",
        folder="LS_SUBCWD",
        watch="bjobs -l {id}",
        log="{name}.o{id}",
        cancel_chain="bkill -J {name} 0",
    ),
}

_TEMPLATE = """\
#!/bin/bash
{directives}
# One job of a chain: controller and workers run in it, on all of its nodes; the next one goes on where it ended.
# Made by: {made_by}

cd "${folder}"
{environment}

# The next job starts when this one has ended, whatever ends it: its work, its walltime, a lost node.
link=${{FUSEDTOMO_LINK:-1}}
if [ "$link" -lt {max_jobs} ]; then
    next=$({next_job})
fi

{run}
code=$?

# No next job once the map is complete, or where it would only fail again. Worth another try are
# 0 (stopped in good order), 75 (lost workers, a busy folder) and above 128 (ended by a signal).
if {{ [ $code -ne 0 ] && [ $code -ne 75 ] && [ $code -le 128 ]; }} || {complete}; then
    [ -z "${{next:-}}" ] || {cancel} "$next"
fi
exit $code
"""


def job_script(request: Request) -> str:
    """The script of a job."""
    words, machine = request.words, request.machine
    run = ["fusedtomo", "run", str(request.config), "--machine", request.profile, "--workers-in", "job"]
    # the scheduler is asked how long the job still has; this holds where it does not say
    run += ["--walltime", f"{machine.walltime_min:g}", "--out", str(request.out)]
    return _TEMPLATE.format(
        directives="\n".join(f"{words.directive} {line}" for line in _DIRECTIVES[machine.provider](request)),
        made_by=_made_by(request),
        folder=words.folder,
        environment="\n".join(_environment(machine)),
        max_jobs=request.max_jobs,
        next_job=words.next_job.format(link="$((link + 1))", script=shlex.quote(str(request.script))),
        run=shlex.join(run),
        complete=shlex.join(["fusedtomo", "status", str(request.out), "--complete"]),
        cancel=words.cancel,
    )


def _made_by(request: Request) -> str:
    machine = request.machine
    given = {"account": machine.account, "queue": machine.queue}
    options = [word for name, value in given.items() if value for word in (f"--{name}", value)]
    options += ["--nodes", str(machine.nodes_per_block), "--walltime", f"{machine.walltime_min:g}"]
    options += ["--out", str(request.out), "--script", str(request.script)]
    return shlex.join(["fusedtomo", "submit", str(request.config), "--machine", request.profile, *options])


def _environment(machine: Machine) -> list[str]:
    """The profile's lines, and where the command lies that made this script."""
    prefix = Path(sys.prefix)
    here = Path.cwd()
    found = f"$PWD/{prefix.relative_to(here)}" if prefix.is_relative_to(here) else str(prefix)
    lines = [machine.worker_init.strip(), f'export PATH="{found}/bin:$PATH"']
    if path := os.environ.get("PYTHONPATH"):  # PBS passes no variables on
        lines.append(f"export PYTHONPATH={shlex.quote(path)}")
    return [line for line in lines if line]


def _slurm(request: Request) -> list[str]:
    machine = request.machine
    asked = {"account": machine.account, "partition": machine.queue, "qos": machine.qos}
    asked["constraint"] = machine.constraint
    return [
        f"--job-name={request.name}",
        f"--output={request.words.log.format(name='%x', id='%j')}",
        f"--nodes={machine.nodes_per_block}",
        "--ntasks-per-node=1",
        "--exclusive",
        "--no-requeue",
        f"--time={math.ceil(machine.walltime_min)}",
        *(f"--{name}={value}" for name, value in asked.items() if value),
        *machine.scheduler_options,
    ]


def _pbs(request: Request) -> list[str]:
    machine, whole = request.machine, math.ceil(request.machine.walltime_min)
    more = f":{machine.select_options}" if machine.select_options else ""
    return [
        f"-N {request.name}",
        "-j oe",
        f"-l select={machine.nodes_per_block}:ncpus={machine.cpus_per_node or 1}{more}",
        f"-l walltime={whole // 60:02d}:{whole % 60:02d}:00",
        "-r n",
        *([f"-A {machine.account}"] if machine.account else []),
        *([f"-q {machine.queue}"] if machine.queue else []),
        *machine.scheduler_options,
    ]


def _lsf(request: Request) -> list[str]:
    machine, cores = request.machine, request.machine.cpus_per_node or 1
    cores_of = [f"-n {cores * machine.nodes_per_block}", f'-R "span[ptile={cores}]"']
    return [
        f"-J {request.name}",
        f"-o {request.words.log.format(name=request.name, id='%J')}",
        *([f"-nnodes {machine.nodes_per_block}"] if machine.request_by_nodes else cores_of),
        f"-W {math.ceil(machine.walltime_min)}",
        "-rn",
        *([f"-P {machine.account}"] if machine.account else []),
        *([f"-q {machine.queue}"] if machine.queue else []),
        *machine.scheduler_options,
    ]


_DIRECTIVES = {"slurm": _slurm, "pbs": _pbs, "lsf": _lsf}
