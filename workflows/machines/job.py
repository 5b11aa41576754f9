"""Does this process run inside a batch job, on which nodes, and for how long still?"""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fusedtomo.errors import InputError
from workflows.machines.network import LOOPBACK
from workflows.machines.profile import Machine


@dataclass(frozen=True)
class Job:
    """The batch job that this process runs in."""

    id: str
    nodes: tuple[str, ...]
    left_s: float | None  # None where the scheduler does not say

    @property
    def is_here(self) -> bool:
        """Whether its only node is this host; a shell of `salloc` or `qsub -I` may be elsewhere."""
        return [node.split(".")[0] for node in self.nodes] == [socket.gethostname().split(".")[0]]


def current_job(scheduler: str, environ: Mapping[str, str] = os.environ) -> Job | None:
    """The batch job of a scheduler that the environment tells of."""
    return {"slurm": _slurm, "pbs": _pbs, "lsf": _lsf}[scheduler](environ)


def settled(machine: Machine, environ: Mapping[str, str] = os.environ) -> Machine:
    """The machine as it is used from here: inside a job of its scheduler, workers run on all nodes of that job."""
    if machine.provider == "local" or machine.workers_in == "blocks":
        return machine
    job = current_job(machine.provider, environ)
    if job is not None:
        return in_job(machine, job)
    if machine.workers_in == "job":
        raise InputError(
            f"machine '{machine.name}': workers_in = job, but this is no job of {machine.provider}; "
            "start it with `fusedtomo submit`, or use --workers-in blocks to submit jobs from here"
        )
    return machine


def in_job(machine: Machine, job: Job) -> Machine:
    """The machine inside a job: one block on all its nodes, started from here by the machine's launcher."""
    # jsrun's jobs list the node that runs the script first, and nothing is started there
    nodes = len(job.nodes) - (machine.node_launcher == "jsrun" and len(job.nodes) > 1)
    left_min = machine.walltime_min if job.left_s is None else job.left_s / 60
    if left_min <= machine.drain_min:
        raise InputError(
            f"job {job.id} ends in {left_min:.1f} min, but no trial starts in the last {machine.drain_min:g} min "
            f"(drain_min of machine '{machine.name}'); give the job more time"
        )
    return machine.changed(
        f"job {job.id}",
        address=LOOPBACK if job.is_here else None,
        provider="local",
        launcher=machine.node_launcher,
        nodes_per_block=nodes,
        init_blocks=1,
        min_blocks=0,
        max_blocks=1,
        walltime_min=left_min,
    )


def _slurm(environ: Mapping[str, str]) -> Job | None:
    job_id, nodes = environ.get("SLURM_JOB_ID"), environ.get("SLURM_JOB_NODELIST")
    if not (job_id and nodes):
        return None
    hosts = _said("scontrol", "show", "hostnames", nodes).split()
    if not hosts:
        raise InputError(f"Slurm job {job_id}: `scontrol show hostnames {nodes}` says nothing; is scontrol in PATH?")
    return Job(job_id, tuple(hosts), _slurm_left_s(job_id, environ))


def _slurm_left_s(job_id: str, environ: Mapping[str, str]) -> float | None:
    end = environ.get("SLURM_JOB_END_TIME")  # since Slurm 22.05; Unix time
    if end and end.isdigit():
        return float(end) - time.time()
    return _seconds(_said("squeue", "--noheader", "--jobs", job_id, "--format", "%L"))


def _pbs(environ: Mapping[str, str]) -> Job | None:
    job_id, file = environ.get("PBS_JOBID"), environ.get("PBS_NODEFILE")
    return Job(job_id, _hosts(file, job_id), _pbs_left_s(job_id)) if job_id and file else None


def _pbs_left_s(job_id: str) -> float | None:
    try:
        (job,) = json.loads(_said("qstat", "-f", "-F", "json", job_id))["Jobs"].values()
        limit = _seconds(job["Resource_List"]["walltime"])
        used = _seconds(job.get("resources_used", {}).get("walltime", "00:00:00"))
    except (ValueError, KeyError):
        return None
    return None if limit is None or used is None else limit - used


def _lsf(environ: Mapping[str, str]) -> Job | None:
    job_id, file = environ.get("LSB_JOBID"), environ.get("LSB_DJOB_HOSTFILE")
    return Job(job_id, _hosts(file, job_id), _lsf_left_s(job_id)) if job_id and file else None


def _lsf_left_s(job_id: str) -> float | None:
    # such as "0:58 L", hours and minutes
    found = re.match(r"\s*(\d+):(\d\d)", _said("bjobs", "-noheader", "-o", "time_left", job_id))
    return 3600.0 * int(found[1]) + 60.0 * int(found[2]) if found else None


def _hosts(file: str, job_id: str) -> tuple[str, ...]:
    try:
        hosts = tuple(dict.fromkeys(Path(file).read_text().split()))
    except OSError as error:
        raise InputError(f"job {job_id}: its list of nodes {file} cannot be read ({error.strerror})") from None
    if not hosts:
        raise InputError(f"job {job_id}: its list of nodes {file} is empty")
    return hosts


def _seconds(text: str) -> float | None:
    """Seconds of [days-][[hours:]minutes:]seconds; None for anything else, such as UNLIMITED."""
    found = re.fullmatch(r"\s*(?:(\d+)-)?(?:(?:(\d+):)?(\d+):)?(\d+)\s*", text)
    if not found:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((24 * days + hours) * 60 + minutes) * 60 + seconds


def _said(*command: str) -> str:
    """What a command of the scheduler prints; "" when it is missing, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
