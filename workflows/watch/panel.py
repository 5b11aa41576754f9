"""How is the standing of a campaign said? As a panel for terminals and as one line for logs; both only say."""

import time
from typing import TypeGuard

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from workflows.campaign.config import sizes_text
from workflows.campaign.layout import layout_of
from workflows.campaign.measures import label_of
from workflows.record.state import RUNNING, State
from workflows.record.tally import PAPER_GPU_HOURS, PAPER_SIZE, Tally, hours_text, printable
from workflows.watch.heatmap import heat_map, map_rows, other_lines

_BAR = 30
_WORD = 8  # width of the first column
_OTHER_LINES = 8  # besides map and failures


def panel(
    tally: Tally, state: State | None, now: float, width: int, most_reasons: int = 20, height: int | None = None
) -> RenderableType:
    """Counts, map and failures.

    Args:
        tally: what ended.
        state: the controller's last word; None when it never wrote one.
        now: Unix time.
        width: of the terminal in characters.
        most_reasons: reasons of failures that are shown.
        height: lines that it may take; the map gets denser where it would take more.
    """
    title = Text.assemble((tally.config.name, "bold"), "  ", standing(tally, state, now))
    counts = Table.grid(padding=(0, 2))
    counts.add_column(width=_WORD)
    for name, text in _rows(tally, state, now).items():
        counts.add_row(name, text)
    failures = _failures(tally, most_reasons)
    if height is None:
        return Group(title, _bar_row(tally, state, now), counts, Text(), heat_map(tally, width), *failures)
    layout = layout_of(tally.config)
    room = height - _OTHER_LINES - other_lines(layout)
    below = 3 + min(len(tally.reasons), most_reasons) if failures else 0
    if map_rows(layout) > 2 * (room - below):  # even two rows a line: the map comes first
        failures, below = [], 0
    drawn = heat_map(tally, width, room - below)
    return Group(title, _bar_row(tally, state, now), counts, Text(), drawn, *failures)


def line(tally: Tally, state: State | None, now: float) -> str:
    """The state as one line of a log."""
    utilisation = percent(state.progress.utilisation if state else None)
    usual = _works(state, now) and state.phase == RUNNING
    said = [
        f"{clock(now, seconds=True)}  trials {tally.trials}/{tally.total}  {_lowest(tally)}",
        f"utilisation {utilisation}  failed {tally.failed.total()}  left {duration(_left_s(tally, state, now))}",
    ]
    return "  ".join(said if usual else [*said, standing(tally, state, now).plain])


def standing(tally: Tally, state: State | None, now: float) -> Text:
    """Who works on the run, if anyone does."""
    text = _standing(tally, state, now)
    return Text(printable(text.plain), style=text.style)


def _standing(tally: Tally, state: State | None, now: float) -> Text:
    if state is None:
        return Text("finished" if tally.complete else "no controller has written here yet", style="dim")
    who = f" on {state.machine} ({state.controller})" if state.machine else ""
    if state.alive(now):
        return Text(f"{state.phase}{who}", style="green")
    if state.over:
        cure = "" if tally.complete else "; the same command resumes it"
        return Text(f"{state.phase} at {clock(state.written)}{cure}", style="green" if tally.complete else "yellow")
    seen = f"controller {state.controller} not seen for {duration(state.age_s(now))}"
    return Text(f"{seen}; if it has ended, run it again", style="yellow")


def _works(state: State | None, now: float) -> TypeGuard[State]:
    return state is not None and state.alive(now)


def _bar_row(tally: Tally, state: State | None, now: float) -> RenderableType:
    row = Table.grid(padding=(0, 2))
    row.add_column(width=_WORD)
    running = f", {state.progress.running} running" if _works(state, now) else ""
    bar = ProgressBar(total=max(1, tally.total), completed=tally.trials, width=_BAR)
    row.add_row("trials", bar, f"{tally.trials}/{tally.total}, {tally.failed.total()} failed{running}")
    return row


def _rows(tally: Tally, state: State | None, now: float) -> dict[str, str]:
    rows = {"cells": f"{tally.cells_done}/{len(tally.due)} done, {_lowest(tally)}"}
    if tally.certificate:
        rows["regret"] = f"at most {tally.certificate} (95 %)"
    if state is not None:
        rows["workers"] = _workers(state, now)
    if _works(state, now) and not tally.complete:
        left_s = _left_s(tally, state, now)
        end = "unknown before the first trial" if left_s is None else f"in {duration(left_s)}, at {clock(now + left_s)}"
        rows["end"] = f"{end}; running for {duration(state.progress.elapsed_s)}"
    paper = f"paper: {PAPER_GPU_HOURS} GPU hours at {PAPER_SIZE}³"
    rows["spent"] = f"{hours_text(tally.hours)} at {sizes_text(tally.config)}; {paper}"
    return rows


def _lowest(tally: Tally) -> str:
    return f"lowest {label_of(tally.config.search.minimise)} {tally.lowest_text()}"


def _workers(state: State, now: float) -> str:
    progress = state.progress
    used = f"{progress.workers}, utilisation {percent(progress.utilisation)}"
    if not _works(state, now):
        return f"{used} in the last session"
    return f"{used}, the longest task runs for {duration(progress.longest_s)}" if progress.running else used


def _left_s(tally: Tally, state: State | None, now: float) -> float | None:
    """Seconds to the end, as predicted when the state was written; None when nobody works or knows."""
    if tally.complete:
        return 0.0
    if not _works(state, now) or state.left_s is None:
        return None
    return max(0.0, state.left_s - state.age_s(now))


def _failures(tally: Tally, most: int) -> list[RenderableType]:
    if not tally.reasons:
        return []
    table = Table("failed", "reason", box=None, title="failures by reason", title_justify="left")
    for reason, count in tally.reasons.most_common(most):
        table.add_row(str(count), Text(reason))  # Text: a reason may hold what rich takes for markup
    more = len(tally.reasons) - most
    note = [Text(f"{more} more: fusedtomo trials RUN --failed", style="dim")] if more > 0 else []
    return [Text(), table, *note]


def percent(share: float | None) -> str:
    """A share as ``93 %``."""
    return "–" if share is None else f"{100 * share:.0f} %"


def clock(now: float, *, seconds: bool = False) -> str:
    """Unix time as the reader's clock shows it, with the day when it is another one."""
    moment = time.localtime(now)
    same_day = moment[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if seconds else "%H:%M" if same_day else "%a %d %b %H:%M", moment)


def duration(seconds: float | None) -> str:
    """1h 2m, 1m 20s or 20s; "unknown" for None."""
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"
