"""What does the interactive page know of single cells? Landscapes, cost terms, concentrations and reconstructions."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fusedtomo.solvers.convergence import SOLVE
from fusedtomo.stoichiometry import BINS, stoichiometry
from fusedtomo.volume import ChemicalVolume
from workflows.campaign import Condition
from workflows.figures.landscape import landscape_info
from workflows.report.findings import Findings
from workflows.report.numbers import PARAMETERS, Json, order_of_cells, rounded
from workflows.report.of_cells import kept
from workflows.report.packed import bytes_of, packed

SURFACES = 24  # fits of a Gaussian process, some 0.1 s each
VOLUME_BYTES = 5_000_000  # of a page of 12 MB, in which plotly.js has five; the last cell may exceed them
_POINTS = 30  # of a surface along each axis: a page draws contours through them


@dataclass(frozen=True)
class Chosen:
    """Which cells a page holds more of than their trials.

    Attributes:
        surfaces: how many landscapes are fitted; of the others the page shows the trials alone.
        volume_bytes: how much all reconstructions may take.
    """

    surfaces: int = SURFACES
    volume_bytes: int = VOLUME_BYTES


USUAL, EVERY = Chosen(), Chosen(10**9, 10**12)


def cell_numbers(findings: Findings, chosen: Chosen) -> Json:
    """What a click on a cell shows beside its trials."""
    report = findings.config.report
    return {
        "landscapes": _landscapes(findings, chosen.surfaces),
        **_reconstructions(findings, order_of_cells(findings, report.slices), chosen.volume_bytes),
    }


def _landscapes(findings: Findings, most: int) -> dict[str, Json]:
    """Fitted surfaces by condition, of every method that searches, cell by cell in their order."""
    cells = order_of_cells(findings, findings.config.report.landscapes)
    conditions = dict.fromkeys(one for cell in cells for one in reversed(findings.beside(cell).values()))
    searched = [one for one in conditions if findings.config.space(one) and findings.best(one)]
    found = {one.key: _landscape(findings, one) for one in searched[:most]}
    return {key: landscape for key, landscape in found.items() if landscape}


def _landscape(findings: Findings, condition: Condition) -> Json | None:
    """The surface on a coarser grid; None with too few trials for one."""
    info = landscape_info(findings.config, findings.trials, condition, restarts=0)
    if info.surface is None or info.deviation is None:
        return None
    thin = [np.linspace(0, len(values) - 1, min(_POINTS, len(values))).round().astype(int) for values in info.grid]
    some = np.ix_(*reversed(thin))
    return {
        "axes": [
            {"name": one.name, "label": PARAMETERS.get(one.name, one.name), "scale": one.scale} for one in info.axes
        ],
        "grid": [rounded(values[at].tolist()) for values, at in zip(info.grid, thin, strict=True)],
        "surface": _nested(info.surface[some]),
        "deviation": _nested(info.deviation[some]),
        "held": {PARAMETERS.get(name, name): value for name, value in info.others.items()},
    }


def _nested(values: np.ndarray) -> list[Any]:
    return rounded(values.tolist()) if values.ndim == 1 else [rounded(row) for row in values.tolist()]


def _reconstructions(findings: Findings, cells: Iterable[Condition], most_bytes: int) -> Json:
    """Volumes, truths, cost terms and concentrations of the kept reconstructions, until so many bytes are full."""
    volumes: dict[str, Json] = {}
    found: Json = {"volumes": volumes, "truth_of": {}, "costs": {}, "concentrations": {}, "not_shown": []}
    for cell in cells:
        rows = kept(findings, cell)
        if not rows:
            continue
        if bytes_of(volumes) > most_bytes:
            found["not_shown"].append(cell.key)
            continue
        _add_cell(findings, cell, rows.values(), found)
    return found


def _add_cell(findings: Findings, cell: Condition, rows: Iterable[Condition], found: Json) -> None:
    truth = findings.truth(findings.first(cell))
    name = _named(truth)
    if name not in found["volumes"]:
        found["volumes"][name] = packed(truth)
    for condition in rows:
        found["truth_of"][condition.key] = name
        if condition.key not in found["volumes"]:
            volume = findings.volume(condition)
            found["volumes"][condition.key] = packed(volume, truth)
            found["costs"][condition.key] = _terms(findings, condition)
            found["concentrations"][condition.key] = concentrations(volume, truth)


def _named(truth: ChemicalVolume) -> str:
    """The same specimen has the same name, whatever cell asks."""
    digest = hashlib.sha256(repr((truth.elements, truth.voxel_nm, truth.shape)).encode())
    digest.update(truth.data.tobytes())
    return f"truth-{digest.hexdigest()[:8]}"


def _terms(findings: Findings, condition: Condition) -> dict[str, list[float | None]]:
    """The terms of the cost over the iterations, those that are above 0 somewhere."""
    history = {name: values for name, values in findings.history(condition).items() if name != SOLVE}
    return {name: rounded(values.tolist()) for name, values in history.items() if np.any(values > 0)}


def concentrations(volume: ChemicalVolume, truth: ChemicalVolume) -> dict[str, Json]:
    """By element: histogram of the concentrations where the truth is full, their mean, and what lies in the vacuum."""
    found = {}
    for element, one in stoichiometry(volume, truth).items():
        of = one.concentration
        numbers = {"expected": of.expected, "mean": of.mean, "deviation": of.deviation, "in_vacuum": one.in_vacuum}
        at = rounded((BINS * of.expected).tolist())
        told = dict(zip(numbers, rounded(numbers.values()), strict=True))
        found[element] = {**told, "voxels": one.voxels, "at": at, "shares": rounded(of.shares.tolist())}
    return found
