"""IMOD, ChimeraX and their kind: one MRC file for each element, the angles of a series in a .rawtlt beside it."""

from pathlib import Path

import numpy as np

from fusedtomo.exporting.content import Content
from fusedtomo.exporting.formats.format import Export
from fusedtomo.files import replacing

_ANGSTROM_PER_NM = 10.0


def _files(content: Content, path: Path) -> list[Path]:
    files = [path.with_name(f"{path.stem}-{name}.mrc") for name in content.arrays]
    if content.angles_deg is not None:
        files.append(path.with_suffix(".rawtlt"))
    return files


def _write(content: Content, path: Path) -> list[Path]:
    files = _files(content, path)
    for array, file in zip(content.arrays.values(), files, strict=False):
        _write_one(array, content, file)
    if content.angles_deg is not None:
        with replacing(files[-1]) as temporary:
            temporary.write_text("".join(f"{angle:g}\n" for angle in content.angles_deg))
    return files


def _write_one(array: np.ndarray, content: Content, file: Path) -> None:
    import mrcfile

    is_volume = content.angles_deg is None
    with replacing(file) as temporary, mrcfile.new(temporary, overwrite=True) as mrc:
        mrc.set_data(np.ascontiguousarray(array.transpose() if is_volume else array, np.float32))
        mrc.voxel_size = _ANGSTROM_PER_NM * content.edge_nm
        if is_volume:
            mrc.set_volume()
        else:
            mrc.set_image_stack()


MRC = Export("mrc", "IMOD, ChimeraX, Dragonfly", ".mrc", _write, _files, series=True, package="mrcfile")
