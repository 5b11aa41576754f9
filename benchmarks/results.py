"""Benchmark results as Markdown and a figure for people, and JSON for programs."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.machine import cpu_model

FOLDER = Path(__file__).parent / "results"
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Results:
    """One benchmark's outcome.

    Attributes:
        what: the benchmark's name.
        machine: as `machine.describe` gives it.
        rows: one mapping a line of the table, all with the same keys.
        notes: what was measured, bars met or missed, rows left out and why.
        more: further tables by their titles.
        curves: what the figure shows beyond the tables; for the JSON file.
        figure: a matplotlib figure, saved beside the tables.
    """

    what: str
    machine: Mapping[str, str]
    rows: Rows
    notes: Sequence[str]
    more: Mapping[str, Rows] = field(default_factory=dict)
    curves: Any = None
    figure: Any = None

    def markdown(self) -> str:
        """The whole report."""
        machine = "\n".join(f"- {name}: {value}" for name, value in self.machine.items())
        return f"# Benchmark: {self.what}, {date.today()}\n\n{machine}\n\n{self.body()}\n"

    def body(self) -> str:
        """Tables and notes."""
        more = (f"## {title}\n\n{table(rows)}" for title, rows in self.more.items())
        return "\n\n".join([table(self.rows), *more, "\n".join(f"- {note}" for note in self.notes)])

    def write(self, folder: Path = FOLDER) -> Path:
        """Write <date>-<cpu>-<what>.md, .json and, where there is a figure, .png; return the Markdown file."""
        folder.mkdir(parents=True, exist_ok=True)
        cpu = re.sub(r"[^a-z0-9]+", "-", cpu_model().lower()).strip("-")
        path = folder / f"{date.today()}-{cpu}-{self.what}.md"
        path.write_text(self.markdown())
        kept = {name: value for name, value in vars(self).items() if name != "figure"}
        path.with_suffix(".json").write_text(json.dumps(kept, indent=1) + "\n")
        if self.figure is not None:
            self.figure.savefig(path.with_suffix(".png"), dpi=130)
        return path


def verdict(bar: str, met: bool, found: str) -> str:
    """A note on a bar: "bar: ...: 41.2, met"."""
    return f"bar: {bar}: {found}, {'met' if met else '**not met**'}"


def table(rows: Rows) -> str:
    """A Markdown table; numbers with three significant digits, None as a dash."""
    header = list(rows[0])
    lines = [header, ["---"] * len(header), *([_cell(row[key]) for key in header] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
