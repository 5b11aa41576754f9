"""Data set files: how is a FusedDataset kept, with the phantom it was simulated from?

An attribute that is not known is absent (docs/formats.md)::

    /                  attrs pixel_nm, gamma
    /haadf             attrs background, gain, snr
        counts         (tilt, y, x) float32, one tilt a chunk with a checksum, gzip; its axes are the next three
        angles_deg     (tilt,) float64
        y, x           (n,) float64, nm from the centre of rotation
    /chemical
        counts         (element, tilt, y, x) float32, one element and tilt a chunk, likewise
        elements       (element,) utf-8 strings
        angles_deg, y, x        as above
        background, gain, snr   (element,) float64; gain and snr are NaN where unknown
    /truth             like /volume (fusedtomo.io.volumes); the phantom, where the data was simulated
"""

from pathlib import Path

import h5py
import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.hdf5 import CHECKED, Columns, member, naming, put_array, read_array, read_number
from fusedtomo.io.root import Attributes, new_file, open_file
from fusedtomo.io.scales import label, put_angles, put_elements, put_lengths
from fusedtomo.io.volumes import get_elements, get_volume, put_volume
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries
from fusedtomo.volume import ChemicalVolume

_KEPT = {**CHECKED, "compression_opts": 1, "shuffle": True}
_UNITS = {"background": "counts/pixel", "gain": "counts", "snr": "1"}


def write_dataset(
    dataset: FusedDataset,
    path: str | Path,
    truth: ChemicalVolume | None = None,
    attributes: Attributes | None = None,
    overwrite: bool = False,
) -> None:
    """Write both modalities, with the phantom they were simulated from where there is one."""
    with new_file(path, "dataset", attributes, overwrite) as file:
        file.attrs["pixel_nm"] = float(dataset.pixel_nm)
        if dataset.gamma is not None:
            file.attrs["gamma"] = float(dataset.gamma)
        _write_haadf(file.create_group("haadf"), dataset)
        _write_chemical(file.create_group("chemical"), dataset)
        if truth is not None:
            put_volume(file, "truth", truth)


def read_dataset(path: str | Path, columns: Columns = None) -> FusedDataset:
    """Return both modalities of a data set file, or some columns of them.

    Args:
        path: the file.
        columns: x columns to read: a slice, or a function from the width to one, such as ``comm.columns``.
    """
    with open_file(path, "dataset") as file:
        if columns is not None:
            _check_widths(file)
        return FusedDataset(
            haadf=_read_haadf(file, columns),
            chemical=_read_chemical(file, columns),
            pixel_nm=read_number(file, "/", "pixel_nm"),
            gamma=read_number(file, "/", "gamma", required=False),
        )


def read_truth(path: str | Path, columns: Columns = None) -> ChemicalVolume | None:
    """Return the phantom inside a data set file, or some columns of it; None where it has none, as measured data."""
    with open_file(path, "dataset") as file:
        return get_volume(file, "truth", columns) if "truth" in file else None


def _write_haadf(group: h5py.Group, dataset: FusedDataset) -> None:
    series = dataset.haadf
    _write_counts(group, series.counts, series.scheme, dataset.pixel_nm)
    group.attrs["background"] = float(series.background)
    for name in ("gain", "snr"):
        if getattr(series, name) is not None:
            group.attrs[name] = float(getattr(series, name))


def _read_haadf(file: h5py.File, columns: Columns) -> TiltSeries:
    counts = read_array(file, "haadf/counts", 3, columns=columns)
    scheme = _read_scheme(file, "haadf/angles_deg")
    background = read_number(file, "haadf", "background")
    gain, snr = (read_number(file, "haadf", name, required=False) for name in ("gain", "snr"))
    with naming("/haadf/counts"):
        return TiltSeries("HAADF", counts, scheme, gain, background, snr)


def _write_chemical(group: h5py.Group, dataset: FusedDataset) -> None:
    elements = put_elements(group, dataset.elements)
    _write_counts(group, dataset.chemical_counts, dataset.chemical_scheme, dataset.pixel_nm, elements)
    for name, units in _UNITS.items():
        known = [getattr(series, name) for series in dataset.chemical]
        values = np.array([np.nan if value is None else value for value in known], dtype=np.float64)
        label(put_array(group, name, values), units, elements)


def _read_chemical(file: h5py.File, columns: Columns) -> tuple[TiltSeries, ...]:
    counts = read_array(file, "chemical/counts", 4, columns=columns)
    scheme = _read_scheme(file, "chemical/angles_deg")
    elements = get_elements(file, "chemical")
    if len(counts) != len(elements) or len(set(elements)) != len(elements):
        raise InputError(
            f"data set '/chemical/elements' names {', '.join(elements)} for {len(counts)} entries of "
            f"'/chemical/counts' (element, tilt, y, x); name each element once"
        )
    gains, backgrounds, snrs = (_read_per_element(file, name, len(elements)) for name in ("gain", "background", "snr"))
    with naming("/chemical"):
        return tuple(
            TiltSeries(name, counts[e], scheme, gains[e], _known(backgrounds[e]), snrs[e])
            for e, name in enumerate(elements)
        )


def _read_per_element(file: h5py.File, name: str, n_elements: int) -> list[float | None]:
    """Values of /chemical/<name>, None where the file holds NaN."""
    values = read_array(file, f"chemical/{name}", 1, np.float64, strict=False)
    if len(values) != n_elements:
        raise InputError(
            f"data set '/chemical/{name}' has {len(values)} values for {n_elements} elements; give one each"
        )
    return [None if np.isnan(value) else float(value) for value in values]


def _known(background: float | None) -> float:
    return np.nan if background is None else background  # TiltSeries refuses NaN with a message of its own


def _check_widths(file: h5py.File) -> None:
    """Compare the full widths of both modalities, which nobody sees in the columns that are read."""
    shapes: list[tuple[int, ...]] = [member(file, name).shape or () for name in ("haadf/counts", "chemical/counts")]
    haadf, chemical = shapes
    if len(haadf) == 3 and len(chemical) == 4 and haadf[-1] != chemical[-1]:  # what else is wrong, their readers say
        raise InputError(
            f"HAADF images are {haadf[-1]} pixels wide (x) but chemical maps {chemical[-1]}; "
            f"resample them to one pixel size and crop them alike"
        )


def _write_counts(
    group: h5py.Group, counts: np.ndarray, scheme: TiltScheme, pixel_nm: float, *elements: h5py.Dataset
) -> None:
    """Write counts (tilt, y, x), or (element, tilt, y, x) after the scale of the elements."""
    if 0 in counts.shape:
        raise InputError(f"{group.name}/counts has shape {counts.shape}; give at least one pixel")
    chunks = (1,) * (counts.ndim - 2) + counts.shape[-2:]
    data = group.create_dataset("counts", data=np.asarray(counts, dtype=np.float32), chunks=chunks, **_KEPT)
    label(data, "counts", *elements, put_angles(group, scheme), *put_lengths(group, counts.shape[-2:], pixel_nm))


def _read_scheme(file: h5py.File, name: str) -> TiltScheme:
    with naming(f"/{name}"):
        return TiltScheme(tuple(read_array(file, name, 1, np.float64).tolist()))
