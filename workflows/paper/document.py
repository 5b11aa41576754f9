"""How do the figures made again become one document, with the paper's numbers beside those found here?"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from fusedtomo.files import replacing
from workflows.paper.claims import COLUMNS
from workflows.paper.reproduce import Reproduced, Wanted
from workflows.report.html import figure, page, table

_INTRODUCTION = (
    "Each figure of J. Schwartz et al., Nature Communications 15, 3555 (2024), made again by this program from its own "
    "simulated specimens. The paper's specimens are not public, and its sizes are larger where the size below is not "
    "256: numbers are to be compared with that in mind, and the notes say what is known to differ."
)


def write_document(path: Path, done: Sequence[Reproduced], wanted: Wanted) -> None:
    """Write all figures, captions and the comparison table as one self-contained page."""
    with replacing(path) as temporary:
        temporary.write_text(page("The paper, made again", _sections(done, wanted)), encoding="utf-8")


def _sections(done: Sequence[Reproduced], wanted: Wanted) -> dict[str, str]:
    compared = [(one.figure.paper, *row) for one in done for row in one.rows]
    return {
        "The paper's numbers": f"<p>{escape(_INTRODUCTION)}</p>" + table(("figure", *COLUMNS), compared),
        **{f"{one.figure.paper}: {one.figure.title}": _section(one, wanted) for one in done},
    }


def _section(done: Reproduced, wanted: Wanted) -> str:
    folder = f"{wanted.folder(done.figure).name}/"
    sizes = ", ".join(f"{size}³" for size in done.sizes)
    facts = f"{sizes} voxels; campaigns {', '.join(done.figure.campaigns)}; {done.spent}."
    shown = "".join(f"<h3>{escape(one.title)}</h3>{figure(one, folder)}" for one in done.exhibits)
    compared = table(COLUMNS, done.rows) if done.rows else ""
    return f'<p class="note">{escape(facts)}</p>{compared}{shown}'
