"""tomviz and HyperSpy: how is one HDF5 file an EMD of the one and a signal file of the other?

The layout satisfies three readers at once, and the numbers are kept once (docs/formats.md): tomviz takes the first
group with `emd_group_type` and, beside its data, other elements as scalars; HyperSpy takes every group of
/Experiments as a signal; programs that read DataExchange find /exchange. The file's suffix tells a program which of
them it is. Axis lengths are nanometres, "[n_m]" in EMD (github.com/emdatasets, version 0.2).
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fusedtomo import __version__
from fusedtomo.exporting.content import Content
from fusedtomo.exporting.formats.format import Export
from fusedtomo.hdf5 import new_hdf5

_HYPERSPY_LAYOUT = "3.3"  # the version of HyperSpy's file format that this layout follows
_NAMES = {"Projections": "angles"}  # what tomviz calls an axis that ETSpy finds under another name


def _write(content: Content, path: Path) -> list[Path]:
    with new_hdf5(path) as file:
        _attributes(
            file,
            version_major=np.uint32(0),
            version_minor=np.uint32(2),
            file_format="HyperSpy",
            file_format_version=_HYPERSPY_LAYOUT,
        )
        groups = [_signal(file, content, name) for name in content.arrays]
        _link_scalars(groups)
        _link_exchange(file, groups[0], content)
    return [path]


def _attributes(item: h5py.HLObject, **values: Any) -> None:
    for name, value in values.items():
        item.attrs[name] = value


def _signal(file: h5py.File, content: Content, name: str) -> h5py.Group:
    """The group of one element, with its axes as both programs want them."""
    group = file.create_group(f"Experiments/{name}")
    _attributes(group, emd_group_type=np.uint32(1), package="hyperspy", package_version=__version__)
    chunks = (1, *content.shape[1:]) if content.angles_deg else None
    data = group.create_dataset("data", data=np.ascontiguousarray(content.arrays[name]), chunks=chunks)
    data.attrs["name"] = name
    for number, axis in enumerate(_axes(content)):
        _emd_axis(group, data, number, *axis)
        _hyperspy_axis(group, number, *axis, navigate=number == 0 and content.angles_deg is not None)
    _metadata(group, name, content)
    return group


Axis = tuple[str, str, np.ndarray]


def _axes(content: Content) -> list[Axis]:
    """Name, unit and values of each axis; lengths are from the centre of rotation."""
    names = "xyz" if content.angles_deg is None else " yx"
    axes: list[Axis] = [
        (name, "nm", (np.arange(n) - (n - 1) / 2) * content.edge_nm)
        for name, n in zip(names, content.shape, strict=True)
    ]
    if content.angles_deg is not None:
        axes[0] = ("Projections", "degrees", np.array(content.angles_deg))
    return axes


def _emd_axis(group: h5py.Group, data: h5py.Dataset, number: int, name: str, units: str, values: np.ndarray) -> None:
    scale = group.create_dataset(f"dim{number + 1}", data=values.astype(np.float32))  # tomviz reads no other type
    _attributes(scale, name=_NAMES.get(name, name), units="[deg]" if units == "degrees" else "[n_m]")
    scale.make_scale(name)
    data.dims[number].attach_scale(scale)


def _hyperspy_axis(
    group: h5py.Group, number: int, name: str, units: str, values: np.ndarray, *, navigate: bool
) -> None:
    """An even axis, which all of HyperSpy's users can read; the true angles stand in the metadata."""
    step = (values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else 1.0
    _attributes(
        group.create_group(f"axis-{number}"),
        _type="UniformDataAxis",
        name=name,
        units=units,
        navigate=navigate,
        is_binned=False,
        offset=float(values[0]),
        scale=float(step),
        size=len(values),
    )


def _metadata(group: h5py.Group, name: str, content: Content) -> None:
    for empty in ("original_metadata", "learning_results", "attributes"):  # HyperSpy misses them if they are not there
        group.create_group(empty)
    group.create_group("metadata/General").attrs["title"] = name
    group.create_group("metadata/Signal").attrs["signal_type"] = ""
    group["metadata"].create_group("_HyperSpy")
    if content.angles_deg is not None:
        angles = np.array(content.angles_deg)
        group.create_dataset("metadata/Acquisition_instrument/TEM/Stage/tilt_alpha", data=angles)
        group.create_dataset("metadata/Tomography/tilts", data=angles[:, np.newaxis])  # where ETSpy looks


def _link_scalars(groups: list[h5py.Group]) -> None:
    """The other elements as tomviz finds them: beside the data of the first, as hard links."""
    first, *others = groups
    for other in others:
        first.require_group("tomviz_scalars")[other.name.rpartition("/")[2]] = other["data"]


def _link_exchange(file: h5py.File, first: h5py.Group, content: Content) -> None:
    file["data/tomography"] = h5py.SoftLink(first.name)
    if content.angles_deg is not None:
        file["exchange/data"] = h5py.SoftLink(f"{first.name}/data")
        file["exchange/theta"] = h5py.SoftLink(f"{first.name}/dim1")


TOMVIZ = Export("tomviz", "tomviz, ncempy, HyperSpy with reader='hspy'", ".emd", _write, series=True)
HYPERSPY = Export("hyperspy", "HyperSpy, eXSpy, ETSpy", ".hspy", _write, series=True)
