"""All products of a run folder, from its journal alone: atlas.h5, figures, report.html."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fusedtomo.score import score
from workflows.campaign.config import CampaignConfig, Condition
from workflows.figures.cells import atlas_info, draw_atlas, draw_sampling_map, sampling_map_info
from workflows.figures.drawing import png_bytes, save_figure, to_figure
from workflows.figures.landscape import draw_landscape, landscape_info
from workflows.figures.slices import draw_history, draw_slices, history_info, slices_info
from workflows.maps.atlas import Atlas, build_atlas, write_atlas
from workflows.record.journal import TrialResult, best, by_condition
from workflows.record.runfolder import RunFolder
from workflows.record.sessions import codes
from workflows.report.page import write_report
from workflows.trial.evaluate import Trial, reconstruct_trial, truth_of

Figures = dict[str, tuple[bytes, str]]
Say = Callable[[str], None]
_ROWS = {"poisson": "Conventional", "poisson-tv": "Compressed sensing", "fused": "Fused"}


def write_products(folder: RunFolder, facts: dict[str, str], say: Say = lambda _: None) -> Path:
    """Write every product into the run folder; return the path of the report.

    Args:
        folder: the run.
        facts: provenance.
        say: told what is being made, for a progress line.
    """
    config, trials = folder.config, folder.trials()
    atlas = build_atlas(config, trials, facts | {"sessions": codes(folder.path) or "not recorded"})
    write_atlas(atlas, folder.path / "atlas.h5")
    figures = _map_figures(folder.path, atlas)
    for condition in _cells(config.report.landscapes, config, atlas):
        say(f"landscape of {condition.key}")
        figures |= _landscape(folder.path, config, trials, condition)
    for condition in _cells(config.report.slices, config, atlas):
        say(f"slices of {condition.key}")
        figures |= _slices(folder.path, config, trials, condition)
    report = folder.path / "report.html"
    write_report(report, config, atlas, trials, figures, {})
    return report


def _map_figures(path: Path, atlas: Atlas) -> Figures:
    sampling = to_figure(draw_sampling_map, sampling_map_info(atlas.map))
    weights = to_figure(draw_atlas, atlas_info(atlas))
    save_figure(sampling, path / "sampling_map.png")
    save_figure(weights, path / "atlas.png")
    return {
        "Sampling map": (
            png_bytes(sampling),
            "Mean NRMSE over the elements against the numbers of tilts (paper, Fig. 4a); "
            "below it the methods that do not use the HAADF images (Supplement 9).",
        ),
        "Atlas": (png_bytes(weights), "The weights of the best trial of every cell (Supplement 22a)."),
    }


def _cells(wanted: tuple[tuple[int, int], ...], config: CampaignConfig, atlas: Atlas) -> list[Condition]:
    """The fused conditions asked for, else the best cell, else none."""
    cells = wanted or ((atlas.map.best_cell,) if atlas.map.best_cell else ())
    return [Condition("fused", haadf, chemical) for haadf, chemical in cells]


def _landscape(path: Path, config: CampaignConfig, trials: list[TrialResult], condition: Condition) -> Figures:
    if best(by_condition(trials).get(condition.key, [])) is None:
        return {}
    figure = to_figure(draw_landscape, landscape_info(config, trials, condition))
    save_figure(figure, path / f"landscape-{condition.key}.png")
    caption = "NRMSE over the searched weights; each dot is a trial (Supplement 22c)."
    return {f"Landscape of {condition.key}": (png_bytes(figure), caption)}


def _slices(path: Path, config: CampaignConfig, trials: list[TrialResult], condition: Condition) -> Figures:
    truth = truth_of(config)
    volumes, errors, histories = {"Truth": truth}, {}, {}
    for method, label in _ROWS.items():
        one = Condition(method, condition.haadf_tilts if method == "fused" else 0, condition.chemical_tilts)
        winner = best(by_condition(trials).get(one.key, []))
        if winner is None:
            continue
        result = reconstruct_trial(Trial(config, one, winner.trial, winner.point, winner.start))
        volumes[label], histories = result.volume, result.history
        errors[label] = score(result.volume, truth).nrmse
    if len(volumes) == 1:
        return {}
    slices = to_figure(draw_slices, slices_info(volumes, nrmse=errors))
    save_figure(slices, path / f"slices-{condition.key}.png")
    history = to_figure(draw_history, history_info(_plain(histories)))
    save_figure(history, path / f"cost-{condition.key}.png")
    return {
        f"Slices of {condition.key}": (
            png_bytes(slices),
            f"A slice across the tilt axis from {condition.haadf_tilts} HAADF and {condition.chemical_tilts} chemical "
            f"tilts, each method with its best weights (Fig. 4b).",
        ),
        f"Cost of {condition.key}": (png_bytes(history), "The terms of the cost function (Supplement 13b)."),
    }


def _plain(history: dict[str, list[float]]) -> dict[str, np.ndarray]:
    return {name: np.asarray(values) for name, values in history.items() if np.any(np.asarray(values) > 0)}
