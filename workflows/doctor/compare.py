"""Are the workers fit? What they saw, compared with one another and with the controller; one line each."""

import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from workflows.doctor.check import Unfit
from workflows.doctor.here import Disk, versions
from workflows.doctor.there import Seen
from workflows.machines import Machine

_MOST = 4  # hosts that are named


def answered(seen: Sequence[Seen], machine: Machine) -> str:
    """How many workers answered, and where."""
    where = f"on {_hosts(seen)}"
    if len(seen) < machine.n_workers and machine.provider == "local":
        raise Unfit(
            f"{len(seen)} of {machine.n_workers} workers of '{machine.name}' answer, {where}; give it fewer workers, "
            "or look for what ends them in the logs of Parsl"
        )
    return f"{len(seen)} of at most {machine.n_workers} workers of '{machine.name}' answer, {where}"


def interpreter(seen: Sequence[Seen]) -> str:
    """Python there and here: what the controller sends, another minor version may not understand."""
    here = platform.python_version()
    others = [one for one in seen if one.python.split(".")[:2] != here.split(".")[:2]]
    if others:
        raise Unfit(
            f"Python {here} here but {others[0].python} on {_hosts(others)}; activate the same environment in "
            "worker_init of the machine's profile"
        )
    return f"Python {', '.join(sorted({one.python for one in seen}))} on every worker"


def packages(seen: Sequence[Seen]) -> str:
    """Versions there and here: others give other maps."""
    here, found = versions(), []
    for name in sorted({*here, *(name for one in seen for name in one.versions)}):
        others = [one for one in seen if one.versions.get(name) != here.get(name)]
        if others:
            theirs = ", ".join(sorted({one.versions.get(name, "none") for one in others}))
            found.append(f"{name} {here.get(name, 'none')} here, {theirs} on {_hosts(others)}")
    if found:
        raise Unfit(f"{'; '.join(found)}: install the same everywhere, or mend worker_init of the machine's profile")
    return f"the same {len(here)} versions as here on every worker"


def run_folder(seen: Sequence[Seen]) -> str:
    """Whether this folder is the same on every node."""
    blind = [one for one in seen if not one.sees_run_folder]
    if blind:
        raise Unfit(f"{_hosts(blind)} cannot see this folder; start from one on a file system that all nodes share")
    return "every worker sees this folder"


def scratch(seen: Sequence[Seen]) -> str:
    """Temporary files of workers: where the least is left, and the slowest."""
    unfit = [one for one in seen if one.disk is None]
    if unfit:
        raise Unfit(f"{unfit[0].why} on {_hosts(unfit)}; set `scratch` in the machine's profile")
    least, slowest = min(one.disk.free_gb for one in seen), min(one.disk.mb_per_s for one in seen)
    places = ", ".join(sorted({one.scratch for one in seen}))
    return f"{places}: {Disk(least, slowest)}, at the least"


def devices(seen: Sequence[Seen], machine: Machine) -> str:
    """The GPU of every worker: one each, and no two the same."""
    if machine.device == "cpu":
        cores = sorted({one.cores for one in seen})
        return f"CPU only; each worker may use {' or '.join(map(str, cores))} cores"
    without = [one for one in seen if not one.gpus]
    if without:
        raise Unfit(
            f"no GPU for a worker on {_hosts(without)} ({without[0].visible or 'no variable shows one'}); install the "
            "extra gpu12 or gpu13, and ask the scheduler for GPUs"
        )
    shared = _shared(seen) if len(set(machine.accelerator_names)) == len(machine.accelerator_names) else []
    if shared:
        raise Unfit(f"workers share GPU {shared[0]}; set `accelerators` in the machine's profile to the GPUs of a node")
    return _each(seen, lambda one: f"{one.gpus[0][1]} ({one.visible or 'all visible'}, {one.gpus[0][0][:12]})")


def ranks(said: Sequence[str], words: str, launch: str, n: int) -> str:
    """What `launch` started, by what its ranks said of themselves."""
    if list(said) == [f"{rank}/{n}" for rank in range(n)]:
        return f"`{launch}` starts {n} ranks of one world"
    if said and all(one == "0/1" for one in said):
        raise Unfit(
            f"`{launch}` starts {len(said)} singletons, not {n} ranks: it does not fit mpi4py's MPI; with Slurm try "
            "mpi_launch = 'srun --overlap --mem=0 --mpi=pmi2 -n {ranks}', else build mpi4py with the cluster's MPI"
        )
    found = ", ".join(said) or words or "nothing"
    raise Unfit(f"`{launch}` does not start {n} ranks ({found}); set `mpi_launch` in the machine's profile")


def _shared(seen: Sequence[Seen]) -> list[str]:
    """GPUs that more than one worker took first."""
    first = Counter((one.host, one.gpus[0][0]) for one in seen)
    return [f"{uuid[:12]} of {host}" for (host, uuid), count in first.items() if count > 1]


def _hosts(seen: Iterable[Seen]) -> str:
    names = sorted({one.host for one in seen})
    more = f" and {len(names) - _MOST} more hosts" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more or "no host"


def _each(seen: Sequence[Seen], words) -> str:
    """What each worker says; once for all that say the same."""
    groups = defaultdict(list)
    for one in seen:
        groups[words(one)].append(one)
    said = [f"{text} on {_hosts(group)}" for text, group in list(groups.items())[:_MOST]]
    return "; ".join(said) + ("; ..." if len(groups) > _MOST else "")
