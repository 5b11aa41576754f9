"""Stand-ins for the commands of PBS, after transcripts of an OpenPBS 23.06: qsub, qstat, qdel, pbs_tmrsh.

Usage: pbs.py FOLDER_OF_THE_TEST_CLUSTER COMMAND ARGUMENTS. With QSTAT_ONLY_FIRST in the environment, `qstat A B` says
nothing of B, as OpenPBS does with -F json (its issue 2672).
"""

import argparse
import json
import os
import re
import shlex
import sys
import time
from pathlib import Path

from through_slurm import Job, Request, Scheduler, directives, refuse, seconds

_QUEUES = ("workq", "debug")
_STATES = {"PENDING": "Q", "CONFIGURING": "Q", "RUNNING": "R", "COMPLETING": "E", "SUSPENDED": "S"}
_SUBSTATE_CANCELLED, _SUBSTATE_OK, _SUBSTATE_FAILED = 91, 92, 93
_EXIT_PAST_LIMIT = -29


def qsub(scheduler: Scheduler, words: list[str]) -> None:
    """Submit a script; options on the command line win over those in the script."""
    said = _options().parse_args(words)
    if said.script and not os.path.exists(said.script):
        refuse(1, "qsub: script file:: No such file or directory")
    script = Path(said.script).read_text() if said.script else sys.stdin.read()
    inside = [word for line in directives(script, "#PBS") for word in shlex.split(line)]
    options = _options().parse_args([*inside, *words])
    if options.q not in _QUEUES:
        refuse(170, "qsub: Unknown queue")
    request = _request(options, {**_resources(inside), **_resources(words)})
    environ = _environ(options, request) | {"PATH": f"{scheduler.commands}:/usr/local/bin:/usr/bin:/bin"}
    print(f"{scheduler.submit(script, request, environ, os.environ['HOME'])}.test")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("qsub")
    for name in "AjkMmPrSv":
        parser.add_argument(f"-{name}")
    parser.add_argument("-q", default="workq")
    parser.add_argument("-N", default="STDIN")
    parser.add_argument("-o")
    parser.add_argument("-e")
    parser.add_argument("-W", default="")
    parser.add_argument("-l", action="append")
    parser.add_argument("-V", action="store_true")
    parser.add_argument("script", nargs="?")
    return parser


def _resources(words: list[str]) -> dict[str, str]:
    found = {}
    for lists in _options().parse_args(words).l or []:
        for pair in re.split(r",(?=\w+=)", lists):
            name, _, value = pair.partition("=")
            if name not in ("select", "walltime", "place", "filesystems"):
                refuse(188, f"qsub: Unknown resource: Resource_List.{name}")
            found[name] = value
    return found


def _request(options: argparse.Namespace, resources: dict[str, str]) -> Request:
    nodes, *each = resources.get("select", "1").split(":")
    cores = dict(pair.split("=") for pair in each).get("ncpus", "1")
    after = re.search(r"depend=after\w+:(\d+)", options.W)
    out = options.o or f"{os.getcwd()}/{options.N}.o%j"
    return Request(
        name=options.N,
        queue=options.q,
        walltime_s=seconds(resources.get("walltime", "1:00:00")),
        nodes=int(nodes),
        cores=int(cores),
        slots=1,
        out=out,
        err=out if options.j == "oe" else options.e or f"{os.getcwd()}/{options.N}.e%j",
        after=after[1] if after else "",
    )


def _environ(options: argparse.Namespace, request: Request) -> dict[str, str]:
    """A job does not inherit the submitter's environment, unless asked to."""
    mine = {name: value for name, value in os.environ.items() if options.V and not name.startswith("SLURM")}
    given = dict(pair.split("=", 1) if "=" in pair else (pair, os.environ[pair]) for pair in _list(options.v))
    return {
        "SHELL": "/bin/bash",
        "USER": "root",
        **mine,
        **given,
        "HOME": os.environ["HOME"],
        "PBS_ENVIRONMENT": "PBS_BATCH",
        "PBS_O_WORKDIR": os.getcwd(),
        "PBS_O_HOST": os.uname().nodename,
        "PBS_QUEUE": request.queue,
        "PBS_JOBNAME": request.name,
    }


def _list(text: str | None) -> list[str]:
    return text.split(",") if text else []


def qstat(scheduler: Scheduler, words: list[str]) -> None:
    """Show jobs; ended ones only with -x."""
    parser = argparse.ArgumentParser("qstat")
    parser.add_argument("-f", action="store_true")
    parser.add_argument("-x", action="store_true")
    parser.add_argument("-F", choices=["json"])
    parser.add_argument("ids", nargs="*")
    said = parser.parse_args(words)
    code, shown = 0, {}
    for given in said.ids or scheduler.ids():
        number = given.split(".")[0]
        job = scheduler.find(number)
        if job is None:
            print(f"qstat: Unknown Job Id {given}", file=sys.stderr)
            code = 153
        elif not job.ended or said.x:
            shown[f"{number}.test"] = _described(job)
        elif said.ids:
            print(f"qstat: {number}.test Job has finished, use -x or -H to obtain job information", file=sys.stderr)
            code = 35
    if os.environ.get("QSTAT_ONLY_FIRST"):
        shown = dict(list(shown.items())[:1])
    print(_as_json(shown) if said.F else _as_table(shown))
    raise SystemExit(code)


def _described(job: Job) -> dict:
    asked = job.request
    facts = {
        "Job_Name": asked.name,
        "Job_Owner": "root@test",
        "job_state": "F" if job.ended else _STATES[job.slurm_state],
        "queue": asked.queue,
        "server": "test",
        "Output_Path": f"test:{asked.out}",
        "Error_Path": f"test:{asked.err}",
        "resources_used": {"walltime": _clock(job.ran_s)},
        "Resource_List": {
            "ncpus": asked.nodes * asked.cores,
            "nodect": asked.nodes,
            "select": f"{asked.nodes}:ncpus={asked.cores}",
            "walltime": _clock(asked.walltime_s),
        },
    }
    if job.node_list:
        facts["exec_host"] = job.node_list
    if job.ended:
        killed = 256 + job.exit_signal if job.exit_signal else job.exit_code
        facts["Exit_status"] = _EXIT_PAST_LIMIT if job.past_limit else killed
        cancelled = job.slurm_state == "CANCELLED"
        failed = _SUBSTATE_FAILED if facts["Exit_status"] else _SUBSTATE_OK
        facts["substate"] = _SUBSTATE_CANCELLED if cancelled else failed
    return facts


def _clock(total: int) -> str:
    return f"{total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}"


def _as_json(shown: dict[str, dict]) -> str:
    head = {"timestamp": int(time.time()), "pbs_version": "23.06.06", "pbs_server": "test"}
    return json.dumps({**head, "Jobs": shown} if shown else head, indent="\t")


def _as_table(shown: dict[str, dict]) -> str:
    line = "{:17} {:16} {:17} {:>8} {:1} {:16}"
    rows = [
        (job_id, facts["Job_Name"], "root", facts["resources_used"]["walltime"], facts["job_state"], facts["queue"])
        for job_id, facts in shown.items()
    ]
    head = [("Job id", "Name", "User", "Time Use", "S", "Queue")] if rows else []
    return "\n".join(line.format(*row) for row in (*head, *rows))


def qdel(scheduler: Scheduler, words: list[str]) -> None:
    """End jobs."""
    code = 0
    for given in (word for word in words if not word.startswith("-")):
        job = scheduler.find(given.split(".")[0])
        if job is None:
            print(f"qdel: Unknown Job Id {given}", file=sys.stderr)
            code = 153
        elif job.ended:
            print(f"qdel: Job has finished {given}", file=sys.stderr)
            code = 35
        else:
            scheduler.cancel(job)
    raise SystemExit(code)


def pbs_tmrsh(scheduler: Scheduler, words: list[str]) -> None:
    """Run a command on another host of this job."""
    host, *command = words
    scheduler.remote_shell(os.environ["PBS_JOBID"].split(".")[0], host, " ".join(command))


COMMANDS = {"qsub": qsub, "qstat": qstat, "qdel": qdel, "pbs_tmrsh": pbs_tmrsh}

if __name__ == "__main__":
    COMMANDS[sys.argv[2]](Scheduler("pbs", Path(sys.argv[1])), sys.argv[3:])
