"""How do volumes and tilt series become labelled arrays, and a labelled array a volume again? xarray, with units."""

from typing import TYPE_CHECKING

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.tilts import TiltSeries
from fusedtomo.volume import ChemicalVolume

if TYPE_CHECKING:
    import xarray as xr

_AXES = ("element", "z", "y", "x")
_EVEN = 1e-4  # of a voxel's edge: how far places may be from even ones


def to_xarray(value: ChemicalVolume | TiltSeries) -> "xr.DataArray":
    """A volume as (element, z, y, x), a series as (angle, y, x); places in nm from the centre of rotation.

    The numbers are shared, not copied. Places of a series are in pixels: it does not know its pixel's edge.
    """
    import xarray as xr  # takes a while to import

    if isinstance(value, TiltSeries):
        places = {"angle": list(value.scheme.angles_deg), **_places(("y", "x"), value.counts.shape[1:], 1.0, "pixels")}
        series = xr.DataArray(value.counts, places, ("angle", "y", "x"), value.name, _facts(value))
        series["angle"].attrs["units"] = "degrees"
        return series
    places = {"element": list(value.elements), **_places(_AXES[1:], value.shape, value.voxel_nm, "nm")}
    return xr.DataArray(value.data, places, _AXES, "concentration", {"units": "1", "voxel_nm": value.voxel_nm})


def from_xarray(array: "xr.DataArray") -> ChemicalVolume:
    """The volume of a labelled array (element, z, y, x) in any order of axes; z, y and x in nm and even.

    Raises:
        InputError: an axis is missing, or its places are not even and alike.
    """
    missing = [name for name in _AXES if name not in array.coords]
    if missing or set(array.dims) != set(_AXES):
        raise InputError(
            f"array has axes {', '.join(map(str, array.dims))}; give element, z, y and x, each with places"
        )
    ordered = array.transpose(*_AXES)
    steps = np.concatenate([np.diff(ordered[name].values) for name in _AXES[1:]])
    if not steps.size or not (steps > 0).all() or np.ptp(steps) > _EVEN * steps.mean():
        raise InputError("places along z, y and x must rise in even steps, the same for all three, in nm")
    elements = tuple(str(symbol) for symbol in ordered["element"].values)
    data = np.ascontiguousarray(ordered.values, dtype=np.float32)
    return ChemicalVolume(data, elements, float(array.attrs.get("voxel_nm", steps.mean())))


def _facts(series: TiltSeries) -> dict[str, float | str]:
    known = {"gain": series.gain, "background": series.background, "snr": series.snr}
    return {"units": "counts", **{name: value for name, value in known.items() if value is not None}}


def _places(names: tuple[str, ...], shape: tuple[int, ...], edge: float, units: str) -> dict[str, "xr.Variable"]:
    import xarray as xr

    return {
        name: xr.Variable(name, (np.arange(n) - (n - 1) / 2) * edge, {"units": units})
        for name, n in zip(names, shape, strict=True)
    }
