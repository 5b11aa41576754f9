"""What does the batch job of a campaign look like? The controller in a job, and the next job behind it."""

import sys
from dataclasses import dataclass
from pathlib import Path

from workflows.machines import Machine
from workflows.machines.passed_on import exports
from workflows.machines.quoting import quoted, quoted_words
from workflows.machines.schedulers import SCHEDULERS, Scheduler


@dataclass(frozen=True)
class Request:
    """A campaign that is to run inside batch jobs of a machine, with paths as seen from the folder it is sent from.

    Attributes:
        config, out: campaign file and run folder.
        name: name of the job.
        profile: the machine as the user named it: a profile's name or the path of its file.
        script: where the script lies; the job sends it again.
        max_jobs: jobs of the chain at most.
    """

    config: Path
    machine: Machine
    profile: str
    out: Path
    name: str
    script: Path
    max_jobs: int

    @property
    def scheduler(self) -> Scheduler:
        """The machine's, whose words the script is written in."""
        return SCHEDULERS[self.machine.provider]


_TEMPLATE = """\
#!/bin/bash
{directives}
# One job of a chain: controller and workers run in it, on all of its nodes; the next one goes on where it ended.
# Made by: {made_by}

cd "${folder}"
{environment}

# The next job starts when this one has ended, whatever ends it: its work, its walltime, a lost node.
link=${{FUSEDTOMO_LINK:-1}}
if [ "$link" -lt {max_jobs} ]; then
    next=$({next_job})
fi

{run}
code=$?

# No next job once the map is complete, or where it would only fail again. Worth another try are
# 0 (stopped in good order), 75 (lost workers, a busy folder) and above 128 (ended by a signal).
if {{ [ $code -ne 0 ] && [ $code -ne 75 ] && [ $code -le 128 ]; }} || {complete}; then
    [ -z "${{next:-}}" ] || {cancel} "$next"
fi
exit $code
"""


def job_script(request: Request) -> str:
    """The script of a job."""
    scheduler, machine = request.scheduler, request.machine
    run = ["fusedtomo", "run", str(request.config), "--machine", request.profile, "--workers-in", "job"]
    # the scheduler is asked how long the job still has; this holds where it does not say
    run += ["--walltime", f"{machine.walltime_min:g}", "--out", str(request.out)]
    return _TEMPLATE.format(
        directives=scheduler.directives(scheduler.asks(machine, request.name)),
        made_by=_made_by(request),
        folder=scheduler.folder,
        environment="\n".join(_environment(machine)),
        max_jobs=request.max_jobs,
        next_job=scheduler.next_job.format(link="$((link + 1))", script=quoted(request.script)),
        run=quoted_words(run),
        complete=quoted_words(["fusedtomo", "status", str(request.out), "--complete"]),
        cancel=scheduler.cancel,
    )


def _made_by(request: Request) -> str:
    machine = request.machine
    given = {"account": machine.account, "queue": machine.queue}
    options = [word for name, value in given.items() if value for word in (f"--{name}", value)]
    options += ["--nodes", str(machine.nodes_per_block), "--walltime", f"{machine.walltime_min:g}"]
    options += ["--out", str(request.out), "--script", str(request.script)]
    return quoted_words(["fusedtomo", "submit", str(request.config), "--machine", request.profile, *options])


def _environment(machine: Machine) -> list[str]:
    """The profile's lines, and where the command lies that made this script."""
    prefix = Path(sys.prefix)
    here = Path.cwd()
    found = f'"$PWD"/{quoted(prefix.relative_to(here))}' if prefix.is_relative_to(here) else quoted(prefix)
    lines = [machine.worker_init.strip(), f'export PATH={found}/bin:"$PATH"']
    return [line for line in (*lines, *exports()) if line]
