"""`fusedtomo advise`: how should a dose be split between HAADF and chemical maps, and over how many tilts?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workflows.command.app import app, example, say
from workflows.command.words import values_of

if TYPE_CHECKING:
    from workflows.maps.advice import Advice, Cell, Prices, Rival, Share
    from workflows.record.runfolder import RunFolder

_COUNTS = "counts/pixel"


@app.command(
    epilog=example(
        "fusedtomo advise runs/dose --dose-budget 200",
        "fusedtomo advise runs/dose --dose-budget 5e5 --haadf-count 0.17 --chemical-count 3.5e4 --figure front.png",
    )
)
def advise(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="run folders of one specimen")],
    budget: Annotated[
        float, typer.Option("--dose-budget", "-D", help="the dose that there is, of all images together")
    ],
    haadf_count: Annotated[float, typer.Option(help="what a HAADF count per pixel costs of the budget")] = 1.0,
    chemical_count: Annotated[float, typer.Option(help="the same of a count of a chemical map")] = 1.0,
    method: Annotated[str | None, typer.Option(help="for whom; default: the campaign's first method")] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="AXIS=VALUE", help="a value of an axis that costs no dose, such as misalignment=0.5"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="everything as one JSON object")] = False,
    figure: Annotated[Path | None, typer.Option(help="draw dose against error into this file (PNG and SVG)")] = None,
) -> None:
    """Choose the cell of the lowest error within a dose, from runs over tilts, SNR or dose.

    Doses are counts per pixel of all images that a method uses; give the price of a count to reckon in e/Å². Nothing is
    extrapolated: where the budget lies outside of what was computed, a warning says so.
    """
    from workflows.maps.advice import Prices
    from workflows.record.runfolder import RunFolder

    folders = [RunFolder.read(path) for path in runs]
    found = _advice(folders, budget, method, Prices(haadf_count, chemical_count), at or [])
    unit = _COUNTS if haadf_count == chemical_count == 1 else "unit of the budget"
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=2))
    else:
        _show(Console(), found, unit)
    for warning in (*_unfinished(folders), *found.warnings):
        say.print(f"[yellow]warning:[/yellow] {escape(warning)}")
    if figure:
        _draw(found, unit, figure)


def _advice(folders: list[RunFolder], budget: float, method: str | None, prices: Prices, at: list[str]) -> Advice:
    from workflows.campaign.measures import label_of
    from workflows.maps.advice import advise, cells_of, check_comparable
    from workflows.maps.sampling_map import sampling_map

    configs = [folder.config for folder in folders]
    check_comparable(configs)
    axes = list(dict.fromkeys(name for config in configs for name in config.axes))
    fixed = values_of(axes, at, "these runs")
    cells = [
        cell
        for folder in folders
        for cell in cells_of(folder.config, sampling_map(folder.config, folder.trials()), prices, fixed)
    ]
    measure = label_of(configs[0].search.minimise)
    return advise(cells, budget, method or configs[0].methods[0], measure)


def _unfinished(folders: list[RunFolder]) -> Iterator[str]:
    from workflows.record.tally import Tally

    for folder in folders:
        tally = Tally(folder.config, folder.trials())
        if tally.missing:
            yield f"{folder.path}: {tally.missing} of {tally.total} trials are missing; cells may still become better"


def _show(console: Console, found: Advice, unit: str) -> None:
    """The front with the recommended cell marked, then what it means in sentences."""
    table = Table("", "cell", "HAADF", "chemical", "total dose", found.measure, box=None)
    for cell in found.front(found.method):
        mark = "*" if cell is found.best else ""
        table.add_row(mark, cell.condition.words, *_shares(cell), f"{cell.dose:.4g}", _error(cell))
    console.print(f"the front of {found.measure} and total dose ({unit}), * within {found.budget:g}:", markup=False)
    console.print(table)
    for sentence in _sentences(found):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _shares(cell: Cell) -> tuple[str, str]:
    return (_share(cell.haadf) if cell.haadf else "none"), _share(cell.chemical)


def _share(share: Share) -> str:
    return f"{share.dose:.4g} over {share.tilts} tilts"


def _error(cell: Cell) -> str:
    return f"{cell.error:.3f}" + (f" ± {cell.deviation:.3f}" if math.isfinite(cell.deviation) else "")


def _sentences(found: Advice) -> Iterator[str]:
    from fusedtomo.methods import METHODS

    best = found.best
    if best is None:
        return
    haadf, chemical = _shares(best)
    yield f"best within the budget: {best.condition.words}: HAADF {haadf}, chemical {chemical}"
    yield f"  {found.measure} {_error(best)}: {_noise(found, best)}"
    for rival in found.rivals:
        yield f"  {METHODS[rival.method].label}: {_rival(rival, best, found.measure)}"


def _noise(found: Advice, best: Cell) -> str:
    if not math.isfinite(best.deviation):
        return "one seed, its noise is not known"
    said = f"mean and standard deviation of {best.repeats} seeds"
    near = [cell for cell in found.as_good if cell is not best]
    if near:
        said += f"; {len(near)} more within the noise, the cheapest {near[0].condition.words} at {near[0].dose:.4g}"
    return said


def _rival(rival: Rival, best: Cell, measure: str) -> str:
    if rival.at_dose is None:
        said = "no cell for that dose"
    else:
        said = f"{measure} {_error(rival.at_dose)} for {rival.at_dose.dose:.4g}"
        if rival.most <= best.dose:
            said += ", its dearest cells cost no more"
    if rival.as_good is None:
        return f"{said}; no cell is as good, up to a dose of {rival.most:.4g}"
    return f"{said}; as good from {rival.as_good.dose:.4g}, {rival.as_good.dose / best.dose:.2g} times the dose"


def _as_json(found: Advice) -> dict[str, Any]:
    return {
        "budget": found.budget,
        "method": found.method,
        "measure": found.measure,
        "best": _cell_json(found.best),
        "within_noise": [_cell_json(cell) for cell in found.as_good],
        "front": [_cell_json(cell) for cell in found.front(found.method)],
        "others": [
            {
                "method": rival.method,
                "at_dose": _cell_json(rival.at_dose),
                "as_good": _cell_json(rival.as_good),
                "known_to_dose": rival.most,
            }
            for rival in found.rivals
        ],
        "warnings": list(found.warnings),
    }


def _cell_json(cell: Cell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    shares = {name: share and vars(share) for name, share in (("haadf", cell.haadf), ("chemical", cell.chemical))}
    return {
        "cell": cell.condition.key,
        **dict(cell.condition.at),
        "error": cell.error,
        "deviation": cell.deviation if math.isfinite(cell.deviation) else None,
        "repeats": cell.repeats,
        "dose": cell.dose,
        "split": shares,
    }


def _draw(found: Advice, unit: str, path: Path) -> None:
    from fusedtomo.plot.drawing import save_figure, to_figure
    from workflows.figures.advice import advice_info, draw_advice

    for written in save_figure(to_figure(draw_advice, advice_info(found, unit)), path):
        say.print(f"{written}", markup=False)
