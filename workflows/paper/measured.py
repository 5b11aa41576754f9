"""What was last found of each figure? A file beside its pictures, which later calls list."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fusedtomo.errors import InputError
from fusedtomo.files import replacing
from fusedtomo.incoming import read_json
from workflows.control.provenance import commit
from workflows.paper.claims import COLUMNS
from workflows.paper.reproduce import Reproduced

MEASURED = "measured.json"


def note(done: Reproduced, folder: Path) -> None:
    """Write captions, comparison and the record of a figure beside its pictures."""
    texts = [f"# {done.figure.title} ({done.figure.paper})\n"]
    for one in done.exhibits:
        texts.append(f"**{one.title}.** {one.caption} ({', '.join(path.name for path in one.files)})\n")
    _write(folder / "captions.md", "\n".join(texts))
    _write(folder / "comparison.csv", pd.DataFrame(done.rows, columns=list(COLUMNS)).to_csv(index=False))
    _write(folder / MEASURED, json.dumps(_record(done), indent=2, ensure_ascii=False) + "\n")


def _record(done: Reproduced) -> dict[str, Any]:
    return {
        "figure": done.figure.name,
        "sizes": done.sizes,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "spent": done.spent,
        "comparison": [dict(zip(COLUMNS, row, strict=True)) for row in done.rows],
    }


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def last_measured(folder: Path) -> str:
    """The day and the verdicts of the last time that a figure was made; empty where it never was."""
    if not (folder / MEASURED).is_file():
        return ""
    record = read_json(folder / MEASURED, "the record of a figure")
    try:
        verdicts = [row["verdict"] for row in record["comparison"]]
        counts = (f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
        return f"{record['date'][:10]}: {', '.join(counts) or 'drawn'}; {record['spent']}"
    except (TypeError, KeyError) as error:
        raise InputError(f"{folder / MEASURED}: not the record of a figure ({error!r}); delete it") from None
