"""NumPy's .npz: a name in a recipe is that of an array, as in ``np.savez("maps.npz", haadf=..., Fe=...)``."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import error as StructError
from zipfile import BadZipFile, ZipFile

from numpy.lib.npyio import NpzFile

from fusedtomo.errors import InputError
from fusedtomo.hdf5 import naming, reason_of
from fusedtomo.importing.formats.format import Arrays, Format, Reader

# what NumPy and zipfile raise for damaged files
_ERRORS = (OSError, ValueError, KeyError, EOFError, BadZipFile, StructError, zlib.error, RuntimeError, MemoryError)


@contextmanager
def _opened(path: Path) -> Iterator[Reader]:
    """The arrays of a file; a pickle in it is refused, because to read one is to run it."""
    with naming(f"{path}"):
        try:
            with path.open("rb") as file, NpzFile(file, allow_pickle=False) as arrays:
                yield Arrays(arrays)
        except InputError:
            raise
        except _ERRORS as error:
            if "allow_pickle" in str(error):
                raise InputError("holds Python objects; write plain arrays of numbers with np.savez") from None
            raise InputError(f"cannot be read as .npz ({reason_of(error)}); write it again with np.savez") from None


def _recognises(path: Path) -> bool:
    """Whether it is a ZIP file of .npy files."""
    try:
        with ZipFile(path) as members:
            names = members.namelist()
    except _ERRORS:
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


NPZ = Format("NumPy", (".npz",), _opened, _recognises)
