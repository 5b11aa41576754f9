"""Simulated acquisition: project a phantom, add the vacuum background, draw Poisson counts."""

import hashlib
from dataclasses import replace
from typing import cast

import numpy as np

from fusedtomo.elements import HAADF
from fusedtomo.errors import InputError, nearest
from fusedtomo.operators.projector import Projector
from fusedtomo.operators.zcontrast import ZContrast
from fusedtomo.parallel import SERIAL, Comm
from fusedtomo.settings import Acquisition, Modality
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries
from fusedtomo.volume import ChemicalVolume


def simulate(phantom: ChemicalVolume, acquisition: Acquisition, *, comm: Comm = SERIAL) -> FusedDataset:
    """Return the HAADF and chemical tilt series that a microscope would record (paper, Methods).

    HAADF is the projection of sum_i (Z_i x_i)^gamma, a chemical map the projection of x_i; vacuum is
    `background_fraction` of the series' maximum; counts are Poisson at a scale in closed form (`scale_to_snr`).
    Noise is seeded per series from (seed, name, angles): a series does not change when another one does.

    Of several ranks, each gives its columns of the phantom and gets its columns of the series, bit by bit those that
    one rank would draw: every rank draws whole series in turn, which are small beside the volume.

    Args:
        phantom: concentrations; for ``grid = "fine"`` at twice the wanted resolution: projections are binned by two.
        acquisition: tilts, noise, gamma, seed.
        comm: the ranks.
    """
    bins = 2 if acquisition.grid == "fine" else 1
    _check_sizes(phantom, bins, comm)
    haadf_density = ZContrast(phantom.atomic_numbers, acquisition.gamma).density(phantom.data)
    haadf = _series(HAADF, haadf_density, acquisition.haadf, acquisition, bins, comm)
    chemical = tuple(
        _series(element, phantom[element], acquisition.chemical, acquisition, bins, comm)
        for element in _mapped(phantom, acquisition)
    )
    return FusedDataset(haadf, chemical, phantom.voxel_nm * bins, acquisition.gamma)


def _mapped(phantom: ChemicalVolume, acquisition: Acquisition) -> list[str]:
    """The elements that maps are recorded of."""
    for element in acquisition.unmapped:
        if element not in phantom.elements:
            hint = nearest(element, phantom.elements)
            raise InputError(f"unmapped names '{element}', which the specimen does not hold; {hint}")
    mapped = [element for element in phantom.elements if element not in acquisition.unmapped]
    if not mapped:
        raise InputError("unmapped names all elements of the specimen; leave one to be mapped")
    return mapped


def _check_sizes(phantom: ChemicalVolume, bins: int, comm: Comm) -> None:
    widths = comm.widths(phantom.shape[-1])
    size = (*phantom.shape[:2], sum(widths))
    if any(n % bins for n in size):
        raise InputError(f"grid 'fine' halves the phantom, but it is {size} (z, y, x); give even sizes")
    if any(n % bins for n in widths):
        raise InputError(f"grid 'fine' halves the slabs, but they are {widths} columns wide; cut at even columns")


def scale_to_snr(mean_signal: float, snr: float) -> float:
    """Counts per unit of signal at which a Poisson image of this mean reaches an SNR.

    The paper's ``SNR = (mu_s + mu_s^2) / sigma_N^2`` with mu_s the mean and sigma_N^2 = mu_s the variance of
    Poisson noise is 1 + mu_s: the mean count is SNR - 1 (docs/conventions.md).
    """
    return (snr - 1) / mean_signal


def reached_snr(counts: np.ndarray, expected: np.ndarray) -> float:
    """The same ratio from what was drawn: (m + m^2) / var(counts - expected), m the mean count."""
    mean = counts.mean(dtype=np.float64)
    noise = np.mean(np.square(counts - expected, dtype=np.float64))
    return float((mean + mean**2) / noise) if noise > 0 else float("inf")


def _series(
    name: str, density: np.ndarray, modality: Modality, acquisition: Acquisition, bins: int, comm: Comm
) -> TiltSeries:
    """This rank's columns of a series."""
    scheme = modality.tilts.scheme()
    signal = _binned(comm.gather(_project(density, scheme)), bins)
    if name == HAADF:
        signal = _damped(signal, acquisition.thickness_damping)
    series = _recorded(name, signal, scheme, modality, acquisition)
    return replace(series, counts=np.ascontiguousarray(series.counts[..., _own(density.shape[-1] // bins, comm)]))


def _recorded(
    name: str, signal: np.ndarray, scheme: TiltScheme, modality: Modality, acquisition: Acquisition
) -> TiltSeries:
    """A whole series from its noiseless projections (tilt, y, x)."""
    background = np.float32(acquisition.background_fraction * signal.max())
    image = _misaligned(signal, name, scheme, acquisition) + background
    mean = float(image.mean(dtype=np.float64))
    if mean <= 0:  # an element that the phantom does not hold
        return TiltSeries(name, np.zeros_like(signal), scheme)
    scale = _scale(name, mean, modality, len(scheme))
    expected = np.float32(scale) * image
    rng = np.random.default_rng(_seed(acquisition.seed, name, scheme))
    counts = rng.poisson(expected).astype(np.float32)
    stated = float(scale * acquisition.background_fraction * signal.max()) * (1 + acquisition.background_misfit)
    return TiltSeries(name, counts, scheme, gain=scale, background=stated, snr=reached_snr(counts, expected))


def _damped(signal: np.ndarray, damping: float) -> np.ndarray:
    """HAADF of a thick specimen (tilt, y, x): ``s exp(-damping s / max s)``.

    Electrons that are scattered again and again leave the detector's ring, so that its signal grows with thickness up
    to a maximum, and falls behind it: contrast is inverted (Ercius et al., Appl. Phys. Lett. 88, 243116, 2006; paper,
    Discussion and Supplement 14). The exponential is the simplest curve with that maximum, and no model of a detector.
    """
    if not damping:
        return signal
    damped: np.ndarray = signal * np.exp(np.float32(-damping) * signal / signal.max())
    return damped


def _scale(name: str, mean: float, modality: Modality, n_tilts: int) -> float:
    """Counts per unit of signal, from what the noise is given by."""
    dose = modality.dose_counts
    if modality.total_dose_counts:
        dose = modality.total_dose_counts / n_tilts
    return dose / mean if dose else scale_to_snr(mean, _snr_of(name, modality))


def _misaligned(signal: np.ndarray, name: str, scheme: TiltScheme, acquisition: Acquisition) -> np.ndarray:
    """The projections (tilt, y, x), each shifted by what an alignment has left; all elements of a tilt alike."""
    if not acquisition.misalignment_px:
        return signal
    from scipy.ndimage import shift  # a third of a second to import, and few data sets are misaligned

    rng = np.random.default_rng(_seed(acquisition.seed, f"shifts of {name if name == HAADF else 'maps'}", scheme))
    shifts = rng.normal(0.0, acquisition.misalignment_px, (len(scheme), 2))
    images = [shift(image, by, order=3, mode="nearest") for image, by in zip(signal, shifts, strict=True)]
    moved: np.ndarray = np.maximum(np.stack(images), np.float32(0))  # cubic splines overshoot at edges
    return moved


def _project(density: np.ndarray, scheme: TiltScheme) -> np.ndarray:
    """Line integrals (tilt, y, x) in voxels."""
    stack: np.ndarray = Projector(scheme.angles_deg, *density.shape[:2]).forward(density)
    return stack


def _binned(stack: np.ndarray, bins: int) -> np.ndarray:
    """Blocks of bins x bins pixels averaged, in voxels of the coarser grid."""
    if bins == 1:
        return stack
    n_tilts, ny, nx = stack.shape
    blocks = stack.reshape(n_tilts, ny // bins, bins, nx // bins, bins)
    binned: np.ndarray = blocks.mean(axis=(2, 4), dtype=np.float64).astype(np.float32) / np.float32(bins)
    return binned


def _own(nx_local: int, comm: Comm) -> slice:
    """Where this rank's columns lie among those of all."""
    start = sum(comm.widths(nx_local)[: comm.rank])
    return slice(start, start + nx_local)


def _snr_of(name: str, modality: Modality) -> float:
    if not isinstance(modality.snr, dict):
        return cast(float, modality.snr)  # given where no dose is
    if name not in modality.snr:
        raise InputError(f"snr is given for {', '.join(modality.snr)} but not for {name}; add '{name} = ...'")
    return modality.snr[name]


def _seed(seed: int, name: str, scheme: TiltScheme) -> int:
    text = f"{seed} {name} {' '.join(f'{angle:.6f}' for angle in scheme.angles_deg)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
