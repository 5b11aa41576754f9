"""What differs from one batch scheduler to the other? All of it is in one value."""

import re
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fusedtomo.errors import InputError
from workflows.machines.quoting import quoted

if TYPE_CHECKING:
    from workflows.machines.bounded import Bounded
    from workflows.machines.profile import Machine

Launcher = Literal["simple", "single-node", "srun", "mpiexec", "jsrun", "hosts"]

_ANSWER_S = 30


@dataclass(frozen=True)
class Job:
    """The batch job that this process runs in."""

    id: str
    nodes: tuple[str, ...]
    left_s: float | None  # None where the scheduler does not say

    @property
    def is_here(self) -> bool:
        """Whether its only node is this host; a shell of `salloc` or `qsub -I` may be elsewhere."""
        return [node.split(".")[0] for node in self.nodes] == [socket.gethostname().split(".")[0]]


@dataclass(frozen=True)
class Scheduler:
    """A batch scheduler: its words, and how it is asked.

    Attributes:
        name: in a machine's profile, such as "slurm".
        label: that of Parsl's provider in small letters, which blocks of workers are noted under.
        directive: begins a line of a script that asks for something.
        submit: the command that takes a script; `reads` when it reads it from standard input.
        next_job: submits {script} once this job has ended, with {link} as FUSEDTOMO_LINK, and prints an id.
        cancel: ends a job by its id.
        folder: the variable with the folder that a job was sent from.
        watch: shows the job {id}.
        log: the file that a job {id} of name {name} writes what it says to; {number} is the id's first digits.
        cancel_chain: ends all jobs of name {name}.
        launcher: what usually starts the workers on the nodes of a job (`launcher` in a profile).
        node_file: the variable with the path of a file that lists the nodes of a job, "" where there is none.
        takes: fields of a profile that mean something to this scheduler, and not to every other.
        asks: the directives of a job script for (machine, name of the job), without the word that begins each.
        provider: Parsl's provider of its jobs, bounded (machines/bounded.py), for (machine, arguments that are the
            same for every scheduler). Parsl is imported by it and not before.
        current_job: the job that an environment tells of, None outside one.
    """

    name: str
    label: str
    directive: str
    submit: str
    reads: bool
    next_job: str
    cancel: str
    folder: str
    watch: str
    log: str
    cancel_chain: str
    launcher: Launcher
    node_file: str
    takes: frozenset[str]
    asks: "Callable[[Machine, str], list[str]]"
    provider: "Callable[[Machine, Mapping[str, Any]], Bounded]"
    current_job: Callable[[Mapping[str, str]], Job | None]

    def directives(self, lines: list[str]) -> str:
        """The lines of a script that ask for something."""
        return "\n".join(f"{self.directive} {line}" for line in lines)


# What schedulers have in common, for the files beside this one.


def given(option: str, value: str) -> list[str]:
    """An option with its value, or nothing for an empty one."""
    return [f"{option}{quoted(value)}"] if value else []


def clock(whole_min: int) -> str:
    """HH:MM:SS of whole minutes."""
    return f"{whole_min // 60:02d}:{whole_min % 60:02d}:00"


def said(*command: str) -> str:
    """What a command of the scheduler prints; "" when it is missing, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def hosts_in(file: str, job_id: str) -> tuple[str, ...]:
    """The nodes that a file lists, each once."""
    try:
        hosts = tuple(dict.fromkeys(Path(file).read_text().split()))
    except OSError as error:
        raise InputError(f"job {job_id}: its list of nodes {file} cannot be read ({error.strerror})") from None
    if not hosts:
        raise InputError(f"job {job_id}: its list of nodes {file} is empty")
    return hosts


def seconds(text: str) -> float | None:
    """Seconds of [days-][[hours:]minutes:]seconds; None for anything else, such as UNLIMITED."""
    found = re.fullmatch(r"\s*(?:(\d+)-)?(?:(?:(\d+):)?(\d+):)?(\d+)\s*", text)
    if not found:
        return None
    days, hours, minutes, last = (float(part or 0) for part in found.groups())
    return ((24 * days + hours) * 60 + minutes) * 60 + last
