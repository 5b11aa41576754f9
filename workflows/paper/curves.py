"""How does a map of two axes look along its last one? A curve for a method at a value of the first."""

from collections.abc import Iterable

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from fusedtomo.methods import METHODS, Method
from workflows.campaign import AXES, Value
from workflows.campaign.axes import Axis, text
from workflows.figures.cells import subject_of
from workflows.figures.curves import Curve, CurvesInfo
from workflows.figures.heat_map import Scale
from workflows.maps.sampling_map import METHOD
from workflows.report.findings import Findings


def over_last_axis(findings: Findings, wanted: Iterable[tuple[str, Value]]) -> CurvesInfo | None:
    """The errors of some methods, each at a value of the first axis; None without any.

    A method that is wanted at a second value is lighter there.
    """
    config = findings.config
    first, last = config.axes
    seen: list[str] = []
    curves = []
    for method, value in wanted:
        look, y = METHODS[method], findings.map.error.sel({METHOD: method, first: value}).values
        color = _lighter(look.color) if method in seen else look.color
        seen.append(method)
        if np.isfinite(y).any():
            curves.append(Curve(_label(look, AXES[first], value), color, look.marker, y))
    if not curves:
        return None
    values, axis = config.axes[last], AXES[last]
    ticks = tuple(map(text, values))
    scale: Scale = "log" if axis.scale == "log" else "linear"
    return CurvesInfo(
        subject_of(config), np.array(values, float), ticks, axis.label, scale, "NRMSE", "log", tuple(curves)
    )


def _label(method: Method, axis: Axis, value: Value) -> str:
    return f"{method.label}, {axis.said(value)}" if method.uses(axis.term) else method.label


def _lighter(color: str) -> str:
    """Half way to white: of the same hue, and told apart by colour-blind readers as well."""
    red, green, blue = (0.5 + 0.5 * part for part in to_rgb(color))
    return to_hex((red, green, blue))
