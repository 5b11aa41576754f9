"""Axes on disk: which place, angle or element does an entry of an array stand for?

Every axis of an array is an HDF5 dimension scale beside it, with its unit, as netCDF has it: HDFView, MATLAB and
``xarray.open_dataset(path, group="volume", engine="h5netcdf")`` show arrays with labelled axes. Scales are for these
programs: fusedtomo reads none of them, so that files without them are read as well.
"""

from collections.abc import Sequence

import h5py
import numpy as np

from fusedtomo.hdf5 import put_array, put_text
from fusedtomo.tilts import TiltScheme


def put_lengths(group: h5py.Group, shape: Sequence[int], edge_nm: float) -> list[h5py.Dataset]:
    """Write the scales of the last axes, which are "z", "y" and "x" of (..., z, y, x) or "y" and "x" of (..., y, x).

    An entry is the place of a voxel's or pixel's centre in nm, from the centre of rotation (docs/conventions.md).
    """
    return [
        _scale(group, name, (np.arange(n) - (n - 1) / 2) * edge_nm, f"{name} from the centre of rotation", "nm")
        for name, n in zip("zyx"[-len(shape) :], shape, strict=True)
    ]


def put_angles(group: h5py.Group, scheme: TiltScheme) -> h5py.Dataset:
    """Write the tilt angles of a group, in degrees, as the scale "angles_deg"."""
    return _scale(group, "angles_deg", np.array(scheme.angles_deg, np.float64), "tilt angle about x", "degrees")


def put_elements(group: h5py.Group, elements: Sequence[str]) -> h5py.Dataset:
    """Write element symbols as the scale "elements" of a group, as text of one length, which has a checksum."""
    symbols = [symbol.encode() for symbol in elements]
    dtype = h5py.string_dtype("utf-8", max(map(len, symbols)))
    dataset = put_array(group, "elements", np.array(symbols, dtype))
    put_text(dataset, "_Encoding", "utf-8")  # by which xarray knows text from bytes
    return _as_scale(dataset, "element")


def label(data: h5py.Dataset, units: str, *scales: h5py.Dataset) -> None:
    """Give an array its unit ("1" for none) and the scale of each of its axes."""
    data.attrs["units"] = units
    for dimension, scale in zip(data.dims, scales, strict=True):
        dimension.label = scale.name.rpartition("/")[2]
        dimension.attach_scale(scale)


def _scale(group: h5py.Group, name: str, values: np.ndarray, long_name: str, units: str) -> h5py.Dataset:
    scale = put_array(group, name, values)
    scale.attrs["units"] = units
    return _as_scale(scale, long_name)


def _as_scale(dataset: h5py.Dataset, long_name: str) -> h5py.Dataset:
    dataset.make_scale(dataset.name.rpartition("/")[2])
    dataset.attrs["long_name"] = long_name
    return dataset
