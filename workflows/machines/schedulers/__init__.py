"""Which batch schedulers are there? One file for each, one line of registration here or in a plug-in."""

from fusedtomo.registry import Registry
from workflows.machines.schedulers.lsf import LSF
from workflows.machines.schedulers.pbs import PBS
from workflows.machines.schedulers.scheduler import Job, Scheduler
from workflows.machines.schedulers.slurm import SLURM

__all__ = ["SCHEDULERS", "Job", "Scheduler", "cancel_command", "node_file"]

SCHEDULERS: Registry[Scheduler] = Registry("scheduler")
SCHEDULERS.register(SLURM)
SCHEDULERS.register(PBS)
SCHEDULERS.register(LSF)


def cancel_command(label: str) -> str | None:
    """What ends a batch job of the scheduler with that label; None where none has it, such as for "local"."""
    return next((scheduler.cancel for scheduler in SCHEDULERS.values() if scheduler.label == label), None)


def node_file() -> str:
    """Shell text for the file with the nodes of the job that the shell is in, of whichever scheduler that is."""
    expression = ""
    for variable in reversed([scheduler.node_file for scheduler in SCHEDULERS.values() if scheduler.node_file]):
        expression = f"${{{variable}:-{expression}}}"
    return expression
