"""Products of a whole campaign: the sampling map and the atlas, over one to three axes."""

import pandas as pd

from workflows.figures.cells import atlas_info, draw_cells, sampling_map_info
from workflows.figures.curves import curves_info, draw_curves, weights_info
from workflows.figures.drawing import to_figure
from workflows.report.findings import Findings
from workflows.report.product import PRODUCTS, Drawn, Product, Subject

_OF_MAP = ("error", "nrmse", "rmse", "stoichiometry_error", "iterations", "trials", "failed", "at_cap", "on_bound")


def sampling_map(findings: Findings, _subject: Subject) -> Drawn:
    """The lowest error over the axes (paper, Fig. 4a), and below it methods without HAADF images (Supplement 9)."""
    config, found = findings.config, findings.map
    names = [n for name in _OF_MAP for n in (name, f"{name}_deviation") if n in found]
    title, table = "Sampling map", _table(findings, names)
    averaged = f" Means over {', '.join(config.repeats)}." if config.repeats else ""
    if len(config.axes) == 1:
        info = curves_info(config, found)
        caption = f"The lowest error of every method (error bars: deviation of the repeats).{averaged}"
        return Drawn(title, caption, to_figure(draw_curves, info), info.alt_text, table)
    infos = sampling_map_info(config, found)
    caption = (
        "The lowest error of every cell (paper, Fig. 4a); below it, on a scale of their own, the methods that do not "
        f"see the axis upwards (Supplement 9).{averaged}"
    )
    return Drawn(title, caption, to_figure(draw_cells, infos), " ".join(info.alt_text for info in infos), table)


def atlas(findings: Findings, _subject: Subject) -> Drawn | None:
    """The parameters of the best trial of every cell (Supplement 22a)."""
    config, found = findings.config, findings.map
    infos = atlas_info(config, found) if len(config.axes) > 1 else {}
    table = _table(findings, [name for name in ("haadf", "chemical", "tv", "gamma", "eps") if name in found])
    caption = (
        "The parameters of the best trial of every cell (Supplement 22a); those that are the same in all are left out."
    )
    if len(config.axes) == 1:
        curves = weights_info(config, found)
        return (
            Drawn("Atlas", caption, to_figure(draw_curves, curves), curves.alt_text, table) if curves.curves else None
        )
    if not infos:
        return None
    flat = tuple(info for panels in infos.values() for info in panels)
    return Drawn("Atlas", caption, to_figure(draw_cells, flat), " ".join(info.alt_text for info in flat), table)


def _table(findings: Findings, names: list[str]) -> pd.DataFrame:
    """Variables of the map, a row a method and cell."""
    return findings.map[names].to_dataframe(dim_order=["method_name", *findings.config.axes]).reset_index()


PRODUCTS.register(Product("sampling_map", sampling_map))
PRODUCTS.register(Product("atlas", atlas))
