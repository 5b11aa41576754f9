"""How does a map of two axes look along its last one? A curve for a method at a value of the first."""

from collections.abc import Iterable

import numpy as np

from fusedtomo.methods import METHODS
from workflows.campaign import AXES, Value
from workflows.campaign.axes import text
from workflows.figures.cells import subject_of
from workflows.figures.curves import Curve, CurvesInfo
from workflows.figures.drawing import LINE_COLORS
from workflows.figures.heat_map import Scale
from workflows.maps.sampling_map import METHOD
from workflows.report.findings import Findings


def over_last_axis(findings: Findings, wanted: Iterable[tuple[str, Value]]) -> CurvesInfo | None:
    """The errors of some methods, each at a value of the first axis; None without any.

    A method that is wanted at a second value gets another colour there.
    """
    config = findings.config
    first, last = config.axes
    seen: list[str] = []
    curves = []
    for method, value in wanted:
        look, again = METHODS[method], method in seen
        color = LINE_COLORS[(3 + len(seen)) % len(LINE_COLORS)] if again else look.color
        label = (
            look.label
            if len(config.axes[first]) == 1 or not look.uses(AXES[first].term)
            else _label(look.label, first, value)
        )
        y = findings.map.error.sel({METHOD: method, first: value}).values
        if np.isfinite(y).any():
            curves.append(Curve(label, color, look.marker, y))
        seen.append(method)
    if not curves:
        return None
    values, axis = config.axes[last], AXES[last]
    ticks = tuple(map(text, values))
    scale: Scale = "log" if axis.scale == "log" else "linear"
    return CurvesInfo(
        subject_of(config), np.array(values, float), ticks, axis.label, scale, "NRMSE", "log", tuple(curves)
    )


def _label(method: str, axis: str, value: Value) -> str:
    return f"{method}, {AXES[axis].said(value)}"
