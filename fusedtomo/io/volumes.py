"""Volume and reconstruction files: how is a ChemicalVolume kept, with the history of how it was found?

Volume file; the data are one element and some z a chunk, not compressed::

    /volume            attr voxel_nm
        data           (element, z, y, x) float32
        elements       (element,) utf-8 strings

A reconstruction is a volume file with one more group::

    /history
        <name>         (iteration,) float64, for example the cost of every iteration
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.hdf5 import member, naming, read_array, read_number
from fusedtomo.io.root import Attributes, new_file, open_file
from fusedtomo.volume import ChemicalVolume

# Not compressed: a 4 x 256^3 phantom took 0.3 s so, 1.1 s with lzf (which only h5py reads) and 1.8 s with gzip.
_CHUNK_BYTES = 8 * 2**20


def write_volume(
    volume: ChemicalVolume, path: str | Path, attributes: Attributes | None = None, overwrite: bool = False
) -> None:
    """Write a volume (element, z, y, x) as float32, with the caller's attributes at the root of the file."""
    with new_file(path, "volume", attributes, overwrite) as file:
        put_volume(file, "volume", volume)


def read_volume(path: str | Path) -> ChemicalVolume:
    """Return the volume of a volume or reconstruction file."""
    with open_file(path, "volume", "reconstruction") as file:
        return get_volume(file, "volume")


def write_reconstruction(
    path: str | Path,
    volume: ChemicalVolume,
    history: Mapping[str, Sequence[float]],
    attributes: Attributes | None = None,
    overwrite: bool = False,
) -> None:
    """Write a volume and its history, one series of numbers a name; `read_volume` reads the volume back."""
    with new_file(path, "reconstruction", attributes, overwrite) as file:
        put_volume(file, "volume", volume)
        group = file.create_group("history")
        for name, values in history.items():
            group.create_dataset(_plain_name(name), data=_series(name, values))


def read_history(path: str | Path) -> dict[str, np.ndarray]:
    """Return the history of a reconstruction file: one float64 array (iteration,) a name."""
    with open_file(path, "reconstruction") as file:
        group = file.get("history")
        if not isinstance(group, h5py.Group):
            raise InputError("group '/history' is missing; write the file again with write_reconstruction")
        return {name: read_array(file, f"history/{name}", 1, np.float64, strict=False) for name in group}


def put_volume(file: h5py.File, name: str, volume: ChemicalVolume) -> None:
    """Write a volume as a new group of an open file."""
    _check(volume)
    group = file.create_group(name)
    group.attrs["voxel_nm"] = float(volume.voxel_nm)
    data = np.asarray(volume.data, dtype=np.float32)
    z, y, x = volume.shape
    slab = min(z, max(1, _CHUNK_BYTES // (4 * y * x)))
    group.create_dataset("data", data=data, chunks=(1, slab, y, x))
    put_elements(group, volume.elements)


def get_volume(file: h5py.File, group: str) -> ChemicalVolume:
    """Read a volume from a group of an open file."""
    data = read_array(file, f"{group}/data", 4)
    voxel_nm = read_number(file, group, "voxel_nm")
    with naming(f"/{group}"):
        volume = ChemicalVolume(data, get_elements(file, group), voxel_nm)
        _check(volume)
    return volume


def put_elements(group: h5py.Group, elements: Sequence[str]) -> None:
    """Write element symbols as the data set `elements` of a group."""
    group.create_dataset("elements", data=list(elements), dtype=h5py.string_dtype("utf-8"))


def get_elements(file: h5py.File, group: str) -> tuple[str, ...]:
    """Read the element symbols of a group."""
    dataset = member(file, f"{group}/elements")
    if h5py.check_string_dtype(dataset.dtype) is None or dataset.ndim != 1:
        raise InputError(
            f"data set '/{group}/elements' is {dataset.dtype} of shape {dataset.shape}; it must list symbols"
        )
    return tuple(dataset.asstr(errors="replace")[()].tolist())


def _check(volume: ChemicalVolume) -> None:
    if 0 in volume.data.shape:
        raise InputError(f"volume has shape {volume.data.shape}; every axis needs at least one entry")
    if not np.isfinite(volume.data).all():
        raise InputError("volume holds NaN or infinity; give one that is finite everywhere")
    _ = volume.atomic_numbers  # raises for a name that is no element


def _plain_name(name: str) -> str:
    if not name or name == "." or "/" in name or "\0" in name:
        raise InputError(f"history name {name!r} cannot name a data set; use letters, digits and underscores")
    return name


def _series(name: str, values: Sequence[float]) -> np.ndarray:
    try:
        series = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"history '{name}' is not made of numbers; give one an iteration") from None
    if series.ndim != 1:
        raise InputError(f"history '{name}' has shape {series.shape}; give one number an iteration")
    return series
