"""How do plain arrays become a data set? One call, for series that are aligned and turned already."""

from collections.abc import Mapping, Sequence

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries, check_signal


def dataset_from_arrays(
    haadf: np.ndarray,
    haadf_angles_deg: Sequence[float],
    maps: Mapping[str, np.ndarray],
    maps_angles_deg: Sequence[float] | None = None,
    *,
    pixel_nm: float,
    haadf_background: float = 0.0,
    maps_background: float | Mapping[str, float] = 0.0,
    gain: float | Mapping[str, float] | None = None,
) -> FusedDataset:
    """Return the data set of aligned series, whose last axis x is the tilt axis.

    Args:
        haadf: (tilt, y, x) HAADF images with their background.
        haadf_angles_deg: the angle of every image, in degrees about x.
        maps: by element symbol (tilt, y, x) raw counts, >= 0.
        maps_angles_deg: the angle of every map; default: those of the HAADF images.
        pixel_nm: edge of a pixel in nanometres.
        haadf_background: level of the HAADF images where there is no specimen.
        maps_background: expected counts per pixel without specimen, of all elements or by element.
        gain: counts per unit of concentration and voxel, of all elements or by element; without it concentrations have
            a scale of their own.

    Raises:
        InputError: shapes, angles, elements or counts do not fit; it names the series and the cure.
    """
    angles = haadf_angles_deg if maps_angles_deg is None else maps_angles_deg
    for name, values in {"maps_background": maps_background, "gain": gain}.items():
        _check_names(name, values, maps)
    series = TiltSeries("HAADF", _counts(haadf), _scheme(haadf_angles_deg), background=haadf_background)
    chemical = tuple(
        TiltSeries(
            element,
            _counts(counts),
            _scheme(angles),
            gain=_of(gain, element),
            background=_of(maps_background, element) or 0.0,
        )
        for element, counts in maps.items()
    )
    dataset = FusedDataset(series, chemical, pixel_nm)
    check_signal(dataset)
    return dataset


def _counts(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float32)


def _scheme(angles_deg: Sequence[float]) -> TiltScheme:
    return TiltScheme(tuple(float(angle) for angle in angles_deg))


def _of(values: float | Mapping[str, float] | None, element: str) -> float | None:
    return values.get(element) if isinstance(values, Mapping) else values


def _check_names(name: str, values: float | Mapping[str, float] | None, maps: Mapping[str, np.ndarray]) -> None:
    unknown = [element for element in values if element not in maps] if isinstance(values, Mapping) else []
    if unknown:
        raise InputError(f"{name} names '{unknown[0]}', of which there is no map; maps are of {', '.join(maps)}")
