"""What is the controller doing right now? RUN/state.json, replaced every few seconds, for readers on other machines.

The journal tells what ended; only the controller knows what runs. A reader judges by the age of the file whether
there still is a controller: one that was killed cannot say so.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fusedtomo.errors import InputError
from fusedtomo.files import replacing

STATE = "state.json"
RUNNING = "running"  # the phase in which trials are evaluated
STOPPED = "stopped"  # the last word of a controller that left trials to do
STALE_S = 20.0  # a shared file system may show a file this late
_EVERY_S = 2.0
_LAST_S = 10.0  # for a write under way, at the end


@dataclass(frozen=True)
class Progress:
    """What the steering loop alone knows.

    Attributes:
        workers: workers there are.
        running: tasks under way, trials and proposals.
        busy_seconds: time workers spent on tasks since the start of this session, running ones included.
        elapsed_s: time since the start of this session.
        longest_s: how long the task has been running that was handed out first.
    """

    workers: int
    running: int
    busy_seconds: float
    elapsed_s: float
    longest_s: float = 0.0

    @property
    def utilisation(self) -> float | None:
        """Share of the workers' time spent on tasks, 0..1; None before anything can be said."""
        available = self.workers * self.elapsed_s
        return self.busy_seconds / available if available > 0 else None


class State(BaseModel):
    """The controller's own words.

    Attributes:
        phase: what it does, such as "starting workers"; "finished", "stopped" or "ended: ..." as its last word.
        over: whether that was its last word.
        controller: "host:pid".
        machine: the profile's name.
        progress: of the workers.
        left_s: seconds to the end at the time of writing; None when unknown.
        written: Unix time.
    """

    model_config = ConfigDict(frozen=True)

    phase: str
    over: bool = False
    controller: str = ""
    machine: str = ""
    progress: Progress = Field(default_factory=lambda: Progress(0, 0, 0.0, 0.0))
    left_s: float | None = None
    written: float = 0.0

    def age_s(self, now: float) -> float:
        """Seconds since it was written; clocks of two machines may differ, but not by less than nothing."""
        return max(0.0, now - self.written)

    def alive(self, now: float) -> bool:
        """Whether a controller works in the folder."""
        return not self.over and self.age_s(now) < STALE_S


def read_state(run: Path) -> State | None:
    """The state in a run folder; None when there is none, or none that can be read: it is no source of truth."""
    try:
        return State.model_validate_json((run / STATE).read_bytes())
    except (OSError, ValidationError):
        return None


class Heartbeat:
    """Writes the state every two seconds, in a thread of its own: starting workers may take an hour in a queue.

    A disk that is full or gone stops no campaign: the state is for readers alone.
    """

    def __init__(self, run: Path, machine: str):
        controller = f"{socket.gethostname()}:{os.getpid()}"
        self._run, self._state = run, State(phase="starting", controller=controller, machine=machine)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def update(self, **changes: object) -> None:
        """Change fields of the state; written within two seconds."""
        self._state = self._state.model_copy(update=changes)

    def state(self, now: float) -> State:
        """The state as a reader would get it now."""
        return self._state.model_copy(update={"written": now})

    def _beat(self) -> None:
        while not self._done.wait(_EVERY_S):
            self._write()

    def _write(self) -> None:
        text = self.state(time.time()).model_dump_json()
        with suppress(OSError, InputError), replacing(self._run / STATE, keep_suffix=False) as temporary:
            temporary.write_text(text)

    def __enter__(self) -> Self:
        self._write()  # at once: whoever looks from here on sees a run under way
        self._thread.start()
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None:
            self.update(phase=f"ended with an error ({str(error)[:300] or type(error).__name__})")
        self.update(over=True)
        self._done.set()
        self._thread.join(timeout=_LAST_S)
        self._write()
