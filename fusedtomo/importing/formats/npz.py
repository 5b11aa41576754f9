"""NumPy's .npz: a name in a recipe is that of an array, as in ``np.savez("maps.npz", haadf=..., Fe=...)``."""

import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import error as StructError
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.lib.npyio import NpzFile

from fusedtomo.errors import InputError
from fusedtomo.hdf5 import naming, reason_of
from fusedtomo.importing.formats.format import Arrays, Format, Reader
from fusedtomo.incoming import check_regular
from fusedtomo.memory import check_fits

# what NumPy and zipfile raise for damaged files
_ERRORS = (OSError, ValueError, KeyError, EOFError, BadZipFile, StructError, zlib.error, RuntimeError, MemoryError)
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}  # 3.0 is for names of columns
_AGAIN = "write it again with np.savez"


@dataclass(frozen=True, eq=False)
class _Bounded(Mapping[str, np.ndarray]):
    """The arrays of an open file; each is held against what it declares before memory is taken for it."""

    arrays: NpzFile

    def __getitem__(self, name: str) -> np.ndarray:
        assert self.arrays.zip is not None  # it is open
        _check_stored(self.arrays.zip, name)
        found: np.ndarray = self.arrays[name]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


def _check_stored(members: ZipFile, name: str) -> None:
    """Refuse an array that takes more memory than there is, or is of another size than it declares."""
    member = members.getinfo(f"{name}.npy")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # others may ask for any memory before the first byte
        raise InputError(f"array '{name}' is compressed in a way that np.savez never does; {_AGAIN}")
    cure = "give a smaller file, or a machine with more memory"
    check_fits(f"array '{name}'", member.file_size / 1e9, cure)  # its header too, which may be as long
    with members.open(member) as file:
        shape, dtype = _declared(file)
        stored = member.file_size - file.tell()
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != stored:
        raise InputError(f"array '{name}' declares {shape} {dtype}, but the file holds {stored} bytes of it; {_AGAIN}")


def _declared(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise InputError(f"holds an array of the .npy format {version[0]}.{version[1]}; {_AGAIN}, plain numbers alone")
    shape, _, dtype = _HEADERS[version](file)
    return shape, dtype


@contextmanager
def _opened(path: Path) -> Iterator[Reader]:
    """The arrays of a file; a pickle in it is refused, because to read one is to run it."""
    check_regular(path, "an .npz file")
    with naming(f"{path}"):
        try:
            with path.open("rb") as file, NpzFile(file, allow_pickle=False) as arrays:
                yield Arrays(_Bounded(arrays))
        except InputError:
            raise
        except _ERRORS as error:
            if "allow_pickle" in str(error):
                raise InputError("holds Python objects; write plain arrays of numbers with np.savez") from None
            raise InputError(f"cannot be read as .npz ({reason_of(error)}); {_AGAIN}") from None


def _recognises(path: Path) -> bool:
    """Whether it is a ZIP file of .npy files."""
    try:
        with ZipFile(path) as members:
            names = members.namelist()
    except _ERRORS:
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


NPZ = Format("NumPy", (".npz",), _opened, _recognises)
