"""Which Parsl provider and launcher does a machine need? Parsl's own, with submissions bounded."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from parsl.launchers import JsrunLauncher, MpiExecLauncher, SimpleLauncher, SingleNodeLauncher, SrunLauncher
from parsl.launchers.base import Launcher
from parsl.providers import LocalProvider

from workflows.machines.bounded import Bounded, Noted, mixed
from workflows.machines.profile import Machine
from workflows.machines.quoting import quoted_words
from workflows.machines.schedulers import Scheduler, node_file
from workflows.machines.schedulers.scheduler import clock

_COMMAND_TIMEOUT_S = 120  # a busy scheduler takes its time


class Watched(Noted):
    """Processes of this machine, whose end is noticed within a second: a look at them costs next to nothing."""

    status_polling_interval = 1


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
for host in $(sort -u "{node_file()}"); do
    {self.shell} "$host" /bin/bash "$start" &
done
wait
"""


def provider_of(machine: Machine, worker_init: str, on_submit: Callable[[str, str], None] | None = None) -> Noted:
    """The provider that starts a machine's workers; `on_submit` is told (label, id) of each block that it starts."""
    common = {
        "nodes_per_block": machine.nodes_per_block,
        "init_blocks": machine.init_blocks,
        "min_blocks": machine.min_blocks,
        "max_blocks": machine.max_blocks,
        "launcher": launcher_of(machine),
        "worker_init": worker_init,
    }
    scheduler = machine.scheduler
    provider = _batch_jobs(scheduler, machine, common) if scheduler else mixed(Watched, LocalProvider)(**common)
    provider.on_submit = on_submit
    return provider


def _batch_jobs(scheduler: Scheduler, machine: Machine, common: Mapping[str, Any]) -> Bounded:
    # Slurm and LSF count whole minutes
    batch = {"walltime": clock(math.ceil(machine.walltime_min)), "cmd_timeout": _COMMAND_TIMEOUT_S}
    provider = scheduler.provider(machine, {**common, **batch})
    provider.limit, provider.poll_s = machine.submissions, machine.poll_s
    return provider


def launcher_of(machine: Machine) -> Launcher:
    """What starts one pool of workers on every node of a block."""
    options = quoted_words(machine.launcher_options)
    match machine.node_launcher:
        case "simple":
            return SimpleLauncher()
        case "single-node":
            return SingleNodeLauncher()
        case "srun":
            return SrunLauncher(overrides=f"--ntasks-per-node=1 {options}".strip())
        case "mpiexec":
            return MpiExecLauncher(bind_cmd=quoted_words(machine.bind_option), overrides=options)
        case "jsrun":
            return JsrunLauncher(overrides=options)
        case "hosts":
            return HostsLauncher(options or "ssh")
