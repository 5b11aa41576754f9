"""Which blocks of workers did a run start, and is one left of a controller that was killed?

A block is a batch job, or a process group of this host. Each is noted in blocks.jsonl of the run folder when it starts;
the file goes when all of them are ended.
"""

import json
import logging
import os
import socket
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from workflows.machines.schedulers import cancel_command

BLOCKS = "blocks.jsonl"
_CANCEL_S = 60

_log = logging.getLogger("workflows")


@dataclass(frozen=True)
class Block:
    """A block as it was started.

    Attributes:
        scheduler: label of Parsl's provider, such as "slurm" or "local".
        job: the scheduler's id, or that of a process.
        host: where it was submitted from.
        began: when the process started, which tells it from a later one of the same id; 0 for batch jobs.
        group: the process group of all that the block is; 0 for batch jobs.
    """

    scheduler: str
    job: str
    host: str
    began: float = 0.0
    group: int = 0


class Blocks:
    """The blocks of a run folder."""

    def __init__(self, folder: Path):
        self._path = folder / BLOCKS

    def note(self, scheduler: str, job: str) -> None:
        """Note a block that was submitted: the label of its provider, and its id."""
        try:
            with self._path.open("a") as file:
                file.write(json.dumps(asdict(_block(scheduler, job))) + "\n")
        except OSError as error:  # the block runs: better unnoted than lost
            _log.warning("%s: cannot be written (%s)", self._path, error.strerror)

    def end(self) -> int:
        """End all that still run; return how many were asked to. Their file goes."""
        blocks = self._noted()
        ended = _end_processes(blocks) + _cancel_jobs(blocks)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        return ended

    def _noted(self) -> list[Block]:
        try:
            lines = self._path.read_text().splitlines()
        except OSError:
            return []
        blocks = []
        for line in lines:
            with suppress(ValueError, TypeError):  # torn by a full disk
                blocks.append(Block(**json.loads(line)))
        return blocks


def _block(scheduler: str, job: str) -> Block:
    began, group = 0.0, 0
    if scheduler == "local":
        with suppress(psutil.Error, ProcessLookupError):
            began, group = psutil.Process(int(job)).create_time(), os.getpgid(int(job))
    return Block(scheduler, job, socket.gethostname(), began, group)


def _end_processes(blocks: list[Block]) -> int:
    here = [block for block in blocks if block.group and block.host == socket.gethostname()]
    return sum(_end_group(block) for block in here)


def _end_group(block: Block) -> int:
    """End a block, or what outlived it: of a pool of workers that was killed, Parsl's own helpers run on for ever."""
    members = [process for process in psutil.process_iter(["name"]) if _is_in(process, block)]
    began = [process.create_time() for process in members if process.pid == int(block.job)]
    whole = began == [block.began]
    if began and not whole:  # a later process got the number
        return 0
    for process in members:
        if whole or "python" in process.info["name"]:  # else another group may have got the number
            with suppress(psutil.Error):
                process.kill()
    return int(whole)


def _is_in(process: psutil.Process, block: Block) -> bool:
    try:
        return os.getpgid(process.pid) == block.group and process.create_time() >= block.began
    except (psutil.Error, ProcessLookupError):
        return False


def _cancel_jobs(blocks: list[Block]) -> int:
    """Cancel batch jobs, one at a time: one that has ended is no error, but PBS would leave the others then."""
    asked = 0
    for block in blocks:
        command = cancel_command(block.scheduler)
        if command:
            try:
                subprocess.run([command, block.job], capture_output=True, timeout=_CANCEL_S, check=False)
                asked += 1
            except (OSError, subprocess.TimeoutExpired) as error:
                _log.warning("%s %s: %s; cancel this job yourself", command, block.job, error)
    return asked
