"""docs/paper.md: each figure and number of the paper beside what this code found, from the records of real runs.

``python -m docs.paper RUNS`` writes the page anew from the folder that ``fusedtomo reproduce`` wrote (``--out``), and
copies the pictures that it shows. What no run has measured stands there as such.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from workflows.paper.figure import PAPER, PaperFigure
from workflows.paper.measured import MEASURED

PAGE = Path(__file__).with_name("paper.md")
IMAGES = Path(__file__).with_name("images")
_MOST_PICTURES = 1  # a figure
_WIDTH = 1000

_INTRODUCTION = """# The paper, number by number

What J. Schwartz et al. (Nature Communications 15, 3555, 2024) say with a number, and what this code gives. This page
is written by `python -m docs.paper` from the records of real runs of
[`fusedtomo reproduce`](campaigns.md#the-papers-figures); nothing on it is typed by hand but the notes, which stand
beside the claims in workflows/paper/.

How to read it:

- *holds*: the statement holds here; *does not hold*: it does not, at this size; *beside it*: a number without verdict.
- 0.31 ± 0.01: mean and standard deviation over three seeds of noise that no search has seen, with the weights that the
  search found; of such numbers *within noise* means that the statement holds on some of the three and not on others.
  Where a claim is about a whole map, a few of its cells were computed again, and the others follow them in proportion.
- Numbers without ± are of the best trials as they were searched.
- Specimens are this program's own, drawn after the paper's descriptions: the paper's are not public. At 40³ voxels a
  nanocube has six times fewer voxels along an edge than at the paper's 256³. From 40³ to 128³ the error of fusion falls
  and that of conventional tomography grows: how results move with size is a figure of its own, the last one.
- Every cell has its own best weights, found in few trials: the lowest of them favours luck a little, which other noise
  takes away.
- NRMSE is the paper's: volumes are normalised to zero mean and unit deviation first, so that it is blind to gain and
  offset ([conventions](conventions.md)). RMSE and stoichiometry error stand beside it in the tables of every run.
"""


def page(runs: Path) -> str:
    """The page, from the records below `runs`."""
    return "\n".join([_INTRODUCTION, *(part for figure in PAPER.values() for part in _section(figure, runs))])


def records(figure: PaperFigure, runs: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The folders of a figure and what was measured, the largest size last."""
    folders = [folder for folder in runs.glob(f"{figure.name}*") if (folder / MEASURED).is_file()]
    found = [(folder, json.loads((folder / MEASURED).read_text("utf-8"))) for folder in folders]
    return sorted(((f, r) for f, r in found if r["figure"] == figure.name), key=lambda one: max(one[1]["sizes"]))


def _section(figure: PaperFigure, runs: Path) -> Iterator[str]:
    yield f"\n## {figure.paper}: {figure.title}\n"
    yield f"`fusedtomo reproduce {figure.name}`; campaigns {', '.join(f'`{name}`' for name in figure.campaigns)}.\n"
    found = records(figure, runs)
    if not found:
        yield "No run has measured it yet.\n"
    for _, record in found:
        sizes = ", ".join(f"{size}³" for size in record["sizes"])
        yield f"**{sizes} voxels**, {record['date'][:10]}, commit {record['commit'][:12]}, {record['spent']}.\n"
        yield from _table(record["comparison"], {claim.says: claim.note for claim in figure.claims})
    for folder, _ in found[-1:]:
        yield from (f"![{figure.title}]({path})\n" for path in _pictures(figure, folder))


def _table(comparison: list[dict[str, str]], notes: dict[str, str]) -> Iterator[str]:
    """Rows of a record; its notes as they read today."""
    if not comparison:
        yield "The paper gives no number here.\n"
        return
    yield "| the paper says | found here | | note |\n| --- | --- | --- | --- |"
    for recorded in comparison:
        row = recorded | {"note": notes.get(recorded["the paper says"], recorded["note"])}
        yield "| {} |".format(" | ".join(text.replace("|", "\\|") for text in row.values()))
    yield ""


def _pictures(figure: PaperFigure, folder: Path) -> Iterator[str]:
    """Copy the first pictures of a figure beside the page."""
    order = [f"*-{name}*.png" for name in figure.shows] + [f"{draw.__name__}.png" for draw in figure.draw]
    pictures = [path for pattern in order for path in sorted(folder.glob(pattern))[:1]]
    for picture in pictures[:_MOST_PICTURES]:
        named = picture.name.startswith("paper-")
        copy = IMAGES / (picture.name if named else f"paper-{figure.name}-{picture.name}")
        _shrink(picture, copy)
        yield f"images/{copy.name}"


def _shrink(picture: Path, copy: Path) -> None:
    """For a page: at most 1000 pixels wide; of fewer colours, elements would lose theirs."""
    with Image.open(picture) as image:
        image.thumbnail((_WIDTH, 10 * _WIDTH))
        image.convert("RGB").save(copy, optimize=True)


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1])), encoding="utf-8")
    print(PAGE)
