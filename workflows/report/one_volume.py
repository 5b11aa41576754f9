"""What does the page of one reconstruction hold? Its slices, surfaces and concentrations, beside truth and others."""

import math
from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.files import replacing
from fusedtomo.plot.elements import color_text
from fusedtomo.score import score
from fusedtomo.volume import ChemicalVolume
from workflows.report.html import page, table
from workflows.report.live import Live, asset, volumes_template
from workflows.report.numbers import Json, rounded
from workflows.report.packed import packed

TRUTH = "truth"
_BINS = 60
_SCRIPTS = ("view.js",)


def write_view(path: str | Path, volumes: Mapping[str, ChemicalVolume], facts: Mapping[str, object]) -> None:
    """Write the page; an older file stays whole until the new one is complete.

    Args:
        path: the HTML file.
        volumes: by label; `TRUTH` first, where it is known. All of one grid; elements of the first that all have.
        facts: where they come from, by name.

    Raises:
        InputError: the grids differ, or the volumes have no element in common.
    """
    alike = _alike(volumes)
    title = f"{', '.join(name for name in volumes if name != TRUTH)}: {', '.join(next(iter(alike.values())).elements)}"
    live = Live(asset("view.html") + volumes_template(), {"view": "Look"}, _numbers(alike), _SCRIPTS)
    with replacing(path) as temporary:
        temporary.write_text(page(title, _sections(alike, facts), live), encoding="utf-8")


def _alike(volumes: Mapping[str, ChemicalVolume]) -> dict[str, ChemicalVolume]:
    first_name, first = next(iter(volumes.items()))
    for name, volume in volumes.items():
        if volume.shape != first.shape:
            told = f"'{name}' has {volume.shape} voxels (z, y, x), '{first_name}' {first.shape}"
            raise InputError(f"{told}; give volumes of one grid")
    common = tuple(element for element in first.elements if all(element in one.elements for one in volumes.values()))
    if not common:
        told = "; ".join(f"'{name}' has {', '.join(volume.elements)}" for name, volume in volumes.items())
        raise InputError(f"the volumes have no element in common: {told}")
    return {name: volume.only(common) for name, volume in volumes.items()}


def _numbers(volumes: Mapping[str, ChemicalVolume]) -> Json:
    truth = volumes.get(TRUTH)
    elements = next(iter(volumes.values())).elements
    notes = {
        name: "" if one is truth or truth is None else f"NRMSE {_nrmse(one, truth)}" for name, one in volumes.items()
    }
    return {
        "elements": {element: color_text(element) for element in elements},
        "volumes": {name: packed(volume, truth) for name, volume in volumes.items()},
        "rows": [{"label": name, "note": notes[name], "key": name, "exact": name == TRUTH} for name in volumes],
        "histograms": {element: _histograms(volumes, element) for element in elements},
    }


def _nrmse(volume: ChemicalVolume, truth: ChemicalVolume) -> str:
    return f"{score(volume, truth).nrmse:.3f}"


def _histograms(volumes: Mapping[str, ChemicalVolume], element: str) -> list[Json]:
    """Shares of all voxels by concentration, over one range of all volumes; an empty bin has none."""
    most = max(float(volume[element].max()) for volume in volumes.values()) or 1.0
    edges = np.linspace(0, most, _BINS + 1)
    centres = rounded(((edges[1:] + edges[:-1]) / 2).tolist())
    return [
        {"label": name, "at": centres, "share": rounded(_shares(volume[element], edges))}
        for name, volume in volumes.items()
    ]


def _shares(values: np.ndarray, edges: np.ndarray) -> list[float]:
    counts = np.histogram(values, edges)[0]
    return [100 * count / values.size if count else math.nan for count in counts.tolist()]


def _sections(volumes: Mapping[str, ChemicalVolume], facts: Mapping[str, object]) -> dict[str, str]:
    first = next(iter(volumes.values()))
    z, y, x = first.shape
    size = f"{z} × {y} × {x} voxels (z, y, x) of {first.voxel_nm:.3g} nm"
    told = "" if max(first.shape) <= 64 else " In this page they are averaged to at most 64 voxels along an edge."
    about = f"<p>{escape(size)}.{told}</p>"
    return {"Numbers": about + _scores(volumes), "Where it comes from": table(("name", "value"), facts.items())}


def _scores(volumes: Mapping[str, ChemicalVolume]) -> str:
    """Highest and mean concentrations; errors where the truth is known."""
    truth, rows = volumes.get(TRUTH), []
    for name, volume in volumes.items():
        errors = score(volume, truth) if truth is not None and volume is not truth else None
        for element in volume.elements:
            own = volume[element]
            by = (errors.nrmse_by_element[element], errors.rmse_by_element[element]) if errors else (math.nan, math.nan)
            rows.append((name, element, float(own.max()), float(own.mean(dtype=np.float64)), *by))
    return table(("volume", "element", "highest concentration", "mean concentration", "NRMSE", "RMSE"), rows)
