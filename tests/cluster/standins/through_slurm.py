"""What the stand-ins for PBS and LSF share: jobs are kept in a folder and run through Slurm."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_JOB = Path(__file__).parent / "job.sh"
_ENDED = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")


@dataclass(frozen=True)
class Request:
    """What is asked for: whole numbers of nodes, of cores and slots (lines of the host file) a node; the files."""

    name: str
    queue: str
    walltime_s: int
    nodes: int
    cores: int
    slots: int
    out: str
    err: str
    after: str = ""


@dataclass(frozen=True)
class Job:
    """A job and how it is."""

    id: str
    request: Request
    slurm_state: str
    node_list: str
    ran_s: int
    exit_code: int
    exit_signal: int
    past_limit: bool

    @property
    def ended(self) -> bool:
        return self.slurm_state in _ENDED


def refuse(code: int, words: str):
    """End as the real command does."""
    print(words, file=sys.stderr)
    raise SystemExit(code)


def seconds(clock: str) -> int:
    """Seconds of [[hours:]minutes:]seconds."""
    total = 0
    for part in clock.split(":"):
        total = 60 * total + int(part)
    return total


def directives(script: str, tag: str) -> list[str]:
    """The option lines at the head of a script, without their tag."""
    found = []
    for line in script.splitlines():
        if line.startswith(f"{tag} "):
            found.append(line.removeprefix(tag).strip())
        elif line.strip() and not line.startswith("#"):
            break
    return found


class Scheduler:
    """The jobs of one stand-in; `folder` is that of the test cluster."""

    def __init__(self, kind: str, folder: Path):
        self.kind, self.jobs_folder = kind, folder / kind
        self._environ = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": "/usr/bin:/bin"}
        self.commands = folder / "bin"
        self.jobs_folder.mkdir(exist_ok=True)

    def submit(self, script: str, request: Request, environ: dict[str, str], directory: str) -> str:
        """Queue a script; return its id."""
        file = self.jobs_folder / f"{time.time_ns()}.sh"
        file.write_text(script if script.startswith("#!") else f"#!/bin/bash\n{script}")
        file.chmod(0o755)
        job = [_JOB, self.kind, self.jobs_folder, file, request.walltime_s, request.slots, directory]
        done = self._slurm("sbatch", *_options(request), *map(str, job), environ=environ)
        if done.returncode:
            refuse(188 if self.kind == "pbs" else 255, done.stderr.strip())
        job_id = done.stdout.strip()
        (self.jobs_folder / f"{job_id}.json").write_text(json.dumps(asdict(request)))
        return job_id

    def ids(self) -> list[str]:
        """Ids of all jobs ever submitted."""
        return sorted((file.stem for file in self.jobs_folder.glob("*.json")), key=int)

    def find(self, job_id: str) -> Job | None:
        """The job, None when there is none."""
        kept = self.jobs_folder / f"{job_id}.json"
        shown = self._slurm("scontrol", "--oneliner", "show", "job", job_id)
        if shown.returncode or not kept.exists():
            return None
        fields = dict(re.findall(r"(?:^| )(\w+)=(\S*)", shown.stdout))
        code, number = map(int, fields["ExitCode"].split(":"))
        days, _, clock = fields["RunTime"].rpartition("-")
        return Job(
            id=job_id,
            request=Request(**json.loads(kept.read_text())),
            slurm_state=fields["JobState"],
            node_list="" if fields["NodeList"] == "(null)" else fields["NodeList"],
            ran_s=86400 * int(days or 0) + seconds(clock),
            exit_code=code,
            exit_signal=number,
            past_limit=(self.jobs_folder / f"{job_id}.past_limit").exists(),
        )

    def cancel(self, job: Job) -> None:
        """Ask the script to end (job.sh), or take a waiting job out of the queue."""
        asked = ["--batch", "--signal=TERM"] if job.node_list else []
        self._slurm("scancel", *asked, job.id)

    def remote_shell(self, job_id: str, host: str, command: str) -> None:
        """Become a command on another host of the job."""
        words = [f"--jobid={job_id}", "--overlap", "-N1", "-n1", f"--nodelist={host}", "--mpi=none", "--mem=0"]
        environ = {**os.environ, "SLURM_CONF": self._environ["SLURM_CONF"]}
        os.execvpe("srun", ["srun", *words, "/bin/bash", "-c", command], environ)

    def _slurm(self, *command: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        whole = {**(environ or self._environ), "SLURM_CONF": self._environ["SLURM_CONF"]}
        return subprocess.run(command, capture_output=True, text=True, env=whole, check=False)


def _options(request: Request) -> list[str]:
    after = [f"--dependency=afterany:{request.after}"] if request.after else []
    return [
        "--parsable",
        "--no-requeue",
        *after,
        f"--job-name={request.name}",
        f"--nodes={request.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={request.cores}",
        f"--time={request.walltime_s // 60 + 2}",  # job.sh keeps the limit
        f"--output={request.out}",
        f"--error={request.err}",
    ]
