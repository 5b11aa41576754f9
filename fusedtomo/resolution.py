"""How fine is what a volume resolves? Its spectra, its correlation with another volume, and the width of its edges.

Each along the directions that the tilts measured, along those that they missed, and along the axes: x is the tilt axis
and z the beam at 0 degrees, so that the missing wedge lies about z.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import fftfreq, rfftfreq, rfftn

from fusedtomo.errors import InputError

Axis = Literal["x", "y", "z"]
Region = Literal["all", "measured", "missing"] | Axis
AXES: tuple[Axis, ...] = ("x", "y", "z")
REGIONS: tuple[Region, ...] = ("all", "measured", "missing", *AXES)
FIXED = 0.143  # Rosenthal and Henderson 2003: two halves of the data, of which each has half of the signal
_NO_WEDGE_DEG = 180.0
_CONE_DEG = 30.0  # about an axis: narrower holds too few frequencies of a small volume
_FLOOR = 0.8  # of Nyquist: the noise floor is what is found from here on, corners included
_ABOVE_FLOOR = 2.0  # a signal as strong as the noise doubles the power
_REACH = 3  # voxels on both sides of an edge; what is thinner has none
_FACING = 0.95  # of a gradient that lies along the axis of a profile
_OFFSETS = np.linspace(-_REACH, _REACH, 16 * _REACH + 1)  # samples of a profile, in voxels from the edge
_SMALLEST = 8  # voxels
_FEWEST = 8  # frequencies of a shell


@dataclass(frozen=True)
class Shells:
    """A quantity over shells of spatial frequency.

    Attributes:
        frequency: (shell,) 1/nm, from above 0 to Nyquist.
        value: (shell,).
        count: (shell,) independent frequencies in each; a real volume has every frequency twice.
    """

    frequency: np.ndarray
    value: np.ndarray
    count: np.ndarray

    def falls_below(self, threshold: ArrayLike) -> float | None:
        """The frequency at which the value first falls below a threshold (shell,); None when it never does.

        Between two shells it is interpolated. A value that begins below the threshold has the first shell's.
        """
        above = self.value - np.broadcast_to(threshold, self.value.shape)
        if not (above < 0).any():
            return None
        return float(np.interp(_first_below(above), np.arange(len(above)), self.frequency))


def _first_below(values: np.ndarray) -> float:
    """Where values first fall below 0, as an index between two of them; that of the last where they never do."""
    below = np.flatnonzero(values < 0)
    if not len(below):
        return len(values) - 1.0
    index = int(below[0])
    return index - float(values[index] / (values[index] - values[index - 1])) if index else 0.0


def half_bit(shells: Shells) -> np.ndarray:
    """The correlation (shell,) that half a bit of information a frequency needs (van Heel and Schatz 2005, Eq. 17)."""
    root = np.sqrt(np.maximum(shells.count, 1))
    threshold: np.ndarray = (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
    return threshold


def shell_correlation(
    first: np.ndarray,
    second: np.ndarray,
    voxel_nm: float,
    region: Region = "all",
    tilts_deg: tuple[float, float] = (-90.0, 90.0),
) -> Shells:
    """Fourier shell correlation of two volumes (z, y, x), such as two reconstructions from halves of the data.

    sum f conj(g) / sqrt(sum |f|^2 sum |g|^2) over each shell (Harauz and van Heel 1986); 1 is full agreement. Means are
    left out, and so are shells with fewer than 8 frequencies of the region: of those, agreement says nothing.

    Args:
        first: a volume.
        second: another of its shape.
        voxel_nm: edge of their voxels.
        region: which directions: "all"; "measured" or "missing" between the tilts; "x", "y" or "z" within 30 degrees.
        tilts_deg: first and last tilt angle; without a missing wedge by default.
    """
    if first.shape != second.shape:
        raise InputError(f"volumes are {first.shape} and {second.shape} (z, y, x); compare two of one shape")
    f, g = _spectrum(first), _spectrum(second)
    return _over_shells(
        first.shape,
        voxel_nm,
        _chosen(first.shape, region, tilts_deg),
        lambda total: total((f * g.conj()).real) / np.sqrt(np.maximum(total(_square(f)) * total(_square(g)), 1e-300)),
    )


def agreement_nm(first: np.ndarray, second: np.ndarray, voxel_nm: float) -> float:
    """The length down to which two volumes (z, y, x) agree by half a bit in all directions; at least two voxels."""
    shells = shell_correlation(first, second, voxel_nm)
    frequency = shells.falls_below(half_bit(shells))
    return 2 * voxel_nm if frequency is None else 1 / frequency


def power_spectrum(
    volume: np.ndarray, voxel_nm: float, region: Region = "all", tilts_deg: tuple[float, float] = (-90.0, 90.0)
) -> Shells:
    """Power spectral density of a volume (z, y, x): the mean of |f|^2 over each shell of a region, a voxel."""
    power = _square(_spectrum(volume)) / volume.size
    chosen = _chosen(volume.shape, region, tilts_deg)
    return _over_shells(
        volume.shape, voxel_nm, chosen, lambda total: total(power) / np.maximum(total(np.ones_like(power)), 1)
    )


def noise_floor_cutoff(spectrum: Shells) -> float | None:
    """The frequency (1/nm) from which a power spectrum is no more than its noise floor; None when there is none.

    The floor is the median of the shells from 0.8 of Nyquist on. Where the power still falls there by more than the
    factor that tells signal from noise, it is no floor: the volume is smooth, or resolved to its last frequency.
    """
    tail = spectrum.value[spectrum.frequency >= _FLOOR * spectrum.frequency[-1]]
    if tail[0] > _ABOVE_FLOOR * tail[-1]:
        return None
    return spectrum.falls_below(_ABOVE_FLOOR * np.median(tail))


@dataclass(frozen=True)
class Edge:
    """The mean profile across the edges of a volume that face one axis.

    Attributes:
        distance_nm: (sample,) from the edge, where the profile is half of its rise; inside is above 0.
        profile: (sample,) over the level of the volume: about 0 outside and 1 inside.
        count: how many edges it is the mean of.
    """

    distance_nm: np.ndarray
    profile: np.ndarray
    count: int

    @property
    def half_pitch_nm(self) -> float:
        """Half the period of the finest lines that stay apart: the full width at half maximum of the edge's slope."""
        slope = np.gradient(self.profile, self.distance_nm)
        top = int(slope.argmax())
        falls = (_first_below(slope[top:] - slope[top] / 2), _first_below(slope[top::-1] - slope[top] / 2))
        return sum(falls) * float(self.distance_nm[1] - self.distance_nm[0])


def edge(volume: np.ndarray, voxel_nm: float, axis: Axis) -> Edge | None:
    """The mean edge of a volume (z, y, x) along an axis; None where no edge faces it.

    An edge is where the volume passes half of the level of what is full, with a gradient along the axis, outside for
    3 voxels before and inside for 3 behind. Profiles are shifted by their sub-voxel crossing before they are averaged,
    by linear interpolation: a perfect edge has a half-pitch of one voxel.
    """
    level = _level(volume)
    lines = np.moveaxis(np.asarray(volume, np.float64), "zyx".index(axis), -1) / (level or 1.0)
    profiles = np.concatenate([_profiles(lines, way) for way in (1, -1)])
    if not len(profiles):
        return None
    return Edge(_OFFSETS * voxel_nm, profiles.mean(axis=0), len(profiles))


@dataclass(frozen=True)
class Resolution:
    """All measures of one volume.

    Attributes:
        spectra: its power spectrum in each region that has frequencies.
        correlations: its shell correlation with the other volume there; empty without one.
        edges: its mean edge along each axis that edges face.
    """

    spectra: Mapping[Region, Shells]
    correlations: Mapping[Region, Shells]
    edges: Mapping[Axis, Edge]

    def cutoff_nm(self, region: Region) -> float | None:
        """The length from which the spectrum is noise; None where no noise floor is seen."""
        return _length(noise_floor_cutoff(self.spectra[region]))

    def agrees_to_nm(self, region: Region, *, fixed: bool = False) -> float | None:
        """The length down to which the volumes agree by half a bit, or by 0.143; None: down to the last frequency."""
        shells = self.correlations[region]
        return _length(shells.falls_below(FIXED if fixed else half_bit(shells)))


def resolution(
    volume: np.ndarray,
    voxel_nm: float,
    other: np.ndarray | None = None,
    tilts_deg: tuple[float, float] = (-90.0, 90.0),
) -> Resolution:
    """Measure the resolution of a volume (z, y, x), by itself and against another one.

    Args:
        volume: of one element, or of all.
        voxel_nm: edge of its voxels.
        other: the truth, or a reconstruction from other data; without it there are no correlations.
        tilts_deg: first and last tilt angle; without a missing wedge by default.
    """
    regions: list[Region] = [
        region for region in REGIONS if region != "missing" or max(tilts_deg) - min(tilts_deg) < _NO_WEDGE_DEG
    ]
    edges = {axis: found for axis in AXES if (found := edge(volume, voxel_nm, axis))}
    correlations = {}
    if other is not None:
        correlations = {region: shell_correlation(volume, other, voxel_nm, region, tilts_deg) for region in regions}
    return Resolution(
        {region: power_spectrum(volume, voxel_nm, region, tilts_deg) for region in regions}, correlations, edges
    )


def _length(frequency: float | None) -> float | None:
    return None if frequency is None else 1 / frequency


def _level(volume: np.ndarray) -> float:
    """The usual value of what is full: the median of what is above half of it, from a few voxels too bright down."""
    bright = volume[volume > volume.max() / 10]
    if not len(bright):
        return 0.0
    return float(np.median(bright[bright >= np.quantile(bright, 0.95) / 2]))


def _profiles(lines: np.ndarray, way: int) -> np.ndarray:
    """The profiles (edge, sample) of lines (..., voxel) that rise through one half towards higher (1) or lower (-1)."""
    *line, low = np.nonzero(_facing(lines) & _between_bodies(lines >= 0.5, way))
    room = (low > _REACH) & (low < lines.shape[-1] - 1 - _REACH)
    values, low = lines[tuple(index[room] for index in line)], low[room, None]
    below, above = (np.take_along_axis(values, low + step, axis=-1) for step in (0, way))
    at = low + way * ((0.5 - below) / (above - below) + _OFFSETS)
    left = np.floor(at).astype(int)
    before, after = (np.take_along_axis(values, left + step, axis=-1) for step in (0, 1))
    profiles: np.ndarray = before + (at - left) * (after - before)
    return profiles


def _between_bodies(inside: np.ndarray, way: int) -> np.ndarray:
    """The last voxel (..., voxel) of enough outside before enough inside."""
    steps = range(1 - _REACH, _REACH + 1)
    ahead = [np.roll(inside, -way * step, axis=-1) == (step > 0) for step in steps]
    between: np.ndarray = np.logical_and.reduce(ahead)
    return between


def _facing(lines: np.ndarray) -> np.ndarray:
    """Where the gradient lies along the last axis."""
    gradient = np.gradient(lines)
    facing: np.ndarray = np.abs(gradient[-1]) >= _FACING * np.sqrt(sum(part**2 for part in gradient))
    return facing


def _spectrum(volume: np.ndarray) -> np.ndarray:
    """The half of a real volume's Fourier transform that has all of it, without its mean."""
    if min(volume.shape) < _SMALLEST:
        raise InputError(f"volume is {volume.shape} (z, y, x); a spectrum needs {_SMALLEST} voxels each way or more")
    spectrum: np.ndarray = rfftn(volume - np.mean(volume, dtype=np.float64), workers=-1)
    return spectrum


def _square(spectrum: np.ndarray) -> np.ndarray:
    square: np.ndarray = spectrum.real**2 + spectrum.imag**2
    return square


def _frequencies(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Those of `_spectrum` along z, y and x, in cycles a voxel."""
    nz, ny, nx = shape
    return fftfreq(nz)[:, None, None], fftfreq(ny)[None, :, None], rfftfreq(nx)[None, None, :]


def _chosen(shape: tuple[int, ...], region: Region, tilts_deg: tuple[float, float]) -> np.ndarray:
    """Which frequencies of `_spectrum` are of a region."""
    z, y, x = _frequencies(shape)
    if region == "all":
        return np.ones((shape[0], shape[1], shape[2] // 2 + 1), bool)
    if region in ("measured", "missing"):
        first, last = sorted(tilts_deg)
        # a projection at an angle measures the plane of frequencies that are normal to its beam (docs/conventions.md)
        angle = np.degrees(np.arctan2(np.where(y < 0, -z, z), np.abs(y)))
        measured = ((angle >= first) & (angle <= last)) | ((y == 0) & (z == 0))
        return np.broadcast_to(measured == (region == "measured"), (*shape[:2], x.size))
    along = {"z": z, "y": y, "x": x}[region]
    return np.asarray(np.abs(along) >= np.cos(np.radians(_CONE_DEG)) * np.sqrt(z**2 + y**2 + x**2))


def _over_shells(
    shape: tuple[int, ...],
    voxel_nm: float,
    chosen: np.ndarray,
    value: Callable[[Callable[[np.ndarray], np.ndarray]], np.ndarray],
) -> Shells:
    """Shells as wide as the lowest frequency of the shortest axis, up to Nyquist, where enough of them are chosen.

    `value` is given a function that adds up an array of `_spectrum`'s shape over each shell.
    """
    z, y, x = _frequencies(shape)
    n = min(shape)
    shell = np.rint(n * np.sqrt(z**2 + y**2 + x**2)).astype(int)
    # planes x = 0 and x = Nyquist hold both of each pair of frequencies, the others one
    once = np.where((x == 0) | ((x == 0.5) & (shape[2] % 2 == 0)), 0.5, 1.0)
    weight = np.where(chosen & (shell > 0) & (shell <= n // 2), once, 0.0)

    def total(array: np.ndarray) -> np.ndarray:
        return np.bincount(shell.ravel(), (weight * array).ravel(), minlength=n // 2 + 1)[1 : n // 2 + 1]

    count = total(np.ones_like(weight))
    known = count >= _FEWEST
    frequency = np.arange(1, n // 2 + 1) / (n * voxel_nm)
    return Shells(frequency[known], value(total)[known], count[known])
