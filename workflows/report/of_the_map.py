"""Products of a whole campaign: the sampling map and the atlas, over one to three axes."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from fusedtomo.plot.drawing import to_figure
from fusedtomo.plot.heat_map import draw_heat_maps
from workflows.campaign import AXES
from workflows.campaign.products import PRODUCTS
from workflows.figures.cells import atlas_info, sampling_map_info
from workflows.figures.curves import curves_info, draw_curves, weights_info
from workflows.maps.sampling_map import METHOD, axes_of
from workflows.report.again import judged, optimism
from workflows.report.findings import Findings
from workflows.report.product import Drawn, Product, Subject

_OF_MAP = (
    *("error", "nrmse", "rmse", "stoichiometry_error", "regret_bound"),
    *("iterations", "trials", "failed", "at_cap", "on_bound"),
)
_ENDS = ("_deviation", "_again", "_again_deviation")


def sampling_map(findings: Findings, _subject: Subject) -> Drawn:
    """The lowest error over the axes (paper, Fig. 4a), and below it methods without HAADF images (Supplement 9)."""
    config, found = findings.config, judged(findings)
    columns = [n for name in _OF_MAP for n in (name, *(f"{name}{end}" for end in _ENDS)) if n in found]
    table = _table(found, columns)
    if len(config.axes) == 1:
        curves = curves_info(config, found)
        caption = f"The lowest error of every method.{_averaged(findings)}{_again(findings, found)}"
        return Drawn("Sampling map", caption, to_figure(draw_curves, curves), curves.alt_text, table)
    maps = sampling_map_info(config, found)
    below = any(info.below_limits for info in maps.maps)
    aside = "; below it, on a scale of their own, the methods that do not see the axis upwards (Supplement 9)"
    caption = f"The lowest error of every cell (paper, Fig. 4a){aside if below else ''}.{_averaged(findings)}"
    caption += _again(findings, found)
    return Drawn("Sampling map", caption, to_figure(draw_heat_maps, maps), maps.alt_text, table)


def _averaged(findings: Findings) -> str:
    repeats = findings.config.repeats
    if not repeats:
        return ""
    seeds = " and ".join(f"{len(values)} values of {AXES[name].label}" for name, values in repeats.items())
    return f" Means over {seeds}, with their standard deviations."


def _again(findings: Findings, found: xr.Dataset) -> str:
    """How much of the lowest errors is luck: a best trial was chosen on its own noise."""
    judgement = optimism(found, findings.config.methods[0])
    if judgement is None:
        return ""
    mean, most, cells = judgement
    seeds = len(findings.config.report.noise_seeds)
    noise = "other noise" if seeds == 1 else f"{seeds} other noises"
    where = "its cell" if cells == 1 else f"{cells} cells"
    return f" On {noise}, with the same weights, the error of {where} is {mean:+.1%} in the mean, {most:+.1%} at most."


def atlas(findings: Findings, _subject: Subject) -> Drawn | None:
    """The parameters of the best trial of every cell (Supplement 22a)."""
    config, found = findings.config, findings.map
    figure, alt_text = _curves(findings) if len(config.axes) == 1 else _maps(findings)
    if figure is None:
        return None
    caption = (
        "The parameters of the best trial of every cell (Supplement 22a), as far as they differ from cell to cell."
    )
    names = (n for name in ("haadf", "chemical", "tv", "gamma", "eps") for n in (name, f"{name}_low", f"{name}_high"))
    table = _table(found, [name for name in names if name in found])
    return Drawn("Atlas", caption + _averaged(findings), figure, alt_text, table)


def _curves(findings: Findings) -> tuple[Figure | None, str]:
    info = weights_info(findings.config, findings.map)
    return (to_figure(draw_curves, info), info.alt_text) if info else (None, "")


def _maps(findings: Findings) -> tuple[Figure | None, str]:
    info = atlas_info(findings.config, findings.map)
    return (to_figure(draw_heat_maps, info), info.alt_text) if info else (None, "")


def _table(found: xr.Dataset, names: list[str]) -> pd.DataFrame:
    """Variables of a map, a row a method and cell."""
    order = [METHOD, *axes_of(found)]
    return found[names].to_dataframe(dim_order=order).reset_index().rename(columns={METHOD: "method"})


PRODUCTS.register(Product("sampling_map", sampling_map, live=True))
PRODUCTS.register(Product("atlas", atlas, live=True))
