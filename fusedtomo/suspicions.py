"""Do data, or what was reconstructed from them, look like one of the failures that are known (paper, Discussion)?

The model of Eq. 1 is wrong where images do not match from tilt to tilt, where HAADF falls with thickness, or where an
element has no maps. Each leaves a mark that noise does not explain. What was calibrated, on which data, and what is
found from which strength on: docs/howto-real-data.md. That nothing is found does not prove that nothing is wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.ndimage import convolve1d, gaussian_filter
from scipy.optimize import nnls
from scipy.stats import chi2, spearmanr

from fusedtomo.elements import HAADF, atomic_number
from fusedtomo.losses import noise_variance
from fusedtomo.operators.projector import Projector
from fusedtomo.operators.zcontrast import ZContrast
from fusedtomo.parallel import SERIAL, Comm
from fusedtomo.tilts import FusedDataset, TiltSeries
from fusedtomo.volume import ChemicalVolume

Kind = Literal["misfit", "shifts", "mass", "contrast", "unmapped"]

_BY_CHANCE = 1e-4  # how often noise alone may pass a threshold on shifts or mass, were it Gaussian
_LEAST_SHIFT_PX = 0.15  # linear interpolation and the binning of a finer grid move a centre by less
_LEAST_MASS = 0.01  # relative; the projector keeps mass to less
_MODEL_ERROR = 0.1  # of the signal: interpolation, voxels that grains fill in part, weights that hold HAADF back
_MOST_MISFIT = 2.5  # reduced chi-square of a tilt
_SAME_TILT_DEG = 2.0
_SMOOTH_PX = 1.0  # a map has some counts per pixel
_SMOOTH_MORE_PX = 1.5
_THICK = 0.6  # of the thickest
_LEAST_CORRELATION = 0.1
_SIGMAS = 1.65  # of a rank correlation: one in 20, were there no relation at all
_UNEXPLAINED = 0.02  # of the HAADF signal
_SIGNIFICANT = 5.0  # standard deviations of a pixel
_FEW = 20  # pixels


@dataclass(frozen=True)
class Suspicion:
    """What was seen.

    Attributes:
        kind: which failure it looks like.
        value: what was measured.
        threshold: beyond which it is told.
        text: both in words, and what to check.
    """

    kind: Kind
    value: float
    threshold: float
    text: str


def suspicions(dataset: FusedDataset, model: np.ndarray | None = None) -> list[Suspicion]:
    """Look for every known failure; one may look like another, so that several may be named.

    Args:
        dataset: the whole tilt series.
        model: HAADF projections of the solution (tilt, y, x) at any gain (`haadf_model`); None where none was fitted.
    """
    found = [*_of_series(dataset.haadf, None), *_of_series(_all_elements(dataset), dataset.elements)]
    others = (_contrast(dataset), _unmapped(dataset), None if model is None else _misfit(dataset.haadf, model))
    return [*found, *filter(None, others)]


def haadf_model(volume: ChemicalVolume, angles_deg: tuple[float, ...], gamma: float) -> np.ndarray:
    """HAADF projections (tilt, y, x) of a volume, of elements in units of the heaviest one; see `ZContrast`."""
    alone = volume.elements == (HAADF,)
    density = volume.data[0] if alone else ZContrast(volume.atomic_numbers, gamma).density(volume.data)
    model: np.ndarray = Projector(angles_deg, *volume.shape[:2]).forward(density)
    return model


def gathered(dataset: FusedDataset, comm: Comm = SERIAL) -> FusedDataset:
    """The whole data set from the columns of all ranks, on all ranks."""

    def whole(series: TiltSeries) -> TiltSeries:
        return replace(series, counts=comm.gather(series.counts))

    return replace(dataset, haadf=whole(dataset.haadf), chemical=tuple(map(whole, dataset.chemical)))


def _signal(series: TiltSeries) -> np.ndarray:
    return np.asarray(series.counts, np.float64) - series.background


def _all_elements(dataset: FusedDataset) -> TiltSeries:
    """The maps of all elements together: more counts, and moved alike."""
    counts = dataset.chemical_counts.sum(axis=0)
    background = sum(series.background for series in dataset.chemical)
    return TiltSeries("the maps", counts, dataset.chemical_scheme, background=background)


def _of_series(series: TiltSeries, elements: tuple[str, ...] | None) -> Iterator[Suspicion]:
    """Do tilts match? Mass is constant, its centre is a sinusoid, the profile along x stays (Helgason-Ludwig)."""
    signal = _signal(series)
    # counts of maps are Poisson; those of HAADF have an unknown scale, and their noise is found in the images
    variance = np.maximum(series.counts, 0.0) if elements else np.full(signal.shape, noise_variance(series.counts))
    mass = signal.sum(axis=(1, 2))
    if len(mass) < 4 or (mass <= 0).any():
        return
    name = "maps" if elements else "HAADF images"
    yield from _shifts(name, signal, variance, np.deg2rad(series.scheme.angles_deg))
    yield from _mass(name, mass, variance.sum(axis=(1, 2)))


def _shifts(name: str, signal: np.ndarray, variance: np.ndarray, angles: np.ndarray) -> Iterator[Suspicion]:
    for axis, found, lost in (
        ("y", _centres(signal, variance, angles), 2),
        ("x", _profiles(signal.sum(axis=1), variance.sum(axis=1)), 1),
    ):
        shifts, noise = found
        n = len(shifts) - lost
        value, threshold = float(np.sqrt((shifts**2).sum() / n)), _limit(_LEAST_SHIFT_PX, noise, n)
        if value > threshold:
            worst = int(np.abs(shifts).argmax())
            yield Suspicion(
                "shifts",
                value,
                threshold,
                f"{name} lie {value:.2f} pixels beside each other along {axis} (noise explains {threshold:.2f}; tilt "
                f"{worst + 1} is off by {shifts[worst]:+.2f}): align them again, and check tilt axis, angles, and "
                f"whether the specimen leaves the image",
            )


def _mass(name: str, mass: np.ndarray, variance: np.ndarray) -> Iterator[Suspicion]:
    relative, noise = mass / mass.mean() - 1, np.sqrt(variance) / mass.mean()
    n = len(mass) - 1
    value, threshold = float(np.sqrt((relative**2).sum() / n)), _limit(_LEAST_MASS, noise, n)
    if value > threshold:
        # the mean square of steps between neighbours is twice the variance where nothing ties neighbours together
        smooth = np.mean(np.diff(relative) ** 2) < relative.var()
        cause = (
            "it changes smoothly with the tilt: a specimen too thick for HAADF, or one that leaves the image"
            if smooth
            else "it jumps from tilt to tilt: check beam current, exposure and background of each image"
        )
        yield Suspicion(
            "mass",
            value,
            threshold,
            f"the total signal of {name} varies by {value:.1%} (noise explains {threshold:.1%}); {cause}",
        )


def _limit(least: float, noise: np.ndarray, n: int) -> float:
    """The root mean square that `least` and Gaussian noise of n degrees of freedom reach once in 1 / _BY_CHANCE."""
    return float(np.sqrt(least**2 + np.mean(noise**2) * chi2.isf(_BY_CHANCE, n) / n))


def _centres(signal: np.ndarray, variance: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the centre of mass along y lies beside a cos + b sin, and its noise; (tilt,) in pixels."""
    mass, y = signal.sum(axis=(1, 2)), np.arange(signal.shape[1]) - (signal.shape[1] - 1) / 2
    centre = (signal.sum(axis=2) @ y) / mass
    lever = (y[None, :] - centre[:, None]) ** 2
    noise = np.sqrt((lever * variance.sum(axis=2)).sum(axis=1)) / mass
    curve = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    parts = np.linalg.lstsq(curve / noise[:, None], centre / noise, rcond=None)[0]
    return centre - curve @ parts, noise


def _profiles(profiles: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far each profile (tilt, x) is moved from the mean one, and its noise; (tilt,) in pixels."""
    mean = profiles.mean(axis=0)
    design = np.stack([mean, -np.gradient(mean)], axis=1)  # brighter, and moved
    found = [_weighted(design, profile, of) for profile, of in zip(profiles, np.maximum(variance, 1e-9), strict=True)]
    shifts, noise = np.array(found).T
    return shifts - shifts.mean(), noise


def _weighted(design: np.ndarray, values: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """The second parameter of a weighted fit, and its standard deviation."""
    inverse = np.linalg.pinv(design.T @ (design / variance[:, None]))
    return float((inverse @ (design.T @ (values / variance)))[1]), float(np.sqrt(inverse[1, 1]))


def _common(dataset: FusedDataset) -> tuple[list[int], list[int]]:
    """The HAADF images and the maps at tilts that both have."""
    haadf, maps = (np.array(scheme.angles_deg) for scheme in (dataset.haadf.scheme, dataset.chemical_scheme))
    pairs = [(int(np.abs(haadf - angle).argmin()), index) for index, angle in enumerate(maps)]
    near = [pair for pair in pairs if abs(haadf[pair[0]] - maps[pair[1]]) <= _SAME_TILT_DEG]
    return [pair[0] for pair in near], [pair[1] for pair in near]


def _smooth(images: np.ndarray, sigma: float) -> np.ndarray:
    """Images (..., y, x), each smoothed."""
    smoothed: np.ndarray = gaussian_filter(images, sigma, axes=(-2, -1))
    return smoothed


def _contrast(dataset: FusedDataset) -> Suspicion | None:
    """Does HAADF fall where the maps say that the specimen is thickest? Ranks, as HAADF need not be linear."""
    of_haadf, of_maps = _common(dataset)
    if not of_haadf:
        return None
    thickness = _smooth(_brightness(dataset)[of_maps], _SMOOTH_PX)
    haadf = _smooth(_signal(dataset.haadf)[of_haadf], _SMOOTH_PX)
    thick = thickness > _THICK * np.quantile(thickness, 0.995)
    if thick.sum() < _FEW or not np.ptp(haadf[thick]) > 0 or not np.ptp(thickness[thick]) > 0:
        return None
    value = float(spearmanr(thickness[thick], haadf[thick])[0])
    independent = thick.sum() / (4 * np.pi * _SMOOTH_PX**2)
    threshold = -max(_LEAST_CORRELATION, _SIGMAS / np.sqrt(independent))
    if not value < threshold:
        return None
    return Suspicion(
        "contrast",
        value,
        float(threshold),
        f"HAADF falls where the maps are brightest (rank correlation {value:.2f}, below {threshold:.2f}, in the "
        f"thickest parts): inverted contrast of a specimen that is too thick; leave HAADF out (poisson-tv), or widen "
        f"the detector's inner angle",
    )


def _brightness(dataset: FusedDataset) -> np.ndarray:
    """What maps say of HAADF, (tilt, y, x): each element's by its atomic number, as bright as typical HAADF."""
    numbers = np.array([atomic_number(series.name) for series in dataset.chemical])
    weights = (numbers / numbers.max()) ** 1.7
    series = zip(weights, dataset.chemical, strict=True)
    total: np.ndarray = sum(weight / (one.gain or 1.0) * _signal(one) for weight, one in series)
    return total


def _unmapped(dataset: FusedDataset) -> Suspicion | None:
    """Is HAADF bright where no sum of the maps is? Residuals of a non-negative fit, beyond the noise of both."""
    of_haadf, of_maps = _common(dataset)
    if not of_haadf:
        return None
    haadf = _smooth(_signal(dataset.haadf)[of_haadf], _SMOOTH_MORE_PX).ravel()
    maps = np.stack([_smooth(_signal(one)[of_maps], _SMOOTH_MORE_PX).ravel() for one in dataset.chemical])
    noise = np.stack([_smoothed_noise(one.counts[of_maps]).ravel() for one in dataset.chemical])
    if not haadf.sum() > 0:
        return None
    own = _smoothed_noise(np.full(dataset.haadf.counts.shape[1:], noise_variance(dataset.haadf.counts))).mean()
    residual, variance = _fit(haadf, maps, noise, float(own))
    value = float(residual[residual > _SIGNIFICANT * np.sqrt(variance)].sum() / haadf.sum())
    if not value > _UNEXPLAINED:
        return None
    return Suspicion(
        "unmapped",
        value,
        _UNEXPLAINED,
        f"{value:.1%} of the HAADF signal lies where the maps of {', '.join(dataset.elements)} show too little (more "
        f"than {_UNEXPLAINED:.1%}): an element may have no map, or images may not match; add the element, or leave "
        f"HAADF out (poisson-tv)",
    )


def _fit(haadf: np.ndarray, maps: np.ndarray, noise: np.ndarray, own: float) -> tuple[np.ndarray, np.ndarray]:
    """Residual and variance of a non-negative fit of maps (element, pixel), whose noise counts by what is fitted."""
    variance = np.full(haadf.shape, max(own, 1e-9))
    for _ in range(5):
        weights = 1 / np.sqrt(variance)
        factors, _rest = nnls((maps * weights).T, haadf * weights)
        variance = np.maximum(factors**2 @ noise + own, 1e-9)
    return haadf - factors @ maps, variance


def _smoothed_noise(variance: np.ndarray) -> np.ndarray:
    """The variance of images (..., y, x) once they are smoothed."""
    offsets = np.arange(-8, 9)
    kernel = np.exp(-(offsets**2) / (2 * _SMOOTH_MORE_PX**2))
    squares = (kernel / kernel.sum()) ** 2
    smoothed: np.ndarray = convolve1d(convolve1d(np.asarray(variance, np.float64), squares, -1), squares, -2)
    return smoothed


def _misfit(series: TiltSeries, model: np.ndarray) -> Suspicion | None:
    """Does the solution explain HAADF to the noise? Reduced chi-square of each tilt, the model's own error added."""
    signal, projected = _signal(series), np.asarray(model, np.float64)
    square = (projected**2).sum()
    residual = signal - projected * ((projected * signal).sum() / square if square > 0 else 0.0)
    expected = noise_variance(series.counts) + _MODEL_ERROR**2 * np.mean(signal**2, axis=(1, 2))
    ratios = np.mean(residual**2, axis=(1, 2)) / expected
    value = float(np.median(ratios))
    if not value > _MOST_MISFIT:
        return None
    return Suspicion(
        "misfit",
        value,
        _MOST_MISFIT,
        f"HAADF is not explained by the reconstruction: the reduced chi-square of half of the tilts is above "
        f"{value:.1f} (noise and {_MODEL_ERROR:.0%} of the signal explain 1; more than {_MOST_MISFIT:g}; tilt "
        f"{ratios.argmax() + 1} has the most, {ratios.max():.1f}): check background, alignment and thickness, or raise "
        f"--haadf",
    )
