"""Machines: a profile (configs/machines/*.toml) and what Parsl is told to start workers there."""

from workflows.machines.config import parsl_config
from workflows.machines.deadline import deadline
from workflows.machines.job import settled
from workflows.machines.profile import CONFIGS, Machine, load_machine

__all__ = ["CONFIGS", "Machine", "deadline", "load_machine", "parsl_config", "settled"]
