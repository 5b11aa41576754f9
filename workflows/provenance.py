"""Where a result comes from: versions, code, machine; no environment variables, no secrets."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import fusedtomo
from workflows.campaign import CampaignConfig
from workflows.machines import Machine

_PACKAGES = ("numpy", "scipy", "numba", "h5py", "scikit-optimize", "scikit-learn", "parsl")


def provenance(config: CampaignConfig, machine: Machine | None = None) -> dict[str, str]:
    """Facts for the attributes of a product, all text."""
    facts = {
        "campaign": config.name,
        "fingerprint": config.fingerprint(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "fusedtomo": fusedtomo.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "processor": processor(),
        "configuration": config.model_dump_json(),
    }
    if machine is not None:
        facts |= {"machine": machine.name, "workers": str(machine.n_workers)}
    return facts | {name: _version(name) for name in _PACKAGES}


def processor() -> str:
    """The CPU's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    """The checkout's commit, with "+changes" when the tree differs from it; "unknown" outside a checkout."""
    here = Path(__file__).parent.parent
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
