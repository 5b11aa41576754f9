"""The run as its own terminal or batch log shows it: the map filling in, or plain lines ever further apart.

The steering loop calls `Dashboard.record` for every trial that ends (O(1)) and `Dashboard.tick` several times a
second; nothing is ever computed from the whole journal again.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Self

from rich.console import Console
from rich.live import Live

from workflows.campaign import CampaignConfig
from workflows.record.journal import TrialResult
from workflows.record.state import STOPPED, Heartbeat, Progress, State
from workflows.record.tally import Tally
from workflows.watch.panel import line, panel

_DRAW_EVERY_S = 0.5
_LINE_EVERY_S = (5.0, 60.0)  # at first, and in a long run
_TELL_EVERY_S = 0.5
_MOST_REASONS = 3


class Screen:
    """Where a standing is shown: redrawn in place on a terminal, as lines elsewhere; a context manager."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.time):
        self.console, self._clock = console, clock
        self._began, self._shown_at, self._last = clock(), float("-inf"), ""
        terminal = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(console=console, auto_refresh=False, transient=False) if terminal else None

    @property
    def due(self) -> bool:
        """Whether the last drawing is old enough: a log's lines come 5 s apart at first, a minute in a long run."""
        first, longest = _LINE_EVERY_S
        apart = _DRAW_EVERY_S if self._live else min(max(first, (self._clock() - self._began) / 20), longest)
        return self._clock() - self._shown_at >= apart

    def show(self, tally: Tally, state: State | None) -> None:
        """Draw now."""
        self._shown_at = now = self._clock()
        if self._live:
            height = self.console.height - 1 if self.console.color_system else None  # a denser map needs colours
            view = panel(tally, state, now, self.console.width, _MOST_REASONS, height)
            self._live.update(view, refresh=True)
            return
        text = line(tally, state, now)
        if text.partition("  ")[2] != self._last:  # the time of day alone is no news
            self._last = text.partition("  ")[2]
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._live:
            self._live.stop()


class Dashboard:
    """Counts and shows a running campaign, and keeps its heartbeat informed; a context manager.

    Args:
        config: the campaign.
        heart: the controller's heartbeat, for those who watch from elsewhere.
        console: where to; standard error by default, which leaves standard output to results.
        trials: those of earlier sessions: they are shown, but say nothing on this session's pace.
        clock: Unix time; limits how often something is drawn.
    """

    def __init__(
        self,
        config: CampaignConfig,
        heart: Heartbeat,
        console: Console | None = None,
        *,
        trials: Iterable[TrialResult] = (),
        clock: Callable[[], float] = time.time,
    ):
        self.tally = Tally(config, trials)
        self._heart, self._clock = heart, clock
        self._screen = Screen(console or Console(stderr=True), clock)
        self._trial_s, self._told_at, self._stopped = 0.0, float("-inf"), False

    def record(self, trial: TrialResult) -> None:
        """Take in one trial that ended. O(1): nothing is drawn before the next tick."""
        self._trial_s += trial.seconds
        self.tally.record(trial)

    def tick(self, progress: Progress) -> None:
        """Take in the state of the workers, and draw unless that has just been done."""
        if self._clock() - self._told_at >= _TELL_EVERY_S:
            self._told_at = self._clock()
            self._heart.update(progress=progress, left_s=self._left_s(progress))
        if self._screen.due:
            self._screen.show(self.tally, self._heart.state(self._clock()))

    def stopped(self) -> None:
        """Take in that nothing runs any more, though trials are left: the last drawing says so."""
        self._stopped = True

    def _left_s(self, progress: Progress) -> float | None:
        """Seconds to the end at the pace of this session; None before its first trial.

        The pace is worker seconds of trials per second: it holds what proposals, waiting and lost trials cost.
        """
        remaining = self.tally.remaining_s()
        if not remaining:
            return remaining
        return remaining * progress.elapsed_s / self._trial_s if self._trial_s else None

    def __enter__(self) -> Self:
        self._screen.__enter__()
        return self

    def __exit__(self, error: object, *_exception: object) -> None:
        state = self._heart.state(self._clock())
        if self._stopped or error is not None:
            progress = replace(state.progress, running=0)
            state = state.model_copy(update={"phase": STOPPED, "over": True, "progress": progress})
        self._screen.show(self.tally, state)  # the last one, however short ago it was
        self._screen.__exit__()
