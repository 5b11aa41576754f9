"""How do volumes get into a page? Numbers of one byte, compressed, at most 64 voxels along an edge.

A byte is a concentration over the element's highest one, in steps of 1/255: as fine as a screen shows. The browser
inflates them (DecompressionStream); nothing of it is a picture, so one copy serves slices, surfaces and read-outs.
"""

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fusedtomo.volume import ChemicalVolume
from workflows.figures.views import coarse

MOST_VOXELS = 64  # along an edge of what a page holds
Json = dict[str, Any]


def packed(volume: ChemicalVolume, truth: ChemicalVolume | None = None) -> Json:
    """A volume as a page holds it: shape (z, y, x), the concentration of a full byte by element, the bytes as text.

    What exceeds twice the truth's highest concentration is clipped there: single bright voxels of an unregularised
    method would leave few steps for all others.
    """
    small = coarse(volume, MOST_VOXELS)
    peaks = small.data.max(axis=(1, 2, 3)).astype(float)
    if truth is not None:
        most = 2 * truth.only(volume.elements).data.max(axis=(1, 2, 3))
        peaks = np.minimum(peaks, np.where(most > 0, most, peaks))
    scaled = small.data / np.where(peaks > 0, peaks, 1)[:, None, None, None]
    data = np.round(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    return {
        "shape": list(small.shape),
        "elements": list(small.elements),
        "peaks": [float(f"{peak:.6g}") for peak in peaks],
        "voxel_nm": float(f"{small.voxel_nm:.6g}"),
        "averaged": volume.shape[0] // small.shape[0],
        "data": as_text(data),
    }


def as_text(data: np.ndarray) -> str:
    """Bytes in C order, compressed and as base64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(data).tobytes(), 9)).decode("ascii")


def bytes_of(packs: Mapping[str, Json]) -> int:
    """What packed volumes take in a page."""
    return sum(len(one["data"]) for one in packs.values())
