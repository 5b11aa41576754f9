"""Which figures can be drawn in one line? Slices, the cost over the iterations, a sampling map."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusedtomo.errors import InputError
from fusedtomo.plot.drawing import axes_of, to_figure
from fusedtomo.plot.heat_map import CellsInfo, Scale, color_limits, draw_heat_map
from fusedtomo.plot.history import draw_history, history_info
from fusedtomo.plot.slices import draw_slices, slices_info
from fusedtomo.volume import ChemicalVolume

if TYPE_CHECKING:
    import xarray as xr

_METHOD = "method_name"  # the first dimension of a map
_LOGARITHMIC = {"haadf", "chemical", "tv", "eps"}


def slices(volumes: ChemicalVolume | Mapping[str, ChemicalVolume], **how: Any) -> Figure:
    """A slice of every element and their composite, a row a volume.

    Args:
        volumes: one, or several by label, the truth first; it sets slice and brightness.
        how: plane, index, nrmse, title, ... of `fusedtomo.plot.slices.slices_info`.
    """
    rows = {"volume": volumes} if isinstance(volumes, ChemicalVolume) else volumes
    return to_figure(draw_slices, slices_info(rows, **how))


def cost(history: Any) -> Figure:
    """The terms of the cost over the iterations, of a reconstruction or of its history."""
    terms = getattr(history, "history", history)
    return to_figure(draw_history, history_info({name: values for name, values in terms.items() if np.any(values)}))


def sampling_map(
    found: "xr.Dataset", variable: str = "error", method: str | None = None, target: Axes | Figure | None = None
) -> Axes:
    """A map over two axes as a heat map, as `workflows.read_atlas` reads it.

    Args:
        found: a sampling map or an atlas; of more than two axes, choose one value of each other with `sel` first.
        variable: "error", "nrmse", "rmse", "haadf", "tv", ...
        method: by default the first.
        target: where it is drawn; by default a new figure.

    Raises:
        InputError: the map has other than two axes, or no such variable.
    """
    if variable not in found:
        raise InputError(f"the map has no '{variable}'; it has {', '.join(map(str, found.data_vars))}")
    own = found[variable].sel({_METHOD: method or found[_METHOD].values[0]})
    if own.ndim != 2:
        names = ", ".join(map(str, own.dims))
        raise InputError(
            f"a map over {names or 'no axis'} is no heat map; choose values with sel() until two axes are left"
        )
    ax = axes_of(Figure(layout="constrained") if target is None else target)
    draw_heat_map(_cells(own), ax)
    return ax


def _cells(own: "xr.DataArray") -> CellsInfo:
    up, across = (own[name] for name in own.dims)
    values, scale = own.values.astype(float), _scale_of(own)
    texts = tuple(tuple("" if np.isnan(value) else f"{value:.2g}" for value in row) for row in values)
    return CellsInfo(
        title="",
        values=values,
        texts=texts,
        marks=tuple(("",) * values.shape[1] for _ in values),
        row_labels=_labels(up),
        column_labels=_labels(across),
        row_centres=np.arange(len(values), dtype=float),
        limits=color_limits(values, scale),
        below_limits=None,
        scale=scale,
        label=str(own.attrs.get("symbol", own.name)),
        across=str(across.attrs.get("long_name", across.name)),
        upwards=str(up.attrs.get("long_name", up.name)),
        boundary=np.array([]),
    )


def _scale_of(own: "xr.DataArray") -> Scale:
    return "log" if own.name in _LOGARITHMIC else "linear"


def _labels(axis: "xr.DataArray") -> tuple[str, ...]:
    return tuple(value if isinstance(value, str) else f"{value:g}" for value in axis.values.tolist())
