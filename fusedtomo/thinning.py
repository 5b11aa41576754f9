"""Binomial thinning: how are counts split into parts that know nothing of each other?

Of a Poisson count b, Binomial(b, a) and the rest are independent Poisson counts, of a and 1 - a times the expected
level. So weights found on one part can be judged by the other, without any assumption on the specimen. It needs raw
counts: a background that was subtracted, or an interpolation, makes the parts dependent.
"""

from dataclasses import dataclass, replace

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries

_FEWEST_FITTED = 2  # HAADF tilts


@dataclass(frozen=True, eq=False)
class Fold:
    """A part of the data to fit, and what is held out to judge the fit.

    Attributes:
        fitted: thinned maps, and the HAADF tilts that are left; gain and background are those of the part.
        maps: the counts taken out, as series of the same scheme.
        haadf_signal: HAADF images taken out, without background, (tilt, y, x); of a short series there are none.
        haadf_angles_deg: their angles.
    """

    fitted: FusedDataset
    maps: tuple[TiltSeries, ...]
    haadf_signal: np.ndarray
    haadf_angles_deg: tuple[float, ...]


def thinned(dataset: FusedDataset, folds: int, rng: np.random.Generator) -> list[Fold]:
    """Split a data set: every count is held out in one fold, and every HAADF tilt in one.

    Args:
        dataset: whose maps hold raw counts.
        folds: at least 2; each holds out 1 / folds of the counts.
        rng: draws which counts.

    Raises:
        InputError: counts are no whole numbers, or there are fewer than two folds.
    """
    if folds < 2:
        raise InputError(f"{folds} folds leave nothing to judge by; give 2 or more")
    parts = [_parts(series, folds, rng) for series in dataset.chemical]
    return [_fold(dataset, [each[k] for each in parts], k, folds) for k in range(folds)]


def _parts(series: TiltSeries, folds: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The counts (tilt, y, x) of every fold, float32: each count falls into one of them."""
    if (uneven := series.counts[series.counts != np.rint(series.counts)]).size:
        raise InputError(
            f"counts of '{series.name}' such as {uneven[0]:g} are no whole numbers, and only those can be thinned: "
            f"give raw counts, neither interpolated nor without their background"
        )
    rest, parts = series.counts.astype(np.int64), []
    for left in range(folds, 1, -1):
        parts.append(rng.binomial(rest, 1 / left))
        rest = rest - parts[-1]
    return [part.astype(np.float32) for part in (*parts, rest)]


def _fold(dataset: FusedDataset, parts: list[np.ndarray], number: int, folds: int) -> Fold:
    share = 1 / folds
    pairs = list(zip(dataset.chemical, parts, strict=True))
    fitted = tuple(_scaled(series, series.counts - part, 1 - share) for series, part in pairs)
    held = tuple(_scaled(series, part, share) for series, part in pairs)
    haadf, angles = dataset.haadf, np.array(dataset.haadf.scheme.angles_deg)
    out = np.argsort(np.argsort(angles)) % folds == number
    if (~out).sum() < _FEWEST_FITTED:
        out[:] = False
    left = replace(haadf, counts=haadf.counts[~out], scheme=TiltScheme(tuple(angles[~out].tolist())))
    signal = haadf.counts[out] - np.float32(haadf.background)
    return Fold(replace(dataset, haadf=left, chemical=fitted), held, signal, tuple(angles[out].tolist()))


def _scaled(series: TiltSeries, counts: np.ndarray, share: float) -> TiltSeries:
    """A part of a series; of an unknown gain, which stands for 1, too."""
    gain = (1.0 if series.gain is None else series.gain) * share
    return replace(series, counts=counts, gain=gain, background=series.background * share, snr=None)
