"""Larger pixels: what becomes of counts, gains and levels when pixels are put together?"""

from dataclasses import replace

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.tilts import FusedDataset, TiltSeries


def binned(dataset: FusedDataset, factor: int) -> FusedDataset:
    """The data set with blocks of factor x factor pixels as one.

    Counts are summed, and sums of Poisson counts are Poisson counts; HAADF is averaged. A voxel is `factor` times as
    thick, so that the gain of a map grows by its cube. Of a size that is no multiple the rest is cut at both edges.

    Raises:
        InputError: it leaves nothing of the images.
    """
    if factor == 1:
        return dataset
    y, x = dataset.haadf.counts.shape[1:]
    if min(y, x) < factor:
        raise InputError(f"bin = {factor} leaves nothing of {x} x {y} pixels; give less")
    haadf = dataset.haadf
    level = haadf.gain and haadf.gain * factor
    mean = replace(haadf, counts=_blocks(haadf.counts, factor).mean(axis=(2, 4)).astype(np.float32), gain=level)
    maps = tuple(_summed(series, factor) for series in dataset.chemical)
    return replace(dataset, haadf=mean, chemical=maps, pixel_nm=dataset.pixel_nm * factor)


def _summed(series: TiltSeries, factor: int) -> TiltSeries:
    counts = _blocks(series.counts, factor).sum(axis=(2, 4)).astype(np.float32)
    gain = (1.0 if series.gain is None else series.gain) * factor**3
    return replace(series, counts=counts, gain=gain, background=series.background * factor**2, snr=None)


def _blocks(images: np.ndarray, factor: int) -> np.ndarray:
    """(tilt, y, factor, x, factor) float64."""
    y, x = (n // factor for n in images.shape[1:])
    top, left = ((n - factor * m) // 2 for n, m in zip(images.shape[1:], (y, x), strict=True))
    inner = images[:, top : top + factor * y, left : left + factor * x]
    return inner.reshape(len(images), y, factor, x, factor).astype(np.float64)
