"""Sends a campaign to a batch scheduler as a chain of jobs, or shows the script of one."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from fusedtomo.errors import InputError, unwritable
from fusedtomo.files import replacing
from workflows.batch.jobscript import Request, job_script
from workflows.campaign import CampaignConfig, load_campaign
from workflows.machines import Machine
from workflows.machines.quoting import plain_path
from workflows.record.runfolder import RunFolder

MAX_JOBS = 20
_TIMEOUT_S = 120


def submit(
    console: Console,
    say: Console,
    config_path: Path,
    machine: Machine,
    profile: str,
    out: Path | None,
    script: Path | None,
    max_jobs: int,
    dry_run: bool,
) -> None:
    """Write the job script and send it; with dry_run, print it and do nothing."""
    config = load_campaign(config_path)
    request = request_for(config, config_path, machine, profile, out, script, max_jobs)
    _check(request, config)
    text = job_script(request)
    if dry_run:
        console.print(text, end="", markup=False, highlight=False, soft_wrap=True)
        return
    with _written(request.script, text):
        job_id = _send(request)
    words = request.scheduler
    named = {"id": job_id, "number": job_id.split(".")[0], "name": request.name}
    say.print(f"job {job_id} of at most {max_jobs} in a chain ({request.script})", markup=False)
    say.print(f"  in the queue   {words.watch.format(**named)}", markup=False)
    say.print(f"  the map        fusedtomo status {shlex.quote(str(request.out))} --watch", markup=False)
    say.print(f"  what it says   tail -f {words.log.format(**named)}", markup=False)
    say.print(f"  end the chain  {words.cancel_chain.format(**named)}", markup=False)


def request_for(
    config: CampaignConfig,
    config_path: Path,
    machine: Machine,
    profile: str,
    out: Path | None,
    script: Path | None,
    max_jobs: int,
) -> Request:
    """What to send; a machine without a scheduler, or one that wants an account, is refused."""
    if machine.scheduler is None:
        raise InputError(f"machine '{machine.name}' has no batch scheduler; start the campaign with `fusedtomo run`")
    folder = out or Path("runs") / config.name
    return Request(config_path, machine.complete(), profile, folder, config.name, script or folder / "job.sh", max_jobs)


def _check(request: Request, config: CampaignConfig) -> None:
    """Refuse now what would fail hours later, when the job starts."""
    for path in (request.out, request.script, request.config, Path(request.profile)):
        plain_path(path, "schedulers do not take such paths")
    if (request.out / "campaign.json").exists():
        RunFolder(request.out, config).check_campaign()


class _Refused(InputError):
    """The scheduler has no such job, for sure."""


@contextmanager
def _written(path: Path, text: str) -> Iterator[None]:
    """The script at its path; after a refusal there is what was there before: a chain may need that still."""
    before = path.read_text() if path.is_file() else None
    new = [folder for folder in path.parents if not folder.exists()]
    _write(path, text)
    try:
        yield
    except _Refused:
        if before is None:
            _remove(path, new)
        else:
            _write(path, before)
        raise


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text)
            temporary.chmod(0o755)
    except OSError as error:
        raise unwritable(path, error, "give another --script or --out") from None


def _remove(path: Path, folders: list[Path]) -> None:
    with suppress(OSError):  # such as something else that came into a folder
        path.unlink()
        for folder in folders:
            folder.rmdir()


def _send(request: Request) -> str:
    """Submit the script; return the job's id."""
    scheduler = request.scheduler
    if shutil.which(scheduler.submit) is None:
        raise _Refused(
            f"`{scheduler.submit}` is not in PATH: is this a login node of '{request.machine.name}'? "
            "Nothing was written; --dry-run prints the script"
        )
    command = [scheduler.submit] if scheduler.reads else [scheduler.submit, str(request.script)]
    try:
        with open(request.script, "rb") as script:
            stdin = script if scheduler.reads else subprocess.DEVNULL
            done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip()
        raise _Refused(f"{scheduler.submit} refused the job: {said}. --dry-run prints its script") from None
    except OSError as error:
        raise _Refused(
            f"{scheduler.submit}: cannot be started ({error.strerror}); is the scheduler installed?"
        ) from None
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{scheduler.submit} did not answer within {_TIMEOUT_S} s, and may have taken {request.script} all the "
            "same: look into the queue before you try again"
        ) from None
    return _job_id(done.stdout)


def _job_id(said: str) -> str:
    """The id in what was printed: `Submitted batch job 7`, `7.server` or `Job <7> is submitted to queue <q>.`"""
    found = re.search(r"\d+(?:\[\])?(?:\.[\w.-]+)?", said)
    if not found:
        raise InputError(f"the scheduler gave no job id, but said: {said.strip() or 'nothing'}")
    return found[0].rstrip(".")
