"""Slurm."""

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fusedtomo.errors import InputError
from workflows.machines.bounded import Bounded, mixed
from workflows.machines.quoting import quoted, quoted_or_none
from workflows.machines.schedulers.scheduler import Job, Scheduler, given, said, seconds

if TYPE_CHECKING:
    from workflows.machines.profile import Machine

_LOG = "{name}.o{id}"


def _asks(machine: "Machine", name: str) -> list[str]:
    return [
        f"--job-name={quoted(name)}",
        f"--output={_LOG.format(name='%x', id='%j')}",
        f"--nodes={machine.nodes_per_block}",
        "--ntasks-per-node=1",
        *(["--exclusive"] if machine.exclusive else []),
        "--no-requeue",
        f"--time={math.ceil(machine.walltime_min)}",
        *given("--account=", machine.account),
        *given("--partition=", machine.queue),
        *given("--qos=", machine.qos),
        *given("--constraint=", machine.constraint),
        *_share(machine),
        *_mail(machine),
        *machine.scheduler_options,
    ]


def _share(machine: "Machine") -> list[str]:
    """What is asked of a node beside the node itself."""
    cores = [] if machine.exclusive else [f"--cpus-per-task={machine.cores_asked}"]
    return cores + given("--mem=", f"{machine.memory_asked_mb}M" if machine.memory_asked_mb else "")


def _mail(machine: "Machine") -> list[str]:
    if not machine.mail_user:
        return []
    return [f"--mail-user={quoted(machine.mail_user)}", f"--mail-type={','.join(machine.mail_events).upper()}"]


def _provider(machine: "Machine", common: Mapping[str, Any]) -> Bounded:
    from parsl.providers import SlurmProvider

    # a job that lost a node would come back under its old id, and Parsl would not know it
    lines = ["--no-requeue", *_share(machine), *_mail(machine), *machine.scheduler_options]
    return mixed(Bounded, SlurmProvider)(
        account=quoted_or_none(machine.account),
        partition=quoted_or_none(machine.queue),
        qos=quoted_or_none(machine.qos),
        constraint=quoted_or_none(machine.constraint),
        exclusive=machine.exclusive,
        scheduler_options=SLURM.directives(lines),
        **common,
    )


def _current_job(environ: Mapping[str, str]) -> Job | None:
    job_id, nodes = environ.get("SLURM_JOB_ID"), environ.get("SLURM_JOB_NODELIST")
    if not (job_id and nodes):
        return None
    hosts = said("scontrol", "show", "hostnames", nodes).split()
    if not hosts:
        raise InputError(f"Slurm job {job_id}: `scontrol show hostnames {nodes}` says nothing; is scontrol in PATH?")
    return Job(job_id, tuple(hosts), _left_s(job_id, environ))


def _left_s(job_id: str, environ: Mapping[str, str]) -> float | None:
    end = environ.get("SLURM_JOB_END_TIME")  # since Slurm 22.05; Unix time
    if end and end.isdigit():
        return float(end) - time.time()
    return seconds(said("squeue", "--noheader", "--jobs", job_id, "--format", "%L"))


SLURM = Scheduler(
    name="slurm",
    label="slurm",
    directive="#SBATCH",
    submit="sbatch",
    reads=False,
    next_job='sbatch --parsable --dependency=afterany:"$SLURM_JOB_ID" --export=ALL,FUSEDTOMO_LINK={link} {script}',
    cancel="scancel",
    folder="SLURM_SUBMIT_DIR",
    watch="squeue --job {id}",
    log=_LOG,
    cancel_chain="scancel --name={name}",
    launcher="srun",
    node_file="",
    takes=frozenset({"qos", "constraint", "exclusive", "memory_per_node_gb"}),
    asks=_asks,
    provider=_provider,
    current_job=_current_job,
)
