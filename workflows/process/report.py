"""What was assumed, checked and found? One page of a run of `fusedtomo process`, made from the files in its folder."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from fusedtomo.files import replacing
from fusedtomo.importing import ImportRecipe
from fusedtomo.io import read_history, read_volume
from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import for_a_page, save_figure, to_figure
from fusedtomo.plot.history import draw_history, history_info
from fusedtomo.plot.slices import draw_slices, slices_info
from fusedtomo.solvers.convergence import convergence
from fusedtomo.tilts import FusedDataset
from fusedtomo.weighing import Weighed, read_weighed
from workflows.figures.recorded import RecordedInfo, draw_recorded
from workflows.report.html import figure, page, pairs, table
from workflows.report.product import Exhibit

_PLAIN = "The error of every number is not known: there is no truth."


def write_report(
    path: Path,
    recipe: ImportRecipe,
    source: Path,
    dataset: FusedDataset,
    methods: Sequence[str],
    seconds: Mapping[str, float],
) -> None:
    """Write the page; every figure becomes a file beside it."""
    folder = path.parent
    sections = {
        "What was recorded": _recorded(folder, dataset),
        "What was assumed": _list(_json(folder / "import.json")) + pairs(recipe.process.model_dump()),
        **({"Alignment": _aligned(folder)} if recipe.process.align else {}),
        "Checks": _checks(folder, methods),
        "Weights": "".join(_weights(folder, methods)),
        "Result": _slices(folder, methods),
        "Tilts that were held out": held_out(folder, methods),
        "Resolution": _resolution(folder),
        "Cost": _cost(folder, methods[0]),
        "Time": pairs({name: f"{value:.1f} s" for name, value in seconds.items()}),
        "Recipe": f"<pre>{escape(source.read_text(encoding='utf-8'))}</pre>",
    }
    with replacing(path) as temporary:
        temporary.write_text(page(f"{source.stem}: {METHODS[methods[0]].label}", sections), encoding="utf-8")


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _picture(folder: Path, name: str, caption: str, alt_text: str) -> str:
    png = folder / f"{name}.png"
    return figure(Exhibit(name, caption, alt_text, for_a_page(png), (png,)))


def _recorded(folder: Path, dataset: FusedDataset) -> str:
    info = RecordedInfo.of(dataset)
    save_figure(to_figure(draw_recorded, info), folder / "recorded.png")
    return _picture(folder, "recorded", "The tilt nearest to 0 degrees: HAADF, and counts of every map.", info.alt_text)


def _aligned(folder: Path) -> str:
    told = _json(folder / "moves.json")
    rows = [(name, told[name]["correlation"], told[name]["reprojection_error"]) for name in ("before", "after")]
    numbers = table(("", "correlation of neighbouring images", "reprojection error"), rows)
    text = f"Tilt axis {told['axis_deg']:+.2f} degrees from x."
    return f"<p>{text}</p>{numbers}" + _picture(folder, "alignment", "Shifts, correlation and sinograms.", text)


def _checks(folder: Path, methods: Sequence[str]) -> str:
    found = [f"warning ({one['kind']}): {one['text']}" for one in _json(folder / "checks.json")]
    costs = {METHODS[m].label: convergence(read_history(folder / f"{m}.h5")) for m in methods}
    none = "" if found else "<p>None of the known failures shows. That is no proof that there is none.</p>"
    return none + _list([*found, *(f"cost of {label}: {verdict}" for label, verdict in costs.items())])


def _weights(folder: Path, methods: Sequence[str]) -> Iterator[str]:
    for method in methods:
        path = folder / f"weights-{method}.json"
        if not path.exists():
            yield f"<p>{escape(METHODS[method].label)} has no weights.</p>"
            continue
        found = read_weighed(path)
        yield f"<h3>{escape(METHODS[method].label)}</h3><p>{escape(rule_of(found))}</p>"
        rows = [
            (
                "*" if one.weights == found.weights else "",
                one.weights.haadf,
                one.weights.tv,
                one.folds,
                one.deviance,
                one.haadf,
            )
            for one in found.tried
        ]
        yield table(("", "haadf", "tv", "folds", "held-out counts", "held-out HAADF"), rows)


def rule_of(found: Weighed) -> str:
    """Why these weights were taken."""
    ended = "" if found.ended else " The search ended with its solves, so that weights further off may predict better."
    return (
        f"Half deviances of held-out counts and HAADF tilts beyond those of the best weights, a mean over folds. Of "
        f"all within one standard error ({found.standard_error:.1f}) of the least, the nearest to the prior (haadf "
        f"{found.prior.haadf:g}, tv {found.prior.tv:g}) was taken (*). {found.solves} solves of columns "
        f"{found.columns[0]} to {found.columns[1]}.{ended}"
    )


def _slices(folder: Path, methods: Sequence[str]) -> str:
    volumes = {METHODS[m].label: read_volume(folder / f"{m}.h5") for m in reversed(methods)}
    main = list(volumes.values())[-1]
    alike = {label: one for label, one in volumes.items() if one.elements == main.elements}
    depth, width, _ = main.shape
    plane = "zy" if 2 * depth > width else "yx"
    middle = (depth if plane == "yx" else main.shape[2]) // 2
    info = slices_info(alike, plane=plane, index=middle, scaled_by=list(alike)[-1], brightest=0.995)
    save_figure(to_figure(draw_slices, info), folder / "slices.png")
    return _picture(folder, "slices", f"{info.place}. {_PLAIN}", info.alt_text)


def held_out(folder: Path, methods: Sequence[str]) -> str:
    """A row a method: the deviance of tilts that it did not see, beside that of the first method."""
    path = folder / "held-out.json"
    if not path.exists():
        return "<p>No method has a chemical term.</p>"
    told = _json(path)
    rows = list(held_out_rows({name: np.array(one) for name, one in told["deviances"].items()}, told["pixels"]))
    note = (
        f"Deviance of the counts (twice the log-likelihood ratio to a perfect prediction) of chemical tilts that a "
        f"reconstruction did not see, in columns {told['columns'][0]} to {told['columns'][1]}; the difference to the "
        f"first method with its standard error over images."
    )
    return f"<p>{escape(note)}</p>" + table(("method", "deviance", "per pixel", "more than the first", "error"), rows)


def held_out_rows(deviances: Mapping[str, np.ndarray], pixels: int) -> Iterator[tuple[str, str, float, str, str]]:
    """Label, deviance, the same a pixel, its difference to the first method, and the error of that."""
    first = next(iter(deviances.values()))
    for method, values in deviances.items():
        more = values - first
        error = float(np.sqrt(more.size) * more.std(ddof=1))
        label = METHODS[method].label
        yield label, f"{values.sum():.0f}", float(values.mean() / pixels), f"{more.sum():+.0f}", f"{error:.0f}"


def _resolution(folder: Path) -> str:
    rows = _json(folder / "resolution.json")
    shown = table(rows[0], (tuple(row.values()) for row in rows)) if rows else ""
    note = (
        "Two reconstructions, each from half of the counts and half of the HAADF tilts, agree down to these lengths "
        "(nm). Total variation makes both smooth, so that agreement does not prove detail."
    )
    text = "Power spectra, shell correlations between the halves, and edges."
    return f"<p>{note}</p>{shown}" + _picture(folder, "resolution", text, text)


def _cost(folder: Path, method: str) -> str:
    history = {name: values for name, values in read_history(folder / f"{method}.h5").items() if values.max() > 0}
    save_figure(to_figure(draw_history, history_info(history)), folder / "cost.png")
    return _picture(folder, "cost", "The terms of the cost over the iterations.", "Cost curves.")
