"""The atlas: which weights are best under given conditions (paper, Supplement 22a), kept as atlas.h5.

An atlas is the data set of workflows/maps/sampling_map.py with what made it as attributes; docs/formats.md has its
layout.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
import xarray as xr

from fusedtomo.errors import InputError
from fusedtomo.files import replacing
from fusedtomo.hdf5 import attribute, check_stored, open_hdf5
from fusedtomo.heaps import check_heaps
from fusedtomo.incoming import check_regular
from workflows.campaign.experience import AGAIN
from workflows.maps.checks import check

T = TypeVar("T")

FORMAT = "fusedtomo atlas"
FORMAT_VERSION = 2
_KEPT = {"zlib": True, "complevel": 1, "fletcher32": True}  # checksums, and zeros are none (fusedtomo.hdf5)
_RECODES = {"_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned"}  # as netCDF has them


def build_atlas(sampling: xr.Dataset, provenance: Mapping[str, str | float]) -> xr.Dataset:
    """The map with what made it: campaign, code version, machine, ..."""
    return sampling.assign_attrs({**provenance, "format": FORMAT, "format_version": FORMAT_VERSION})


def write_atlas(atlas: xr.Dataset, path: str | Path) -> None:
    """Write atlas.h5 (layout: docs/formats.md); an older file stays whole until the new one is complete."""
    # in memory first: HDF5 ends the whole process where a disk fills up while it closes a file
    kept = {name: _KEPT for name, values in atlas.variables.items() if values.ndim and values.dtype.kind in "fiub"}
    content = atlas.to_netcdf(engine="h5netcdf", encoding=kept)
    with replacing(path, keep_suffix=False) as temporary:
        temporary.write_bytes(content)


def read_atlas(path: str | Path) -> xr.Dataset:
    """Read atlas.h5.

    Raises:
        InputError: the file is missing, torn, or not an atlas; it names the file, what lacks and the cure.
    """
    path = Path(path)
    check_regular(path, "the atlas.h5 of a finished campaign")
    if not h5py.is_hdf5(path):
        raise InputError(f"{path}: cannot be read as HDF5; give the atlas.h5 of a finished campaign")
    _check_kind(path, _whole(path, _attributes))
    return _whole(path, _loaded)


def _attributes(path: Path) -> dict[str, Any]:
    with open_hdf5(path) as file:
        return {name: attribute(file, name) for name in ("format", "format_version")}


def _check_arrays(path: Path) -> None:
    with open_hdf5(path) as file:
        check_heaps(file)
        for item in file.values():
            # the scale of an axis without values is declared and never written (netCDF 4)
            if isinstance(item, h5py.Dataset) and not (item.is_scale and not item.id.get_storage_size()):
                check_stored(item)


def _loaded(path: Path) -> xr.Dataset:
    _check_arrays(path)
    # as the numbers are stored: none of ours is a date, nor scaled, nor stands for a missing one
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False, mask_and_scale=False) as atlas:
        loaded = atlas.load()
    for name, variable in loaded.variables.items():
        _check_stored_as_is(str(name), variable.attrs)
    check(loaded)
    return loaded


def _check_stored_as_is(name: str, attributes: dict[str, Any]) -> None:
    """Take out the mark of NaN, which says nothing new; ValueError for what makes other programs read other numbers."""
    if _listed(attributes.get("_FillValue")) == ["nan"]:
        del attributes["_FillValue"]
    if found := sorted(_RECODES & attributes.keys()):
        raise ValueError(f"'{name}' has the attribute '{found[0]}', by which its numbers would be others")


def _whole(path: Path, read: Callable[[Path], T]) -> T:
    """What is read from a file; InputError for whatever goes wrong, as a torn file may be anything."""
    try:
        return read(path)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].removeprefix(f"{path}: ")
        raise InputError(f"{path}: not a whole {FORMAT}: {reason}; {AGAIN}") from None


def _check_kind(path: Path, facts: Mapping[str, object]) -> None:
    if _listed(facts.get("format")) != [FORMAT]:
        raise InputError(f"{path}: not a {FORMAT} (no attribute format = '{FORMAT}'); give the atlas.h5 of a campaign")
    if (version := _listed(facts.get("format_version"))) != [FORMAT_VERSION]:
        raise InputError(
            f"{path}: of format version {', '.join(map(str, version))}, this code reads {FORMAT_VERSION}; {AGAIN}"
        )


def _listed(attribute: object) -> list[Any]:
    """The values of an attribute, which may be an array; NaN, which equals nothing, as a word."""
    return ["nan" if value != value else value for value in np.ravel(np.asarray(attribute)).tolist()]
