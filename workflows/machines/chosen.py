"""Which machine does a command use from here? The profile, what was asked for beside it, and the job that it is in."""

from workflows.machines.job import settled
from workflows.machines.network import address_of
from workflows.machines.profile import Machine, Wishes, load_machine


def machine_here(name_or_path: str, wishes: Wishes) -> Machine:
    """The machine, ready to start workers; what it lacks is refused before anything else is done."""
    machine = settled(wishes.applied(load_machine(name_or_path)))
    if machine.provider != "local":
        machine.complete()
    address_of(machine)
    return machine
