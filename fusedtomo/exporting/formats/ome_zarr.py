"""OME-Zarr 0.5: a folder of chunks with the elements as channels, for napari, Fiji and viewers in a browser."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from fusedtomo.exporting.content import Content
from fusedtomo.exporting.formats.format import Export

_VERSION = "0.5"  # ngff.openmicroscopy.org/0.5: Zarr 3, everything under the attribute "ome"
_CHUNK = 64


def _write(content: Content, path: Path) -> list[Path]:
    import zarr

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        group = zarr.open_group(str(temporary), mode="w", zarr_format=3)
        data = np.stack([array.transpose() for array in content.arrays.values()])
        chunks = (1, *(min(_CHUNK, n) for n in data.shape[1:]))
        stored = group.create_array("0", shape=data.shape, dtype="float32", chunks=chunks, dimension_names="czyx")
        stored[:] = data
        group.attrs["ome"] = _described(content, data)
        _replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return [path]


def _described(content: Content, data: np.ndarray) -> dict[str, Any]:
    """The metadata of the specification: axes with units, the scale, and a name and range for each channel."""
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    centre = [-(n - 1) / 2 * content.edge_nm for n in data.shape[1:]]
    transformations = [
        {"type": "scale", "scale": [1.0, *3 * [content.edge_nm]]},
        {"type": "translation", "translation": [0.0, *centre]},
    ]
    levels = [{"path": "0", "coordinateTransformations": transformations}]
    channels = [
        {"label": name, "active": True, "window": _window(channel)}
        for name, channel in zip(content.arrays, data, strict=True)
    ]
    multiscale = {"name": "concentrations", "axes": axes, "datasets": levels}
    return {"version": _VERSION, "multiscales": [multiscale], "omero": {"channels": channels}}


def _window(channel: np.ndarray) -> dict[str, float]:
    low, high = float(channel.min()), float(channel.max())
    return {"min": low, "max": high, "start": low, "end": high}


def _replace(temporary: Path, path: Path) -> None:
    """Put a whole folder in the place of another, which no single call does."""
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    if path.exists():
        path.rename(old)
    temporary.rename(path)
    shutil.rmtree(old, ignore_errors=True)


OME_ZARR = Export("ome-zarr", "napari, Fiji (MoBIE), Vizarr", ".ome.zarr", _write, package="zarr")
