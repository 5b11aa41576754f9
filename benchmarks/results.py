"""Benchmark results as Markdown for people and JSON for programs."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from benchmarks.machine import cpu_model

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Results:
    """One benchmark's outcome.

    Attributes:
        what: "projector" or "reconstruct".
        machine: as `machine.describe` gives it.
        rows: one mapping a line of the table, all with the same keys.
        notes: what was measured, bars met or missed, rows left out and why.
    """

    what: str
    machine: Mapping[str, str]
    rows: Sequence[Mapping[str, str | float]]
    notes: Sequence[str]

    def markdown(self) -> str:
        """The whole report."""
        machine = "\n".join(f"- {name}: {value}" for name, value in self.machine.items())
        notes = "\n".join(f"- {note}" for note in self.notes)
        return f"# Benchmark: {self.what}, {date.today()}\n\n{machine}\n\n{table(self.rows)}\n\n{notes}\n"

    def write(self, folder: Path = FOLDER) -> Path:
        """Write <date>-<cpu>-<what>.md and .json; return the Markdown file."""
        folder.mkdir(parents=True, exist_ok=True)
        cpu = re.sub(r"[^a-z0-9]+", "-", cpu_model().lower()).strip("-")
        path = folder / f"{date.today()}-{cpu}-{self.what}.md"
        path.write_text(self.markdown())
        path.with_suffix(".json").write_text(json.dumps(asdict(self), indent=1) + "\n")
        return path


def table(rows: Sequence[Mapping[str, str | float]]) -> str:
    """A Markdown table; numbers with three significant digits."""
    header = list(rows[0])
    lines = [header, ["---"] * len(header), *([_cell(row[key]) for key in header] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: str | float) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
