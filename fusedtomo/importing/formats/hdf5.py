"""HDF5: a name in a recipe is the path of a data set, such as ``haadf/tiltSeries``."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import DTypeLike

from fusedtomo.hdf5 import open_hdf5, read_array
from fusedtomo.importing.formats.format import Format, Reader, nothing


@dataclass(frozen=True, eq=False)
class _DataSets:
    """The data sets of an open file."""

    file: h5py.File

    def remarks(self, names: Mapping[str, str]) -> list[str]:
        """See Reader."""
        return nothing(names)

    def contents(self) -> Mapping[str, str]:
        """See Reader."""
        found: dict[str, str] = {}

        def visit(name: str, item: h5py.HLObject) -> None:
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
                found[name] = f"{item.dtype} {' x '.join(map(str, item.shape or ()))}"

        self.file.visititems(visit)
        return found

    def array(self, name: str, ndim: int | None, dtype: DTypeLike = np.float32) -> np.ndarray:
        """See Reader."""
        return read_array(self.file, name, ndim, dtype)


@contextmanager
def _opened(path: Path) -> Iterator[Reader]:
    with open_hdf5(path) as file:
        yield _DataSets(file)


def _recognises(path: Path) -> bool:
    return bool(h5py.is_hdf5(path))


HDF5 = Format("HDF5", (".h5", ".hdf5", ".he5", ".emd", ".nxs"), _opened, _recognises)
