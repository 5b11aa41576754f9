"""Does this process run inside a batch job, and what does its machine become then? One block on the job's nodes."""

import os
from collections.abc import Mapping

from fusedtomo.errors import InputError
from workflows.machines.network import LOOPBACK
from workflows.machines.profile import Machine
from workflows.machines.schedulers import Job


def settled(machine: Machine, environ: Mapping[str, str] = os.environ) -> Machine:
    """The machine as it is used from here: inside a job of its scheduler, workers run on all nodes of that job."""
    if machine.scheduler is None or machine.workers_in == "blocks":
        return machine
    job = machine.scheduler.current_job(environ)
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
