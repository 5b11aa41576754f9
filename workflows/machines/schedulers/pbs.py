"""PBS Professional and OpenPBS."""

import copy
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from workflows.machines.bounded import Bounded, mixed
from workflows.machines.quoting import quoted, quoted_or_none
from workflows.machines.schedulers.scheduler import Job, Scheduler, clock, given, hosts_in, said, seconds

if TYPE_CHECKING:
    from workflows.machines.profile import Machine

_POINTS = {"fail": "a", "begin": "b", "end": "e"}


class AskedOneByOne(Bounded):
    """Jobs of PBS, of which qstat is asked one at a time: `qstat -F json A B` of OpenPBS names A only (issue 2672)."""

    def _status(self) -> None:
        for job_id, job in list(self.resources.items()):
            if not job["status"].terminal:
                alone = copy.copy(self)
                alone.resources = {job_id: job}
                super(AskedOneByOne, alone)._status()


def _asks(machine: "Machine", name: str) -> list[str]:
    chunk = f"ncpus={machine.cpus_per_node or 1}{_more(machine)}"
    return [
        f"-N {quoted(name)}",
        "-j oe",
        f"-l select={machine.nodes_per_block}:{chunk}",
        f"-l walltime={clock(math.ceil(machine.walltime_min))}",
        "-r n",
        *given("-A ", machine.account),
        *given("-q ", machine.queue),
        *_mail(machine),
        *machine.scheduler_options,
    ]


def _more(machine: "Machine") -> str:
    """What is asked of a node beside its cores, behind a colon."""
    wanted = given("mem=", f"{machine.memory_asked_mb}mb" if machine.memory_asked_mb else "")
    wanted += given("", machine.select_options)
    return "".join(f":{one.removeprefix(':')}" for one in wanted)


def _mail(machine: "Machine") -> list[str]:
    if not machine.mail_user:
        return []
    points = "".join(letter for event, letter in _POINTS.items() if event in machine.mail_events)
    return [f"-M {quoted(machine.mail_user)}", f"-m {points}"]


def _provider(machine: "Machine", common: Mapping[str, Any]) -> Bounded:
    from parsl.providers import PBSProProvider

    provider: Any = mixed(AskedOneByOne, PBSProProvider)(
        account=quoted_or_none(machine.account),
        queue=quoted_or_none(machine.queue),
        cpus_per_node=machine.cpus_per_node or 1,
        select_options=_more(machine),
        scheduler_options=PBS.directives(["-r n", *_mail(machine), *machine.scheduler_options]),
        **common,
    )
    if machine.mail_user:  # Parsl's template forbids mail
        provider.template_string = provider.template_string.replace("#PBS -m n\n", "")
    return cast(Bounded, provider)


def _current_job(environ: Mapping[str, str]) -> Job | None:
    job_id, file = environ.get("PBS_JOBID"), environ.get("PBS_NODEFILE")
    return Job(job_id, hosts_in(file, job_id), _left_s(job_id)) if job_id and file else None


def _left_s(job_id: str) -> float | None:
    try:
        (job,) = json.loads(said("qstat", "-f", "-F", "json", job_id))["Jobs"].values()
        limit = seconds(job["Resource_List"]["walltime"])
        used = seconds(job.get("resources_used", {}).get("walltime", "00:00:00"))
    except (ValueError, KeyError):
        return None
    return None if limit is None or used is None else limit - used


PBS = Scheduler(
    name="pbs",
    label="pbspro",
    directive="#PBS",
    submit="qsub",
    reads=False,
    next_job='qsub -W depend=afterany:"$PBS_JOBID" -v FUSEDTOMO_LINK={link} {script}',
    cancel="qdel",
    folder="PBS_O_WORKDIR",
    watch="qstat -f {id}",
    log="{name}.o{number}",
    cancel_chain="qdel $(qselect -N {name})",
    launcher="hosts",
    node_file="PBS_NODEFILE",
    takes=frozenset({"select_options", "memory_per_node_gb"}),
    asks=_asks,
    provider=_provider,
    current_job=_current_job,
)
