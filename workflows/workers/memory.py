"""Do the trials of a campaign fit a machine's memory, and over how many ranks must each be spread?"""

import math

from fusedtomo.errors import InputError
from fusedtomo.memory import available_gb
from workflows.campaign import CampaignConfig, Condition
from workflows.campaign.config import sizes_of
from workflows.machines import Machine
from workflows.trial.memory import PROCESS_GB, host_gb, trial_gb

_USABLE = 0.9  # of a device's memory: kernels, libraries and fragments take the rest


def most_host_gb(config: CampaignConfig) -> float:
    """Memory of a worker that computes any trial of the campaign on the CPU."""
    return max(host_gb(config, condition) for condition in config.conditions())


def too_large(machine: Machine, config: CampaignConfig) -> str:
    """What speaks against the workers that a node is to have, for want of memory; "" when nothing does.

    The memory of this machine is looked up, that of a batch job's nodes is what the profile asks for. On a GPU it is
    the device's that is scarce, and the number of ranks follows from it.
    """
    free_gb = available_gb() if machine.provider == "local" else machine.memory_per_node_gb
    gb, size = most_host_gb(config), max(sizes_of(config))
    if machine.device == "gpu" or not free_gb or machine.workers_per_node * gb <= free_gb:
        return ""
    fitting = int(free_gb / gb)
    cure = f"take --workers {fitting}" if fitting else f"lower phantom.size to {_fitting_size(size, gb, free_gb)}"
    return (
        f"machine '{machine.name}': {machine.workers_per_node} workers with trials of {size}^3 need "
        f"{machine.workers_per_node * gb:.3g} GB, but a node has {free_gb:.3g} GB; {cure}"
    )


def _fitting_size(size: int, gb: float, free_gb: float) -> int:
    """Voxels along an edge at which one worker fits; a volume is what memory goes to."""
    return int(size * (max(free_gb - PROCESS_GB, 0.0) / gb) ** (1 / 3))


def ranks_by_condition(machine: Machine, config: CampaignConfig) -> dict[str, int]:
    """MPI ranks of the trials of every condition, by its key.

    As many as the profile asks for, and no fewer than the memory needs. GPUs of one host cannot hold two kinds of
    trials beside each other: there all get the most that one needs. Batch jobs are of one kind each.

    Raises:
        InputError: there is no such number; it says what lacks.
    """
    ranks = {condition.key: _ranks_of(machine, config, condition) for condition in config.conditions()}
    if machine.device == "gpu" and machine.provider == "local":
        ranks = dict.fromkeys(ranks, max(ranks.values()))
    return ranks


def _ranks_of(machine: Machine, config: CampaignConfig, condition: Condition) -> int:
    needed, gb = 1, trial_gb(config, condition)
    if machine.device_memory_gb:
        needed = math.ceil(gb / (_USABLE * machine.device_memory_gb))
    ranks = max(machine.ranks, needed)
    gpus = len(machine.accelerator_names) * machine.nodes_per_block
    columns = config.setup(condition).size
    if ranks > columns:
        raise InputError(
            f"machine '{machine.name}': a trial of {condition.key} ({gb:.3g} GB) would be shared by {ranks} ranks, but "
            f"its volume has {columns} columns; lower `ranks`, or check device_memory_gb"
        )
    if machine.device == "gpu" and 1 < ranks > gpus:
        raise InputError(
            f"machine '{machine.name}': a trial of {condition.key} ({gb:.3g} GB) needs {ranks} GPUs, but a block has "
            f"{gpus}; raise nodes_per_block"
        )
    return ranks
