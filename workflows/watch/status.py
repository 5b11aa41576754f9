"""How far is a run? Read from its folder alone, on any machine that sees it: once, or followed as it grows."""

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from workflows.record.follow import Follower
from workflows.record.runfolder import RunFolder
from workflows.record.state import State, read_state
from workflows.record.tally import Tally
from workflows.watch.live import Screen
from workflows.watch.panel import panel

_LOOK_EVERY_S = 1.0


class Watched:
    """A run seen from outside: every look reads what is new in its journal, and the controller's last word."""

    def __init__(self, run: Path):
        folder = RunFolder.read(run)
        self._run, self._follower = run, Follower(folder.journal)
        self.tally = Tally(folder.config)
        self.state: State | None = None

    def look(self) -> None:
        """Read on."""
        trials, anew = self._follower.read()
        if anew:
            self.tally = Tally(RunFolder.read(self._run).config)
        for trial in trials:
            self.tally.record(trial)
        self.state = read_state(self._run)

    def ended(self, now: float) -> bool:
        """Whether nothing more will come: the map is complete and nobody works on it."""
        return self.tally.complete and not (self.state and self.state.alive(now))


def status(console: Console, run: Path) -> None:
    """Show a run's map and counts as they are."""
    watched = Watched(run)
    watched.look()
    console.print(panel(watched.tally, watched.state, time.time(), console.width))


def complete(run: Path) -> bool:
    """Whether the map has all its trials; the jobs of a chain ask it."""
    watched = Watched(run)
    watched.look()
    return watched.tally.complete


def watch(console: Console, run: Path, sleep: Callable[[float], None] = time.sleep) -> None:
    """Show them until the map is complete, or until Ctrl-C; a run that was stopped may go on in the next job."""
    watched = Watched(run)
    try:
        with Screen(console) as screen:
            while True:
                watched.look()
                if watched.ended(time.time()):
                    return screen.show(watched.tally, watched.state)
                if screen.due:
                    screen.show(watched.tally, watched.state)
                sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        return None
