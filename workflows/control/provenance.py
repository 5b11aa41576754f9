"""Where a result comes from: versions, code, machine, and of the environment what cannot be secret."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import fusedtomo
from fusedtomo.registry import plugins
from workflows.campaign import CampaignConfig
from workflows.machines import Machine

# the only ones that are kept: the environment of a user holds tokens and passwords
ENVIRONMENT = (
    "CUDA_VISIBLE_DEVICES",
    "LSB_JOBID",
    "LSB_QUEUE",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "PBS_JOBID",
    "PBS_QUEUE",
    "ROCR_VISIBLE_DEVICES",
    "SLURM_CLUSTER_NAME",
    "SLURM_JOB_ID",
    "SLURM_JOB_NUM_NODES",
    "SLURM_JOB_PARTITION",
    "ZE_AFFINITY_MASK",
)
_PACKAGES = ("numpy", "scipy", "numba", "h5py", "scikit-optimize", "scikit-learn", "parsl")


def provenance(config: CampaignConfig, machine: Machine | None = None) -> dict[str, str]:
    """Facts for the attributes of a product, all text."""
    facts = {
        "campaign": config.name,
        "fingerprint": config.fingerprint(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "fusedtomo": fusedtomo.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "processor": processor(),
        "environment": environment(),
        "plug-ins": ", ".join(plugins()) or "none",
        "configuration": config.model_dump_json(),
    }
    if machine is not None:
        facts |= {"machine": machine.name, "workers": str(machine.n_workers)}
    return facts | {name: _version(name) for name in _PACKAGES}


def environment() -> str:
    """The variables of the list above that are set: batch job, devices, threads."""
    return " ".join(f"{name}={os.environ[name]}" for name in ENVIRONMENT if name in os.environ)


def processor() -> str:
    """The CPU's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def commit() -> str:
    """The checkout's commit, with "+changes" when the tree differs from it; "unknown" outside a checkout."""
    here = Path(__file__).parents[2]
    if not (here / ".git").exists():
        return "unknown"
    try:
        commit = _git(here, "rev-parse", "--short=12", "HEAD")
        return commit + ("+changes" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
