"""Volume and reconstruction files: how is a ChemicalVolume kept, with the history of how it was found?

Volume file (docs/formats.md); the data are one element and some z a chunk with a checksum, not made smaller::

    /volume            attr voxel_nm
        data           (element, z, y, x) float32; its axes are the next four
        elements       (element,) utf-8 strings
        z, y, x        (n,) float64, nm from the centre of rotation

A reconstruction is a volume file with one more group::

    /history
        <name>         (iteration,) float64, for example the cost of every iteration

Several ranks (fusedtomo.parallel) that each hold some columns of a volume write one file, the very same as one rank
would: every chunk is brought together on rank 0 and written by it. Reading takes the columns that a rank asks for.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from fusedtomo.elements import ATOMIC_NUMBERS, check_channels
from fusedtomo.errors import InputError
from fusedtomo.hdf5 import CHECKED, Columns, member, naming, put_array, read_array, read_number
from fusedtomo.heaps import check_heaps
from fusedtomo.io.root import Attributes, new_file, open_file
from fusedtomo.io.scales import label, put_elements, put_lengths
from fusedtomo.parallel import SERIAL, Blocks, Comm
from fusedtomo.volume import ChemicalVolume

_CHUNK_BYTES = 8 * 2**20


def write_volume(
    volume: ChemicalVolume,
    path: str | Path,
    attributes: Attributes | None = None,
    overwrite: bool = False,
    *,
    comm: Comm = SERIAL,
) -> None:
    """Write a volume (element, z, y, x) as float32, with the caller's attributes at the root of the file.

    With a `comm`, all ranks call it with their own columns; an InputError is raised on all of them.
    """

    def write(shape: tuple[int, ...], blocks: Blocks) -> None:
        with new_file(path, "volume", attributes, overwrite) as file:
            _put(file, "volume", volume, shape, blocks)

    _collect(volume, comm, write)


def read_volume(path: str | Path, columns: Columns = None) -> ChemicalVolume:
    """Return the volume of a volume or reconstruction file, or some columns of it."""
    with open_file(path, "volume", "reconstruction") as file:
        return get_volume(file, "volume", columns)


def write_reconstruction(
    path: str | Path,
    volume: ChemicalVolume,
    history: Mapping[str, Sequence[float]],
    attributes: Attributes | None = None,
    overwrite: bool = False,
    *,
    comm: Comm = SERIAL,
) -> None:
    """Write a volume and its history, one series of numbers a name; `read_volume` reads the volume back.

    With a `comm` as in `write_volume`; history and attributes are those of rank 0.
    """

    def write(shape: tuple[int, ...], blocks: Blocks) -> None:
        with new_file(path, "reconstruction", attributes, overwrite) as file:
            _put(file, "volume", volume, shape, blocks)
            group = file.create_group("history")
            for name, values in history.items():
                put_array(group, _plain_name(name), _series(name, values))

    _collect(volume, comm, write)


def read_history(path: str | Path) -> dict[str, np.ndarray]:
    """Return the history of a reconstruction file: one float64 array (iteration,) a name."""
    with open_file(path, "reconstruction") as file:
        group = file.get("history")
        if not isinstance(group, h5py.Group):
            raise InputError("group '/history' is missing; write the file again with write_reconstruction")
        return {name: read_array(file, f"history/{name}", 1, np.float64, strict=False) for name in group}


def put_volume(file: h5py.File, name: str, volume: ChemicalVolume) -> None:
    """Write a volume as a new group of an open file."""
    _collect(volume, SERIAL, lambda shape, blocks: _put(file, name, volume, shape, blocks))


def get_volume(file: h5py.File, group: str, columns: Columns = None) -> ChemicalVolume:
    """Read a volume, or some columns of it, from a group of an open file."""
    data = read_array(file, f"{group}/data", 4, columns=columns)
    voxel_nm = read_number(file, group, "voxel_nm")
    with naming(f"/{group}"):
        volume = ChemicalVolume(data, get_elements(file, group), voxel_nm)
        check_channels(volume.elements)
    return volume


def get_elements(file: h5py.File, group: str) -> tuple[str, ...]:
    """Read the element symbols of a group."""
    dataset = member(file, f"{group}/elements")
    if h5py.check_string_dtype(dataset.dtype) is None or dataset.ndim != 1:
        raise InputError(
            f"data set '/{group}/elements' is {dataset.dtype} of shape {dataset.shape}; it must list symbols"
        )
    if dataset.size > len(ATOMIC_NUMBERS):
        raise InputError(f"data set '/{group}/elements' has {dataset.size} entries; name each element once")
    if dataset.dtype.hasobject:
        check_heaps(file)
    return tuple(dataset.asstr(errors="replace")[()].tolist())


def _collect(volume: ChemicalVolume, comm: Comm, write: Callable[[tuple[int, ...], Blocks], None]) -> None:
    """Call ``write(shape, blocks)`` on rank 0, with the shape and the chunks of the volume of all ranks."""
    shape = (*volume.data.shape[:-1], sum(comm.widths(volume.shape[-1])))
    n_z = _chunk(shape)[1]
    cuts = [(e, slice(z, z + n_z)) for e in range(shape[0]) for z in range(0, shape[1], n_z)]
    comm.collect(volume.data, cuts, lambda blocks: write(shape, blocks))


def _chunk(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The chunk of a volume (element, z, y, x): some z of one element."""
    _, z, y, x = shape
    return 1, max(1, min(z, _CHUNK_BYTES // max(1, 4 * y * x))), y, x


def _put(file: h5py.File, name: str, volume: ChemicalVolume, shape: tuple[int, ...], blocks: Blocks) -> None:
    """Write a group from the chunks of a volume and what its ranks have in common."""
    if 0 in shape:
        raise InputError(f"volume has shape {shape}; every axis needs at least one entry")
    check_channels(volume.elements)
    group = file.create_group(name)
    group.attrs["voxel_nm"] = float(volume.voxel_nm)
    data = group.create_dataset("data", shape, np.float32, chunks=_chunk(shape), **CHECKED)
    label(data, "1", put_elements(group, volume.elements), *put_lengths(group, shape[1:], volume.voxel_nm))
    for cut, block in blocks:
        if not np.isfinite(block).all():
            raise InputError("volume holds NaN or infinity; give one that is finite everywhere")
        data[cut] = np.asarray(block, dtype=np.float32)


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
