"""How does a map of one or two axes look along its last one? A curve for a method at a value of the first."""

from collections.abc import Iterable

import numpy as np
import xarray as xr
from matplotlib.colors import to_hex, to_rgb

from fusedtomo.methods import METHODS, Method
from fusedtomo.plot.heat_map import Scale
from workflows.campaign import AXES, CampaignConfig, Value
from workflows.campaign.axes import Axis, text
from workflows.figures.cells import subject_of
from workflows.figures.curves import Curve, CurvesInfo
from workflows.maps.sampling_map import METHOD


def over_last_axis(
    config: CampaignConfig, found: xr.DataArray, wanted: Iterable[tuple[str, Value]], label: str
) -> CurvesInfo | None:
    """Some methods, each at a value of the first of two axes; None without any.

    A method that is wanted at a second value is lighter there.

    Args:
        config: the campaign, of one axis or two; of one, the values that are wanted are not looked at.
        found: over (method_name, axes), above 0 or NaN.
        wanted: methods and values of the first axis.
        label: of what was found, with its unit.
    """
    *first, last = config.axes
    seen: list[str] = []
    curves = []
    for method, value in wanted:
        look, y = METHODS[method], found.sel({METHOD: method} | dict.fromkeys(first, value)).values
        color = _lighter(look.color) if method in seen else look.color
        seen.append(method)
        if np.isfinite(y).any():
            curves.append(Curve(_label(look, first, value), color, look.marker, y))
    if not curves:
        return None
    values, axis = config.axes[last], AXES[last]
    ticks = tuple(map(text, values))
    scale: Scale = "log" if axis.scale == "log" else "linear"
    return CurvesInfo(
        subject_of(config), np.array(values, float), ticks, axis.label, scale, label, "log", tuple(curves)
    )


def _label(method: Method, first: list[str], value: Value) -> str:
    seen: list[Axis] = [AXES[name] for name in first if method.uses(AXES[name].term)]
    return ", ".join([method.label, *(axis.said(value) for axis in seen)])


def _lighter(color: str) -> str:
    """Half way to white: of the same hue, and told apart by colour-blind readers as well."""
    red, green, blue = (0.5 + 0.5 * part for part in to_rgb(color))
    return to_hex((red, green, blue))
