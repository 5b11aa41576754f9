"""Tilt schemes and the series recorded with them: HAADF and chemical maps, each with its own angles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fusedtomo.elements import atomic_number
from fusedtomo.errors import InputError

MAX_TILT_DEG = 90.0
_LEAST_SPAN_DEG = 5.0  # +-90 degrees are 3.1 radians apart


@dataclass(frozen=True)
class TiltScheme:
    """The tilt angles of a series, in degrees about x, in the order they were recorded. At least two, within +-90."""

    angles_deg: tuple[float, ...]

    def __post_init__(self) -> None:
        angles = np.asarray(self.angles_deg, dtype=np.float64)
        if len(angles) < 2:
            raise InputError(f"a tilt series needs at least two angles, but {len(angles)} given; add angles")
        bad = angles[~(np.abs(angles) <= MAX_TILT_DEG)]
        if len(bad):
            raise InputError(
                f"tilt angle {bad[0]:g} degrees is outside +-{MAX_TILT_DEG:g}; give angles in degrees within that range"
            )
        if len(np.unique(angles)) < len(angles):
            raise InputError("a tilt angle is given twice; average repeated images or drop one of them")

    def __len__(self) -> int:
        return len(self.angles_deg)

    @classmethod
    def from_count(cls, min_deg: float, max_deg: float, count: int) -> "TiltScheme":
        """`count` evenly spaced angles from min_deg to max_deg, both included."""
        return cls(tuple(float(a) for a in np.linspace(min_deg, max_deg, count)))

    @classmethod
    def from_increment(cls, min_deg: float, max_deg: float, increment_deg: float) -> "TiltScheme":
        """Angles min_deg, min_deg + increment_deg, ... up to max_deg, included when it is reached."""
        if not increment_deg > 0:
            raise InputError(f"tilt increment is {increment_deg:g} degrees; give one above 0")
        count = int(np.floor((max_deg - min_deg) / increment_deg + 1e-9)) + 1
        return cls(tuple(float(min_deg + i * increment_deg) for i in range(count)))


@dataclass(frozen=True, eq=False)
class TiltSeries:
    """One stack of projections: the HAADF images, or the maps of one element.

    Attributes:
        name: "HAADF" or an element symbol.
        counts: (tilt, y, x) float32, raw signal with its background; x is the tilt axis.
        scheme: the angle of every projection.
        gain: counts per unit of projected signal and voxel; None when unknown (always so for a measured HAADF series).
        background: expected counts per pixel where there is no specimen.
        snr: signal-to-noise ratio reached (docs/conventions.md); None when unknown.
    """

    name: str
    counts: np.ndarray
    scheme: TiltScheme
    gain: float | None = None
    background: float = 0.0
    snr: float | None = None

    def __post_init__(self) -> None:
        if self.counts.ndim != 3:
            raise InputError(f"tilt series '{self.name}' has shape {self.counts.shape}; it must be (tilt, y, x)")
        if len(self.counts) != len(self.scheme):
            raise InputError(
                f"tilt series '{self.name}' has {len(self.counts)} projections but its scheme has "
                f"{len(self.scheme)} angles; pass the scheme it was recorded with"
            )
        if not np.isfinite(self.counts).all():
            raise InputError(f"tilt series '{self.name}' holds NaN or infinity; replace those pixels first")
        if not (np.isfinite(self.background) and self.background >= 0):
            raise InputError(f"tilt series '{self.name}' has background {self.background}; give counts per pixel >= 0")
        if self.gain is not None and not (np.isfinite(self.gain) and self.gain > 0):
            raise InputError(f"tilt series '{self.name}' has gain {self.gain}; give counts per unit above 0")

    def __repr__(self) -> str:
        y, x = self.counts.shape[1:]
        span = f"{min(self.scheme.angles_deg):g}° to {max(self.scheme.angles_deg):g}°"
        known = "" if self.snr is None else f", SNR {self.snr:.4g}"
        return f"TiltSeries({self.name}: {len(self.scheme)} tilts from {span}, {y} × {x} pixels (y, x){known})"


@dataclass(frozen=True, eq=False)
class FusedDataset:
    """A HAADF series and the chemical series of several elements of one specimen, aligned to one tilt axis.

    Attributes:
        haadf: the HAADF series.
        chemical: one series an element, sharing one scheme and shape; counts >= 0.
        pixel_nm: edge of a pixel in nanometres.
        gamma: exponent of the HAADF contrast that the data was simulated with; None for measured data.
    """

    haadf: TiltSeries
    chemical: tuple[TiltSeries, ...]
    pixel_nm: float
    gamma: float | None = None

    def __post_init__(self) -> None:
        if not self.chemical:
            raise InputError("a fused data set needs the chemical series of at least one element")
        first = self.chemical[0]
        if len(set(self.elements)) < len(self.elements):
            raise InputError(f"element named twice among {', '.join(self.elements)}; give each one series")
        for series in self.chemical:
            atomic_number(series.name)
            if series.scheme != first.scheme:
                raise InputError(f"chemical series '{series.name}' and '{first.name}' have different tilt angles")
            if series.counts.shape != first.counts.shape:
                raise InputError(
                    f"chemical series '{series.name}' is {series.counts.shape} but '{first.name}' is "
                    f"{first.counts.shape}; all elements must share one shape"
                )
            if (series.counts < 0).any():
                raise InputError(
                    f"chemical series '{series.name}' has negative counts (down to {series.counts.min():g}); give raw "
                    f"counts and state the background instead of subtracting it"
                )
        if self.haadf.counts.shape[1:] != first.counts.shape[1:]:
            raise InputError(
                f"HAADF images are {self.haadf.counts.shape[1:]} but chemical maps {first.counts.shape[1:]} (y, x); "
                f"resample them to one pixel size and crop them alike"
            )
        if not self.pixel_nm > 0:
            raise InputError(f"pixel_nm is {self.pixel_nm}; give the pixel's edge in nanometres, above 0")

    def __repr__(self) -> str:
        y, x = self.haadf.counts.shape[1:]
        tilts = f"{len(self.haadf.scheme)} HAADF tilts, {len(self.chemical_scheme)} chemical tilts"
        return f"FusedDataset({', '.join(self.elements)}; {tilts}; {y} × {x} pixels (y, x) of {self.pixel_nm:.4g} nm)"

    @property
    def elements(self) -> tuple[str, ...]:
        """Element symbols, in the order of the chemical series."""
        return tuple(series.name for series in self.chemical)

    @property
    def chemical_scheme(self) -> TiltScheme:
        """The tilt scheme that all elements share."""
        return self.chemical[0].scheme

    @property
    def chemical_counts(self) -> np.ndarray:
        """All chemical counts as one new array (element, tilt, y, x)."""
        return np.stack([series.counts for series in self.chemical])


def check_signal(dataset: FusedDataset, any_rank: Callable[[bool], bool] = bool) -> None:
    """Refuse data of which nothing can be reconstructed; `any_rank` is ``comm.any`` where ranks hold columns.

    Raises:
        InputError: angles are too near to each other for degrees, or no pixel of a series is above its background.
    """
    for series in (dataset.haadf, dataset.chemical[0]):
        span = max(series.scheme.angles_deg) - min(series.scheme.angles_deg)
        if span < _LEAST_SPAN_DEG:
            raise InputError(
                f"tilt angles of '{series.name}' span {span:.3g} degrees; give angles in degrees, not radians"
            )
    for series in (dataset.haadf, *dataset.chemical):
        if not any_rank(bool((series.counts > series.background).any())):
            raise InputError(
                f"tilt series '{series.name}' has no pixel above its background of {series.background:g} counts; give "
                f"its raw counts and their background, or leave the element out"
            )


def per_element(dataset: FusedDataset, attribute: str, default: float) -> np.ndarray:
    """A number of every chemical series as a float32 array (element,), `default` where it is unknown."""
    values: Sequence[float | None] = [getattr(series, attribute) for series in dataset.chemical]
    return np.array([default if value is None else value for value in values], dtype=np.float32)
