"""Stand-ins for the commands of LSF, written from memory and checked against no real one: bsub, bjobs, bkill, blaunch.

Usage: lsf.py FOLDER_OF_THE_TEST_CLUSTER COMMAND ARGUMENTS. `bsub FILE` runs the file as a command and ignores its #BSUB
lines, as LSF does by default; `bsub < FILE` reads them.
"""

import argparse
import os
import re
import shlex
import sys
from pathlib import Path

from through_slurm import Job, Request, Scheduler, directives, refuse

_QUEUES = ("normal", "debug")
_STATES = {"PENDING": "PEND", "CONFIGURING": "PEND", "RUNNING": "RUN", "COMPLETING": "RUN", "SUSPENDED": "SSUSP"}
_CORES_OF_A_NODE = 2


def bsub(scheduler: Scheduler, words: list[str]) -> None:
    """Submit the script on standard input, or a command; options on the command line win over those in the script."""
    command = _options().parse_args(words).command
    script = f"exec {shlex.join(command)}\n" if command else sys.stdin.read()
    inside = [word for line in directives(script, "#BSUB") for word in shlex.split(line)]
    options = _options().parse_args([*inside, *words])
    if options.q not in _QUEUES:
        refuse(255, f"{options.q}: No such queue. Job not submitted.")
    # a job inherits environment and folder
    mine = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    named = {"LSB_JOBNAME": options.J, "LSB_QUEUE": options.q, "LS_SUBCWD": os.getcwd()}
    job_id = scheduler.submit(script, _request(options), {**mine, **named}, os.getcwd())
    print(f"Job <{job_id}> is submitted to queue <{options.q}>.")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bsub", allow_abbrev=False)
    for name in ("P", "G", "m", "u", "M", "wa", "wt", "gpu", "alloc_flags", "R"):
        parser.add_argument(f"-{name}")
    for name in ("x", "N", "B", "r", "rn"):
        parser.add_argument(f"-{name}", action="store_true")
    parser.add_argument("-J", default="job")
    parser.add_argument("-q", default="normal")
    parser.add_argument("-W", default="60")
    parser.add_argument("-o", "-oo", default="/dev/null")
    parser.add_argument("-e", "-eo")
    parser.add_argument("-w", default="")
    parser.add_argument("-n", type=int, default=1)
    parser.add_argument("-nnodes", type=int)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser


def _request(options: argparse.Namespace) -> Request:
    span = re.search(r"ptile=(\d+)", options.R or "")
    a_node = min(int(span[1]), options.n) if span else options.n
    by_nodes = options.nnodes is not None
    after = re.search(r"(?:ended|done|exit)\((\d+)", options.w)
    hours, _, minutes = options.W.rpartition(":")
    return Request(
        name=options.J,
        queue=options.q,
        walltime_s=60 * (60 * int(hours or 0) + int(minutes)),
        nodes=options.nnodes if by_nodes else -(-options.n // a_node),
        cores=_CORES_OF_A_NODE if by_nodes else a_node,
        slots=1 if by_nodes else a_node,
        out=options.o.replace("%J", "%j"),
        err=(options.e or options.o).replace("%J", "%j"),
        after=after[1] if after else "",
    )


def bjobs(scheduler: Scheduler, words: list[str]) -> None:
    """Show jobs; without ids, those that have not ended."""
    parser = argparse.ArgumentParser("bjobs", allow_abbrev=False)
    parser.add_argument("-noheader", action="store_true")
    parser.add_argument("-a", action="store_true")
    parser.add_argument("-o", default="jobid stat")
    parser.add_argument("ids", nargs="*")
    said = parser.parse_args(words)
    code, rows = 0, []
    for job_id in said.ids or scheduler.ids():
        job = scheduler.find(job_id)
        if job is None:
            print(f"Job <{job_id}> is not found", file=sys.stderr)
            code = 255
        elif said.ids or said.a or not job.ended:
            rows.append(" ".join(_COLUMNS[column](job) for column in said.o.split()))
    if not rows and not said.ids:
        refuse(255, "No unfinished job found")
    if rows and not said.noheader:
        print(said.o.upper())
    print("\n".join(rows))
    raise SystemExit(code)


def _status(job: Job) -> str:
    well = job.slurm_state == "COMPLETED" and not job.past_limit
    return ("DONE" if well else "EXIT") if job.ended else _STATES[job.slurm_state]


def _time_left(job: Job) -> str:
    if _status(job) != "RUN":
        return "-"
    left_min = max(0, job.request.walltime_s - job.ran_s) // 60
    return f"{left_min // 60}:{left_min % 60:02d} L"


_COLUMNS = {"jobid": lambda job: job.id, "stat": _status, "time_left": _time_left}


def bkill(scheduler: Scheduler, words: list[str]) -> None:
    """End jobs."""
    code = 0
    for job_id in (word for word in words if word.isdigit()):
        job = scheduler.find(job_id)
        if job is None or job.ended:
            why = "No matching job found" if job is None else "Job has already finished"
            print(f"Job <{job_id}>: {why}", file=sys.stderr)
            code = 255
        else:
            scheduler.cancel(job)
            print(f"Job <{job_id}> is being terminated")
    raise SystemExit(code)


def blaunch(scheduler: Scheduler, words: list[str]) -> None:
    """Run a command on another host of this job."""
    host, *command = words
    scheduler.remote_shell(os.environ["LSB_JOBID"], host, " ".join(command))


COMMANDS = {"bsub": bsub, "bjobs": bjobs, "bkill": bkill, "blaunch": blaunch}

if __name__ == "__main__":
    COMMANDS[sys.argv[2]](Scheduler("lsf", Path(sys.argv[1])), sys.argv[3:])
