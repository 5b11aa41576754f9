"""Which format has a file? Each is one file beside this one, and one line of registration here or outside.

A plug-in adds a format by `FORMATS.register(Format(...))` (docs/adding.md). What the rest of the import sees of a file
is a `Reader`: it asks for arrays by name, and knows no format.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from os.path import isfile  # unlike Path's, it is False for a name that is too long
from pathlib import Path

from fusedtomo.errors import InputError
from fusedtomo.importing.formats.format import Format, Reader
from fusedtomo.importing.formats.hdf5 import HDF5
from fusedtomo.importing.formats.microscope import MICROSCOPE
from fusedtomo.importing.formats.npz import NPZ
from fusedtomo.registry import Registry

FORMATS: Registry[Format] = Registry("file format")
FORMATS.register(MICROSCOPE)  # first: what it recognises may be HDF5 as well
FORMATS.register(HDF5)
FORMATS.register(NPZ)


@contextmanager
def opened(path: Path) -> Iterator[Reader]:
    """A file of measured data open for reading; every InputError inside the block names it."""
    with format_of(path).opened(path) as reader:
        yield reader


def format_of(path: Path) -> Format:
    """The format of a file: the one that knows its content, of several the one of its suffix; else that of its suffix.

    Raises:
        InputError: no format knows either.
    """
    suffix, is_there = path.suffix.lower(), isfile(path)  # a pipe would block whoever looked into it

    def fits(one: Format) -> tuple[bool, bool]:
        return is_there and one.recognises(path), suffix in one.suffixes

    found = max(FORMATS.values(), key=fits)
    if any(fits(found)):
        return found
    if not is_there:
        raise InputError(f"{path}: is no file; give the name of one that can be read: {_known()}")
    raise InputError(f"{path}: no format knows this file, nor the suffix '{path.suffix}'; known: {_known()}")


def _known() -> str:
    return ", ".join(f"{one.name} ({', '.join(one.suffixes)})" for one in FORMATS.values())
