"""Which Parsl provider and launcher does a machine need? Parsl's own, with submissions bounded."""

import copy
import math
from string import Template

from parsl.launchers import JsrunLauncher, MpiExecLauncher, SimpleLauncher, SingleNodeLauncher, SrunLauncher
from parsl.launchers.base import Launcher
from parsl.providers import LocalProvider, LSFProvider, PBSProProvider, SlurmProvider
from parsl.providers.base import ExecutionProvider

from workflows.machines.profile import Machine

_DIRECTIVE = {"slurm": "#SBATCH", "pbs": "#PBS", "lsf": "#BSUB"}
_COMMAND_TIMEOUT_S = 120  # a busy scheduler takes its time


class NotSubmitted(Exception):
    """A block that the scheduler refused, or that would have been one too many."""


class _Rendered(Exception):
    """Ends a submission whose script is all that is wanted."""


class WatchedLocal(LocalProvider):
    """Processes of this machine, whose end is noticed within a second: a look at them costs next to nothing."""

    status_polling_interval = 1


class Bounded:
    """Mixed into a provider of batch jobs: at most `limit` of them in a run (workers/blocks.py ends them all).

    A scheduler's command that leaves out live jobs makes Parsl submit without end (`qstat -F json` of OpenPBS names
    the first job only, issue 2672 of openpbs): 13 jobs were left behind within half a minute.
    """

    limit = 1
    poll_s = 60.0
    tried = 0

    @property
    def status_polling_interval(self) -> float:
        """Seconds between two questions to the scheduler."""
        return self.poll_s

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl") -> str:
        """Submit a block."""
        if self.tried >= self.limit:
            raise NotSubmitted(f"{self.limit} batch jobs were submitted in this run, no more are (max_submissions)")
        self.tried += 1
        try:
            job_id = super().submit(command, tasks_per_node, job_name)
        except _Rendered:
            raise
        except Exception as error:
            said = getattr(error, "stderr", "") or getattr(error, "stdout", "") or str(error)
            raise NotSubmitted(f"the scheduler refused the batch job: {said.strip()}") from error
        if not job_id:
            raise NotSubmitted("the scheduler gave no job id; what it said is in Parsl's log")
        return job_id

    def script(self, command: str) -> str:
        """The script that would be submitted for a block that runs `command`."""
        written = {}

        def keep(template: str, _filename: str, job_name: str, fields: dict) -> None:
            written["text"] = Template(template).substitute(jobname=job_name, **fields)
            raise _Rendered

        twin = copy.copy(self)
        twin._write_submit_script, twin.tried = keep, 0
        twin.script_dir = self.script_dir or "."
        try:
            twin.submit(command, 1, "parsl.trials.block-0")
        except _Rendered:
            return written["text"]
        raise AssertionError("the provider wrote no script")


class BoundedSlurm(Bounded, SlurmProvider):
    """Slurm."""


class BoundedPBS(Bounded, PBSProProvider):
    """PBS Professional and OpenPBS, asked for one job at a time (see Bounded)."""

    def _status(self) -> None:
        for job_id, job in list(self.resources.items()):
            if not job["status"].terminal:
                alone = copy.copy(self)
                alone.resources = {job_id: job}
                PBSProProvider._status(alone)


class BoundedLSF(Bounded, LSFProvider):
    """LSF."""


class HostsLauncher(Launcher):
    """Starts the workers of every host of a job by a remote shell: pbs_tmrsh, blaunch, or ssh where it is allowed."""

    def __init__(self, shell: str, debug: bool = True):
        super().__init__(debug=debug)
        self.shell = shell

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        """The shell lines; a remote shell passes no variables on, so that the script that it starts brings them."""
        return f"""
start="{script_dir}/start_$JOBNAME.sh"
( umask 077  # nobody else shall read this environment
{{ export -p; cat <<'COMMAND'
{command}
COMMAND
}} > "$start" )
for host in $(sort -u "${{PBS_NODEFILE:-$LSB_DJOB_HOSTFILE}}"); do
    {self.shell} "$host" /bin/bash "$start" &
done
wait
"""


def provider_of(machine: Machine, worker_init: str) -> ExecutionProvider:
    """The provider that starts a machine's workers."""
    blocks = {
        "nodes_per_block": machine.nodes_per_block,
        "init_blocks": machine.init_blocks,
        "min_blocks": machine.min_blocks,
        "max_blocks": machine.max_blocks,
        "launcher": launcher_of(machine),
        "worker_init": worker_init,
    }
    if machine.provider == "local":
        return WatchedLocal(**blocks)
    batch = {"walltime": _clock(machine.walltime_min), "cmd_timeout": _COMMAND_TIMEOUT_S}
    provider = _PROVIDERS[machine.provider](machine, {**blocks, **batch})
    provider.limit, provider.poll_s = machine.submissions, machine.poll_s
    return provider


def launcher_of(machine: Machine) -> Launcher:
    """What starts one pool of workers on every node of a block."""
    options = machine.launcher_options
    match machine.node_launcher:
        case "simple":
            return SimpleLauncher()
        case "single-node":
            return SingleNodeLauncher()
        case "srun":
            return SrunLauncher(overrides=f"--ntasks-per-node=1 {options}".strip())
        case "mpiexec":
            return MpiExecLauncher(bind_cmd=machine.bind_option, overrides=options)
        case "jsrun":
            return JsrunLauncher(overrides=options)
        case "hosts":
            return HostsLauncher(options or "ssh")


def _slurm(machine: Machine, common: dict) -> BoundedSlurm:
    return BoundedSlurm(
        account=machine.account or None,
        partition=machine.queue or None,
        qos=machine.qos or None,
        constraint=machine.constraint or None,
        # a job that lost a node would come back under its old id, and Parsl would not know it
        scheduler_options=_directives(machine, "--no-requeue"),
        **common,
    )


def _pbs(machine: Machine, common: dict) -> BoundedPBS:
    return BoundedPBS(
        account=machine.account or None,
        queue=machine.queue or None,
        cpus_per_node=machine.cpus_per_node or 1,
        select_options=machine.select_options,
        scheduler_options=_directives(machine, "-r n"),
        **common,
    )


def _lsf(machine: Machine, common: dict) -> BoundedLSF:
    cores = machine.cpus_per_node or 1
    return BoundedLSF(
        project=machine.account or None,
        queue=machine.queue or None,
        scheduler_options=_directives(machine, "-rn"),
        bsub_redirection=machine.bsub_redirection,
        request_by_nodes=machine.request_by_nodes,
        cores_per_node=cores,
        cores_per_block=cores * machine.nodes_per_block,
        **common,
    )


_PROVIDERS = {"slurm": _slurm, "pbs": _pbs, "lsf": _lsf}


def _directives(machine: Machine, *ours: str) -> str:
    return "\n".join(f"{_DIRECTIVE[machine.provider]} {line}" for line in (*ours, *machine.scheduler_options))


def _clock(minutes: float) -> str:
    """HH:MM:SS of minutes, rounded up to whole ones, which is what Slurm and LSF count."""
    whole = math.ceil(minutes)
    return f"{whole // 60:02d}:{whole % 60:02d}:00"
