"""Machines: a profile (configs/machines/*.toml) and what Parsl is told to start workers there."""

from workflows.machines.chosen import machine_here
from workflows.machines.config import block_script, parsl_config
from workflows.machines.deadline import deadline
from workflows.machines.job import settled
from workflows.machines.profile import Machine, Wishes, load_machine
from workflows.shipped import CONFIGS

__all__ = [
    "CONFIGS",
    "Machine",
    "Wishes",
    "block_script",
    "deadline",
    "load_machine",
    "machine_here",
    "parsl_config",
    "settled",
]
