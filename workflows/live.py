"""How does a campaign stand right now? The map filling in on a terminal, plain lines without one.

The steering loop calls `Dashboard.record` for every trial that ends (O(1)) and `Dashboard.tick` about once a
second; nothing is ever computed from the whole journal again.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from workflows.campaign import CampaignConfig, Condition
from workflows.journal import TrialResult
from workflows.sampling_map import METHOD_LABELS

# viridis, as the figures use it, at 0, 1/8, ... 1: matplotlib takes a second to import
_VIRIDIS = (
    (68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140),
    (40, 174, 128), (94, 201, 98), (173, 220, 48), (253, 231, 37),
)  # fmt: skip
_CELL_WIDTHS = (6, 5, 4, 2)  # characters; a cell of 2 has no number
_LABEL_WIDTH = 13
_LINE_EVERY_S = 5.0
_DRAW_EVERY_S = 0.25


@dataclass(frozen=True)
class Progress:
    """What the steering loop alone knows.

    Attributes:
        workers: workers there are.
        running: trials under way.
        busy_seconds: time workers spent on trials since the start of this session, running trials included.
        elapsed_s: time since the start of this session.
    """

    workers: int
    running: int
    busy_seconds: float
    elapsed_s: float

    @property
    def utilisation(self) -> float | None:
        """Share of the workers' time spent on trials, 0..1; None before anything can be said."""
        available = self.workers * self.elapsed_s
        return self.busy_seconds / available if available > 0 else None


class Tally:
    """The trials so far, counted: every step is O(1), and drawing is O(cells)."""

    def __init__(self, config: CampaignConfig, trials: Iterable[TrialResult] = ()):
        self.config = config
        self.due = {condition.key: config.evaluations(condition) for condition in config.conditions()}
        self.total = sum(self.due.values())
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.nrmse: dict[str, float] = {}
        self.best: str | None = None
        for trial in trials:
            self.record(trial)

    def record(self, trial: TrialResult) -> None:
        """Count one trial; one of a condition that is not on the grid is left out."""
        key = trial.condition
        if key not in self.due:
            return
        self.done[key] += 1
        if not trial.ok:
            self.failed[key] += 1
            self.reasons[trial.reason.strip() or "no reason recorded"] += 1
            return
        self.nrmse[key] = min(trial.nrmse, self.nrmse.get(key, trial.nrmse))
        if self.best is None or self.nrmse[key] < self.nrmse[self.best]:
            self.best = key

    @property
    def trials(self) -> int:
        """Trials that ended."""
        return self.done.total()

    def best_text(self) -> str:
        """Lowest NRMSE and its condition."""
        return f"{self.nrmse[self.best]:.3f} ({self.best})" if self.best else "none yet"


class Dashboard:
    """Shows a running campaign; a context manager.

    Args:
        config: the campaign.
        console: where to; standard error by default, which leaves standard output to results.
        trials: those of earlier sessions: they are shown, but say nothing on this session's pace.
        clock: seconds; limits how often something is drawn.
    """

    def __init__(
        self,
        config: CampaignConfig,
        console: Console | None = None,
        *,
        trials: Iterable[TrialResult] = (),
        clock: Callable[[], float] = time.monotonic,
    ):
        self.tally = Tally(config, trials)
        self.progress = Progress(0, 0, 0.0, 0.0)
        self.console = console or Console(stderr=True)
        self._earlier = self.tally.trials
        self._clock = clock
        self._shown_at: float | None = None
        self._last_line = ""
        terminal = self.console.is_terminal and not self.console.is_dumb_terminal
        self._live = Live(console=self.console, auto_refresh=False, transient=False) if terminal else None

    def record(self, trial: TrialResult) -> None:
        """Take in one trial that ended. O(1): nothing is drawn before the next tick."""
        self.tally.record(trial)

    def tick(self, progress: Progress) -> None:
        """Take in the state of the workers, and draw unless that has just been done."""
        self.progress = progress
        interval = _DRAW_EVERY_S if self._live else _LINE_EVERY_S
        if self._shown_at is None or self._clock() - self._shown_at >= interval:
            self._show()

    def left_s(self) -> float | None:
        """Seconds to the end at the mean pace of this session; None before its first trial."""
        ended = self.tally.trials - self._earlier
        remaining = max(0, self.tally.total - self.tally.trials)
        return remaining * self.progress.elapsed_s / ended if ended else (None if remaining else 0.0)

    def line(self) -> str:
        """The state as one line."""
        tally, utilisation = self.tally, _percent(self.progress.utilisation)
        return (
            f"trials {tally.trials}/{tally.total}  best NRMSE {tally.best_text()}  "
            f"utilisation {utilisation}  failed {tally.failed.total()}  left {duration(self.left_s())}"
        )

    def _show(self) -> None:
        self._shown_at = self._clock()
        if self._live:
            self._live.update(self._panel(), refresh=True)
            return
        line = self.line()
        if line != self._last_line:
            self._last_line = line
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _panel(self) -> RenderableType:
        tally, progress = self.tally, self.progress
        counts = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=max(1, tally.total), completed=tally.trials, width=30)
        counts.add_row("trials", bar, f"{tally.trials}/{tally.total}, {tally.failed.total()} failed")
        counts.add_row("best NRMSE", tally.best_text())
        workers = f"{progress.running} running on {progress.workers}"
        counts.add_row("workers", f"utilisation {_percent(progress.utilisation)}", workers)
        counts.add_row("time left", duration(self.left_s()), f"elapsed {duration(progress.elapsed_s)}")
        return Group(Text(tally.config.name, style="bold"), heat_map(tally, self.console.width), Text(), counts)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_exception) -> None:
        self._show()  # the last state, however short ago the one before was shown
        if self._live:
            self._live.stop()


def status_table(config: CampaignConfig, trials: Iterable[TrialResult], width: int = 80) -> RenderableType:
    """The map so far, counts, and failures by reason, for `fusedtomo status`; `width` in characters."""
    tally = Tally(config, trials)
    counts = Text(f"trials {tally.trials}/{tally.total}  best NRMSE {tally.best_text()}  failed {tally.failed.total()}")
    parts = [Text(config.name, style="bold"), heat_map(tally, width), Text(), counts]
    if tally.reasons:
        table = Table("failed", "reason", title="failures by reason", title_justify="left")
        for reason, count in tally.reasons.most_common():
            table.add_row(str(count), Text(reason))  # Text: a reason may hold what rich takes for markup
        parts += [Text(), table]
    return Group(*parts)


def heat_map(tally: Tally, width: int) -> RenderableType:
    """The map as coloured blocks with the NRMSE in them, bold once the cell is done; baselines below."""
    grid = tally.config.grid
    cell_width = _cell_width(len(grid.chemical_tilts), width)
    limits = min(tally.nrmse.values(), default=0.0), max(tally.nrmse.values(), default=1.0)

    def row(label: str, method: str, haadf_tilts: int) -> Text:
        cells = (Condition(method, haadf_tilts, count).key for count in grid.chemical_tilts)
        return Text.assemble(f"{label:>{_LABEL_WIDTH}} ", *(_block(tally, key, limits, cell_width) for key in cells))

    fused = [row(str(count), "fused", count) for count in reversed(grid.haadf_tilts)]
    below = [row(METHOD_LABELS[method], method, 0) for method in tally.config.baselines]
    axis = "".join(_fit(str(count), cell_width) for count in grid.chemical_tilts)
    heading = Text(f"{'HAADF tilts':>{_LABEL_WIDTH}}  best NRMSE of every cell", style="dim")
    gap = [Text()] if below else []
    return Group(heading, *fused, *gap, *below, Text(f"{'chemical':>{_LABEL_WIDTH}} {axis}", style="dim"))


def _cell_width(columns: int, width: int) -> int:
    fitting = (cell for cell in _CELL_WIDTHS if _LABEL_WIDTH + 1 + columns * cell <= width)
    return next(fitting, _CELL_WIDTHS[-1])


def _block(tally: Tally, key: str, limits: tuple[float, float], width: int) -> tuple[str, Style | str]:
    """The text of a cell and its style: waiting, only failures so far, or its best NRMSE."""
    if key not in tally.nrmse:
        return ("✗".center(width), "red") if tally.done[key] else ("·".center(width), "dim")
    low, high = limits
    value = tally.nrmse[key]
    red, green, blue = _color((value - low) / (high - low) if high > low else 0.0)
    # not "black" and "white": themes of terminals give these names other colours
    ink = "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 130 else "#ffffff"
    done = tally.done[key] >= tally.due[key]
    return _fit(_number(value, width), width), Style(color=ink, bgcolor=f"rgb({red},{green},{blue})", bold=done)


def _number(value: float, width: int) -> str:
    """0.342 in 6 characters, 0.34 in 5, .34 in 4 (1.3 from 1 on), nothing in 2."""
    if width < 4:
        return ""
    if width == 4:
        return f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"[1:]
    return f"{value:.{width - 3}f}" if value < 9.99 else f"{value:.0f}"


def _fit(text: str, width: int) -> str:
    """Centred, and without the text where it would not fit."""
    return (text if len(text) < width else "").center(width)


def _color(fraction: float) -> tuple[int, int, int]:
    position = fraction * (len(_VIRIDIS) - 1)
    index = min(int(position), len(_VIRIDIS) - 2)
    pairs = zip(_VIRIDIS[index], _VIRIDIS[index + 1], strict=True)
    return tuple(round(a + (position - index) * (b - a)) for a, b in pairs)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def duration(seconds: float | None) -> str:
    """1h 2m, 1m 20s or 20s; "unknown" for None."""
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"
