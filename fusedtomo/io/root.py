"""The root of a file: which kind is it, who wrote it, and what did the caller add?"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from fusedtomo import __version__
from fusedtomo.errors import InputError, NoRoom
from fusedtomo.hdf5 import attribute, new_hdf5, open_hdf5, put_text, read_text, reason_of

Attributes = Mapping[str, str | float | int]

_RESERVED = ("fusedtomo_kind", "fusedtomo_version", "pixel_nm", "gamma")
_READER = {
    "volume": "read_volume",
    "reconstruction": "read_volume and read_history",
    "dataset": "read_dataset and read_truth",
}
_OTHER_PLACE = "choose a folder that can be written and has room"


def kind_of(path: str | Path) -> str:
    """Return "volume", "reconstruction" or "dataset"."""
    with open_file(path, *_READER) as file:
        return str(read_text(file, "fusedtomo_kind"))


def read_attributes(path: str | Path) -> dict[str, str | float | int]:
    """Return the attributes that the writer of a file was given."""
    with open_file(path, *_READER) as file:
        return {name: _plain(file, name) for name in file.attrs if name not in _RESERVED}


def _plain(file: h5py.File, name: str) -> str | float | int:
    text, value = read_text(file, name), attribute(file, name)
    if text is None and not isinstance(value, np.integer | np.floating):
        raise InputError(f"attribute '{name}' is {type(value).__name__}; it must be a number, or text")
    found: str | float | int = value.item() if text is None else text
    return found


@contextmanager
def new_file(
    path: str | Path, kind: str, attributes: Attributes | None = None, overwrite: bool = False
) -> Iterator[h5py.File]:
    """A new file of a kind, in place once the block ends without an error; errors become one InputError."""
    target = Path(path)
    _check_target(target, overwrite)
    try:
        with new_hdf5(target) as file:
            put_text(file, "fusedtomo_kind", kind)
            put_text(file, "fusedtomo_version", __version__)
            _write_attributes(file, attributes or {})
            yield file
    except NoRoom:
        raise
    except InputError as error:
        raise InputError(f"{target}: {error}") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise InputError(f"{target}: cannot be written ({reason_of(error)}); {_OTHER_PLACE}") from None


@contextmanager
def open_file(path: str | Path, *wanted: str) -> Iterator[h5py.File]:
    """A file of one of the wanted kinds, open for reading; errors become one InputError."""
    with open_hdf5(path) as file:
        kind = read_text(file, "fusedtomo_kind")
        if kind not in _READER:
            raise InputError(
                f"attribute 'fusedtomo_kind' is {kind!r}, so fusedtomo did not write this file; "
                f"import foreign data with `fusedtomo import`"
            )
        if kind not in wanted:
            raise InputError(
                f"attribute 'fusedtomo_kind' is '{kind}', but a {' or '.join(wanted)} file is wanted; "
                f"give one, or read this file with {_READER[kind]}"
            )
        yield file


def _check_target(target: Path, overwrite: bool) -> None:
    try:
        if target.is_dir():
            raise InputError(f"{target}: is a folder; give the name of a file inside it")
        if not target.parent.is_dir():
            raise InputError(f"{target}: folder {target.parent} does not exist; make it or choose another")
        if target.exists() and not overwrite:
            raise InputError(f"{target}: exists; pass --overwrite or another name")
    except OSError as error:  # for example a name that is too long, or a folder that may not be searched
        raise InputError(f"{target}: cannot be written ({reason_of(error)}); {_OTHER_PLACE}") from None


def _write_attributes(file: h5py.File, attributes: Attributes) -> None:
    for name, value in attributes.items():
        if name in _RESERVED:
            raise InputError(f"attribute '{name}' is reserved for fusedtomo; choose another name")
        try:
            if not isinstance(value, str | int | float | np.integer | np.floating):
                raise TypeError(f"{type(value).__name__}")
            if isinstance(value, str):
                put_text(file, name, value)
            else:
                file.attrs[name] = value
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            shown = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:60]}..."
            raise InputError(
                f"attribute {name!r} = {shown} cannot be kept ({reason_of(error)}); give a number, or text"
            ) from None
