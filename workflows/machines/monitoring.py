"""Parsl's own record of tasks, nodes and resources, where a profile asks for it: a SQLite file in the run folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fusedtomo.errors import InputError
from workflows.machines.profile import Machine

if TYPE_CHECKING:
    from parsl.monitoring import MonitoringHub

DATABASE = "monitoring.db"
_EVERY_S = 30.0
# kinds of file systems whose locks between machines SQLite trusts, and should not
_SHARED = {
    "afs", "autofs", "beegfs", "ceph", "cephfs", "cifs", "dvs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "nfs",
    "nfs4", "panfs", "pvfs2", "smb3", "smbfs", "wekafs",
}  # fmt: skip


def hub_of(machine: Machine, run_dir: Path) -> "MonitoringHub | None":
    """Parsl's MonitoringHub of a machine; None where its profile asks for none."""
    if not machine.monitoring:
        return None
    try:
        import sqlalchemy  # noqa: F401, Parsl's own error comes later and names no cure
        from parsl.monitoring import MonitoringHub
    except ImportError as error:
        raise InputError(
            f"machine '{machine.name}': monitoring = true needs more packages ({error}); "
            "pip install 'fusedtomo[monitoring]', or leave it out"
        ) from None
    database = (run_dir / DATABASE).absolute()
    return MonitoringHub(logging_endpoint=f"sqlite:///{database}", resource_monitoring_interval=_EVERY_S)


def warning_of(machine: Machine, folder: Path) -> str:
    """What speaks against monitoring in a folder; "" when nothing does."""
    kind = file_system(folder)
    if not machine.monitoring or kind not in _SHARED:
        return ""
    return (
        f"monitoring writes SQLite into {folder}, which is on {kind}: such files have broken on shared file systems. "
        "The journal does not depend on it; give --out on a local disk, or leave monitoring out"
    )


def file_system(folder: Path) -> str:
    """The kind of file system that a folder, or the first of its parents that exists, lies on; "" when unknown."""
    path = folder.absolute()
    mounts = {Path(one.mountpoint): one.fstype for one in psutil.disk_partitions(all=True)}
    while not path.exists():
        path = path.parent
    path = path.resolve()
    return next((mounts[place] for place in (path, *path.parents) if place in mounts), "")
