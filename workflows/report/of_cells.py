"""Products of single cells: the searched landscape; slices, stoichiometry and cost of the reconstructions."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import to_figure
from fusedtomo.plot.history import draw_history, history_info
from fusedtomo.plot.slices import draw_slices, slices_info
from fusedtomo.solvers.convergence import WINDOW, convergence, moved
from fusedtomo.stoichiometry import stoichiometry
from workflows.campaign import Condition
from workflows.campaign.measures import MEASURES
from workflows.campaign.products import PRODUCTS
from workflows.figures.cells import subject_of
from workflows.figures.landscape import draw_landscape, landscape_info
from workflows.figures.stoichiometry import StoichiometryInfo, draw_stoichiometry
from workflows.record.journal import TrialResult
from workflows.report.findings import Findings
from workflows.report.product import Drawn, Product, Subject


def landscape(findings: Findings, cell: Subject) -> Drawn | None:
    """The error over the searched weights, with the points tried (Supplement 22c)."""
    assert cell is not None
    condition = findings.first(cell)
    if findings.best(condition) is None or not findings.config.space(condition):
        return None
    info = landscape_info(findings.config, findings.trials, condition)
    own = [trial for trial in findings.trials if trial.condition == condition.key]
    rows = [{"trial": t.trial, **t.point, **_measures(t), "fidelity": t.fidelity, "status": t.status} for t in own]
    caption = "The error over the searched weights; each dot is a trial (Supplement 22c)."
    title, figure = f"Landscape of {cell.key}", to_figure(draw_landscape, info)
    return Drawn(title, caption, figure, info.alt_text, pd.DataFrame(rows))


def _measures(trial: TrialResult) -> dict[str, float]:
    return {name: trial.measure(name) for name in MEASURES}


def landscapes_asked(findings: Findings) -> Iterable[Subject]:
    """The cells that the campaign names, or the one of the lowest error."""
    return findings.cells(findings.config.report.landscapes)


def slices(findings: Findings, cell: Subject) -> Drawn | None:
    """A slice of every method's best reconstruction beside the truth (Fig. 4b)."""
    assert cell is not None
    rows = kept(findings, cell)
    if not rows:
        return None
    truth = findings.truth(findings.first(cell))
    labels = {method: METHODS[method].label for method in rows}
    volumes = {"Truth": truth} | {labels[method]: findings.volume(one) for method, one in rows.items()}
    errors = {labels[method]: best.measure("nrmse") for method, one in rows.items() if (best := findings.best(one))}
    info = slices_info(volumes, nrmse=errors, title=subject_of(findings.config))
    words = ", ".join(cell.words.split(", ")[1:])
    caption = f"A slice across the tilt axis from {words}, each method with its best weights (Fig. 4b)."
    table = pd.DataFrame([_scores(findings, method, one) for method, one in rows.items()])
    return Drawn(f"Slices of {cell.key}", caption, to_figure(draw_slices, info), info.alt_text, table)


def _scores(findings: Findings, method: str, condition: Condition) -> dict[str, object]:
    best = findings.best(condition)
    assert best is not None
    by_element = {
        f"{kind}_{e}": v for kind in ("nrmse", "rmse") for e, v in getattr(best, f"{kind}_by_element").items()
    }
    return {"method": METHODS[method].label, "condition": condition.key, **_measures(best), **by_element}


def slices_asked(findings: Findings) -> Iterable[Subject]:
    """The cells that the campaign names, or the one of the lowest error."""
    return findings.cells(findings.config.report.slices)


def of_every_method(findings: Findings, cell: Subject) -> Iterable[Condition]:
    """The conditions of all methods that have a result there."""
    assert cell is not None
    return [one for one in findings.beside(cell).values() if findings.best(one)]


def kept(findings: Findings, cell: Condition) -> dict[str, Condition]:
    """The conditions of all methods whose reconstructions are there, by method."""
    return {method: one for method, one in findings.beside(cell).items() if findings.is_kept(one)}


def conditions_of(findings: Findings) -> list[Condition]:
    """The condition that stands for every cell of every method, those with the fewest terms first."""
    cells = (cell for method in reversed(findings.config.methods) for cell in findings.config.cells(method))
    return [findings.first(cell) for cell in cells]


def with_results(findings: Findings, _subject: Subject) -> Iterable[Condition]:
    """Those of them that have a result."""
    return [condition for condition in conditions_of(findings) if findings.best(condition)]


def concentrations(findings: Findings, cell: Subject) -> Drawn | None:
    """Concentrations and atomic fractions of every method where the truth is full (Supplement 11)."""
    assert cell is not None
    rows = kept(findings, cell)
    if not rows:
        return None
    truth = findings.truth(findings.first(cell))
    found = {method: stoichiometry(findings.volume(one), truth) for method, one in rows.items()}
    info = StoichiometryInfo(subject_of(findings.config), found)
    method = list(found)[-1]  # that of the campaign's map, where it is kept
    caption = (
        "Concentrations and atomic fractions in the voxels that the truth fills with the element (Supplement 11), with "
        "mean and standard deviation of each method; below, the share of the element's amount that lies in the vacuum. "
        f"NRMSE is blind to what these show. {METHODS[method].label}: {info.told(method)}."
    )
    table = pd.DataFrame(info.table)
    return Drawn(f"Stoichiometry of {cell.key}", caption, to_figure(draw_stoichiometry, info), info.alt_text, table)


def cost(findings: Findings, cell: Subject) -> Drawn | None:
    """The terms of the cost function over the iterations of the cell's best reconstruction (Supplement 13b)."""
    assert cell is not None
    condition = findings.first(cell)
    if not findings.is_kept(condition):
        return None
    history = {name: values for name, values in findings.history(condition).items() if np.any(values > 0)}
    info = history_info({name: values.tolist() for name, values in history.items()})
    caption = f"The terms of the cost function of {cell.words} (Supplement 13b): {_verdict(history)}."
    table = pd.DataFrame({"iteration": np.arange(len(next(iter(history.values())))), **history}) if history else None
    return Drawn(f"Cost of {cell.key}", caption, to_figure(draw_history, info), info.alt_text, table)


def _verdict(history: Mapping[str, np.ndarray]) -> str:
    """Whether the reconstruction converged, with the number behind it; nothing is known without a cost."""
    if "total" not in history:
        return "no cost was recorded"
    share = f"{100 * moved(history):.2f} %"
    return f"{convergence(history)}; in the last {WINDOW} iterations its terms moved by {share} of it at most"


def of_the_cell(findings: Findings, cell: Subject) -> Iterable[Condition]:
    """The cell's own condition, where it has a result."""
    assert cell is not None
    condition = findings.first(cell)
    return [condition] if findings.best(condition) else []


PRODUCTS.register(Product("landscape", landscape, landscapes_asked, live=True))
PRODUCTS.register(Product("slices", slices, slices_asked, of_every_method, live=True, plain=False))
PRODUCTS.register(Product("stoichiometry", concentrations, slices_asked, of_every_method, live=True))
PRODUCTS.register(Product("cost", cost, slices_asked, of_the_cell, live=True))
