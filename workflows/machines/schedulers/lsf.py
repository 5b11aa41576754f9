"""LSF. Written from its manual and tried on a stand-in (tests/cluster/standins), never on a real one."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflows.machines.bounded import Bounded, mixed
from workflows.machines.quoting import quoted, quoted_or_none
from workflows.machines.schedulers.scheduler import Job, Scheduler, given, hosts_in, said

if TYPE_CHECKING:
    from workflows.machines.profile import Machine

_LOG = "{name}.o{id}"


def _asks(machine: "Machine", name: str) -> list[str]:
    cores = machine.cpus_per_node or 1
    cores_of = [f"-n {cores * machine.nodes_per_block}", f'-R "span[ptile={cores}]"']
    return [
        f"-J {quoted(name)}",
        f"-o {_LOG.format(name=quoted(name), id='%J')}",
        *([f"-nnodes {machine.nodes_per_block}"] if machine.request_by_nodes else cores_of),
        f"-W {math.ceil(machine.walltime_min)}",
        "-rn",
        *given("-P ", machine.account),
        *given("-q ", machine.queue),
        *_mail(machine),
        *machine.scheduler_options,
    ]


def _mail(machine: "Machine") -> list[str]:
    """LSF has one report for every end, good or bad."""
    if not machine.mail_user:
        return []
    events = set(machine.mail_events)
    return [
        f"-u {quoted(machine.mail_user)}",
        *(["-B"] if "begin" in events else []),
        *(["-N"] if events - {"begin"} else []),
    ]


def _provider(machine: "Machine", common: Mapping[str, Any]) -> Bounded:
    from parsl.providers import LSFProvider

    cores = machine.cpus_per_node or 1
    return mixed(Bounded, LSFProvider)(
        project=quoted_or_none(machine.account),
        queue=quoted_or_none(machine.queue),
        scheduler_options=LSF.directives(["-rn", *_mail(machine), *machine.scheduler_options]),
        bsub_redirection=machine.bsub_redirection,
        request_by_nodes=machine.request_by_nodes,
        cores_per_node=cores,
        cores_per_block=cores * machine.nodes_per_block,
        **common,
    )


def _current_job(environ: Mapping[str, str]) -> Job | None:
    job_id, file = environ.get("LSB_JOBID"), environ.get("LSB_DJOB_HOSTFILE")
    return Job(job_id, hosts_in(file, job_id), _left_s(job_id)) if job_id and file else None


def _left_s(job_id: str) -> float | None:
    # such as "0:58 L", hours and minutes
    found = re.match(r"\s*(\d+):(\d\d)", said("bjobs", "-noheader", "-o", "time_left", job_id))
    return 3600.0 * int(found[1]) + 60.0 * int(found[2]) if found else None


LSF = Scheduler(
    name="lsf",
    label="lsf",
    directive="#BSUB",
    submit="bsub",
    reads=True,
    next_job='FUSEDTOMO_LINK={link} bsub -w "ended($LSB_JOBID)" < {script} | grep -o "[0-9]*" | head -1',
    cancel="bkill",
    folder="LS_SUBCWD",
    watch="bjobs -l {id}",
    log=_LOG,
    cancel_chain="bkill -J {name} 0",
    launcher="hosts",
    node_file="LSB_DJOB_HOSTFILE",
    takes=frozenset({"bsub_redirection", "request_by_nodes"}),
    asks=_asks,
    provider=_provider,
    current_job=_current_job,
)
