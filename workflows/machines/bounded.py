"""How are Parsl's providers kept in bounds? At most so many batch jobs, each told to who must end it."""

import copy
from collections.abc import Callable
from string import Template
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:

    class _Provider:
        """What the classes below take for granted of Parsl's class that they are mixed with."""

        label: str
        script_dir: str | None
        resources: dict[str, dict[str, Any]]

        def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl") -> str | None:
            """Submit a block; return its id."""
            return None

        def _status(self) -> None:
            """Ask for the state of every block in `resources`."""
            return
else:
    _Provider = object  # Parsl's class comes next, and is imported where workers are started only


class NotSubmitted(Exception):
    """A block that the scheduler refused, or that would have been one too many."""


class _Rendered(Exception):
    """Ends a submission whose script is all that is wanted."""


class Noted(_Provider):
    """Mixed into a provider: `on_submit` is told (label, id) of every block that was submitted."""

    on_submit: Callable[[str, str], None] | None = None

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl") -> str | None:
        """Submit a block; return its id."""
        job_id = super().submit(command, tasks_per_node, job_name)
        if job_id and self.on_submit:
            self.on_submit(self.label.lower(), str(job_id))
        return job_id


class Bounded(Noted):
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
        """Submit a block.

        Raises:
            NotSubmitted: the scheduler refused it, or the limit is reached.
        """
        if self.tried >= self.limit:
            raise NotSubmitted(f"{self.limit} batch jobs were submitted in this run, no more are (max_submissions)")
        self.tried += 1
        try:
            job_id = super().submit(command, tasks_per_node, job_name)
        except _Rendered:
            raise
        except Exception as error:
            words = getattr(error, "stderr", "") or getattr(error, "stdout", "") or str(error)
            raise NotSubmitted(f"the scheduler refused the batch job: {words.strip()}") from error
        if not job_id:
            raise NotSubmitted("the scheduler gave no job id; what it said is in Parsl's log")
        return job_id

    def script(self, command: str) -> str:
        """The script that would be submitted for a block that runs `command`."""
        written = {}

        def keep(template: str, _filename: str, job_name: str, fields: dict[str, Any]) -> None:
            written["text"] = Template(template).substitute(jobname=job_name, **fields)
            raise _Rendered

        twin: Any = copy.copy(self)
        twin._write_submit_script, twin.tried = keep, 0
        twin.script_dir = self.script_dir or "."
        try:
            twin.submit(command, 1, "parsl.trials.block-0")
        except _Rendered:
            return written["text"]
        raise AssertionError("the provider wrote no script")


Mixin = TypeVar("Mixin", bound=Noted)


def mixed(mixin: type[Mixin], provider: type) -> Callable[..., Mixin]:
    """Parsl's class of providers with a class of ours before it."""
    return type(f"{mixin.__name__}{provider.__name__}", (mixin, provider), {})
