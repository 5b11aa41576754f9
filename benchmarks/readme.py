"""The end of benchmarks/README.md: the latest result of every benchmark."""

import re
from pathlib import Path

from benchmarks.results import FOLDER

README = Path(__file__).with_name("README.md")
_HEADING = "## Latest"
_ORDER = (
    *("projector", "tv", "roofline", "reconstruct", "convergence", "convergence-quick", "edges", "ranges", "pace"),
    *("mpi", "steering", "slabs", "search", "priors"),
)
_NAME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)-(?P<cpu>.+?)-(?P<what>" + "|".join(sorted(_ORDER, key=len)[::-1]) + "|gpu.*)$"
)


def rewrite(readme: Path = README, folder: Path = FOLDER) -> None:
    """Write everything below the heading "Latest" anew."""
    text = readme.read_text().partition(_HEADING)[0]
    sections = (_section(path) for path in latest(folder))
    readme.write_text(text + _HEADING + "\n\n" + "\n\n".join(sections) + "\n")


def latest(folder: Path) -> list[Path]:
    """The newest report of every benchmark."""
    newest = {_NAME.match(path.stem)["what"]: path for path in sorted(folder.glob("*.md")) if _NAME.match(path.stem)}
    return [newest[what] for what in (*_ORDER, *sorted(set(newest) - set(_ORDER))) if what in newest]


def _section(path: Path) -> str:
    """A report without its title and its list of software, under a heading that names machine and date."""
    name, text = _NAME.match(path.stem), path.read_text()
    cpu, cores = (re.search(rf"^- {key}: (.+)$", text, re.MULTILINE)[1] for key in ("cpu", "cores"))
    body = text.split("\n\n", 2)[2].strip()
    picture = path.with_suffix(".png")
    shown = f"\n\n![{name['what']}](results/{picture.name})" if picture.exists() else ""
    heading = f"### [{name['what']}](results/{path.name}), {name['date']}, {cpu}, {cores} cores"
    return f"{heading}{shown}\n\n{body.replace('## ', '#### ')}"
