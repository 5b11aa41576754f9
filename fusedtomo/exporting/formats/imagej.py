"""ImageJ, Fiji: one TIFF hyperstack with a channel for each element."""

from pathlib import Path
from typing import Any

import numpy as np

from fusedtomo.exporting.content import Content
from fusedtomo.exporting.formats.format import Export
from fusedtomo.files import replacing


def _write(content: Content, path: Path) -> list[Path]:
    import tifffile

    stack, per_nm = _hyperstack(content), 1 / content.edge_nm
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary, stack, imagej=True, resolution=(per_nm, per_nm), metadata=_described(content, len(stack))
        )
    return [path]


def _described(content: Content, n_images: int) -> dict[str, Any]:
    """What ImageJ shows: slices are z of a volume, frames are the tilts of a series."""
    told: dict[str, Any] = {"unit": "nm"}
    if content.angles_deg is None:
        told |= {"axes": "ZCYX", "spacing": content.edge_nm}
    else:
        angles = ", ".join(f"{angle:g}" for angle in content.angles_deg)
        told |= {"axes": "TCYX", "Info": f"tilt angles in degrees: {angles}"}
    return {**told, "Labels": [*content.arrays] * n_images}


def _hyperstack(content: Content) -> np.ndarray:
    """(z or angle, element, y, x)."""
    arrays = [array.transpose() if content.angles_deg is None else array for array in content.arrays.values()]
    return np.stack(arrays, axis=1)


IMAGEJ = Export("imagej", "ImageJ, Fiji, napari", ".tif", _write, series=True, package="tifffile")
