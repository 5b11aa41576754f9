"""Which variables of the one who starts a run must reach its jobs and workers, wherever these are?"""

import os
from collections.abc import Mapping

from fusedtomo.registry import VARIABLE
from workflows.machines.quoting import quoted

_NAMES = ("PYTHONPATH", VARIABLE)  # where modules are found, and which of them are plug-ins


def exports(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Shell lines that set them; PBS and remote shells pass none on by themselves."""
    return [f"export {name}={quoted(environ[name])}" for name in _NAMES if environ.get(name)]
