"""What is the interactive part of a campaign's report? Its HTML, its numbers and the scripts that show them."""

from html import escape
from itertools import product

from fusedtomo.plot.heat_map import MARKS
from workflows.campaign import Value
from workflows.maps.sampling_map import lowest
from workflows.report.findings import VOLUMES, Findings
from workflows.report.live import Live, asset, volumes_template
from workflows.report.numbers import Json, campaign_numbers
from workflows.report.product import Exhibit
from workflows.report.single_cells import Chosen, cell_numbers

_SCRIPTS = ("words.js", "heat.js", "map.js", "figures.js", "cell.js", "table.js", "explore.js")
_MARK_NAMES = {"c": "cap", "b": "bound", "r": "regret"}


def explorer(findings: Findings, chosen: Chosen) -> Live:
    """The part of the page that is clicked through."""
    numbers: Json = {
        **campaign_numbers(findings),
        **cell_numbers(findings, chosen),
        "across": min(1, len(findings.config.axes) - 1),
        "upwards": 0,
        "first_cell": _first_cell(findings),
        "files": _kept_files(findings),
        "mark_names": _MARK_NAMES,
        "mark_words": {letter: words.partition(": ")[2] for letter, words in MARKS.items()},
    }
    links = {"explore": "Explore", "trials": "Trials"}
    return Live(asset("explore.html") + volumes_template(), links, numbers, _SCRIPTS)


def _first_cell(findings: Findings) -> int | None:
    """The number of the cell that is shown first: the first one named for slices, else the one of the lowest error."""
    config = findings.config
    wanted: tuple[tuple[Value, ...], ...] = config.report.slices or lowest(findings.map, config.methods[0])
    cells = list(product(*config.axes.values()))
    return cells.index(wanted[0]) if wanted else None


def _kept_files(findings: Findings) -> dict[str, str]:
    """Where the kept reconstructions lie, from the page, by condition."""
    kept = (one for one in findings.config.conditions() if findings.is_kept(one))
    return {one.key: f"{VOLUMES}/{one.key}.h5" for one in kept}


def files_list(exhibits: list[Exhibit]) -> str:
    """Links to the files of the figures that a page to explore leaves out."""
    rows = "".join(
        f"<li>{escape(one.title)}: {', '.join(_link(file.name) for file in one.files)}</li>" for one in exhibits
    )
    return f"<ul>{rows}</ul>"


def _link(name: str) -> str:
    return f'<a href="{escape(name)}">{escape(name)}</a>'
