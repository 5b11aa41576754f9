"""HDF5 files of any layout: how is one written whole or not at all, and read so that a fault is named?"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, overload

import h5py
import numpy as np
from numpy.typing import DTypeLike

from fusedtomo.errors import InputError
from fusedtomo.files import replacing

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

T = TypeVar("T")
Columns = slice | Callable[[int], slice] | None  # of the last axis; called with its width, as comm.columns; None: all

# What h5py raises for damaged files. Its OSError is HDF5's own error stack, of no help to a reader.
_H5PY_ERRORS = (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError, MemoryError)


@contextmanager
def new_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """A new HDF5 file that takes the place of `path` when the block ends without an error.

    On any error, such as an OSError when the disk fills up, an older file stays as it was and nothing is left
    beside it.
    """
    with (
        replacing(path, keep_suffix=False) as temporary,
        _Storage(temporary) as storage,
        h5py.File(storage, "w") as file,
    ):
        yield file


class _Storage(FileIO):
    """The plain file below HDF5: it keeps its first error until HDF5 is done, and raises it then.

    HDF5 2.0 ends the whole process with a segmentation fault when a write fails while it closes a file, so a
    full disk would kill a campaign. This way it never hears of a failure, nor of Ctrl-C inside a write.
    """

    def __init__(self, path: Path):
        super().__init__(path, "w+")
        self._error: BaseException | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        content = memoryview(data)
        self._attempt(self._write_all, content)
        return content.nbytes

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        content = memoryview(buffer).cast("B")
        found = super().readinto(content)
        content[found:] = bytes(len(content) - found)  # what was never written: h5py would leave it as malloc did
        return len(content)

    def truncate(self, size: int | None = None, /) -> int:
        self._attempt(super().truncate, size)
        return self.tell() if size is None else size

    def __exit__(self, *exception: object) -> None:
        try:
            if self._error is not None:
                raise self._error
            os.fsync(self.fileno())  # or the rename may reach the disk before the content
        finally:
            self.close()

    def _attempt(self, action: Callable[[T], object], argument: T) -> None:
        try:
            if self._error is None:
                action(argument)
        except BaseException as error:
            self._error = error

    def _write_all(self, data: memoryview) -> None:
        while data:  # one call writes 2 GiB at most, or less where the disk fills up
            data = data[super().write(data) :]


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """An HDF5 file open for reading; errors inside the block become one InputError that names it."""
    source = Path(path)
    try:
        _check_source(source)
        # no lock: files are complete before they get their name, and some cluster file systems have no locks
        with h5py.File(source, "r", locking=False) as file:
            yield file
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except _H5PY_ERRORS as error:
        raise InputError(
            f"{source}: is damaged or cut short ({reason_of(error)}); copy it again or write it anew"
        ) from None


def _check_source(source: Path) -> None:
    try:
        if source.is_dir():
            raise InputError("is a folder; give the name of an HDF5 file")
        if not source.exists():
            raise InputError("does not exist; give the name of an HDF5 file that does")
        if not source.is_file():  # a pipe would block for ever
            raise InputError("is not a regular file; give the name of an HDF5 file")
        with source.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"cannot be read ({reason_of(error)}); give a readable HDF5 file") from None
    if not h5py.is_hdf5(source):
        raise InputError("is not an HDF5 file; give one, or convert yours to HDF5 first")


def read_array(
    file: h5py.File,
    name: str,
    ndim: int | None,
    dtype: DTypeLike = np.float32,
    strict: bool = True,
    columns: Columns = None,
) -> np.ndarray:
    """Return the numbers of one data set, or some columns of them, as a C-ordered array of `dtype`.

    Raises:
        InputError: it is missing, has not `ndim` dimensions (None: any), or holds no numbers; if `strict`,
            also when it is empty or what is read holds NaN or infinity.
    """
    dataset = member(file, name)
    if dataset.dtype.kind not in "fiu":
        raise InputError(f"data set '/{name}' holds {dataset.dtype} values; it must hold numbers")
    if dataset.size is None or (strict and dataset.size == 0) or ndim not in (None, dataset.ndim):
        needs = "one value or more" if ndim is None else f"{ndim} dimensions, none empty"
        raise InputError(f"data set '/{name}' has shape {dataset.shape}; it needs {needs}")
    chosen = () if columns is None else (..., _chosen(columns, dataset.shape[-1]))
    values: np.ndarray = dataset.astype(dtype)[chosen]
    if strict and not np.isfinite(values).all():
        raise InputError(f"data set '/{name}' holds NaN or infinity; replace those values first")
    return values


def _chosen(columns: slice | Callable[[int], slice], nx: int) -> slice:
    """The columns of a width, as a slice within it."""
    chosen = columns(nx) if callable(columns) else columns
    start, stop, step = chosen.indices(nx)
    if step != 1 or start >= stop or (chosen.stop or 0) > nx:
        raise InputError(f"columns {chosen.start}:{chosen.stop} were asked for but x has {nx}; ask for some of those")
    return slice(start, stop)


@overload
def read_number(file: h5py.File, group: str, name: str, required: Literal[True] = True) -> float: ...
@overload
def read_number(file: h5py.File, group: str, name: str, required: bool) -> float | None: ...
def read_number(file: h5py.File, group: str, name: str, required: bool = True) -> float | None:
    """Return a number among the attributes of a group; None when it is absent and not required."""
    value = file[group].attrs.get(name)
    where = f"attribute '{name}' of '/{group.strip('/')}'"
    if value is None and not required:
        return None
    if value is None:
        raise InputError(f"{where} is missing; write the file again")
    if not isinstance(value, np.integer | np.floating) or not np.isfinite(value):
        raise InputError(f"{where} is {value!r}; it must be a finite number")
    return float(value)


def member(file: h5py.File, name: str) -> h5py.Dataset:
    """Return a data set by its name, or raise InputError with the names that there are."""
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise InputError(f"data set '/{name}' is missing; the file holds {_content(file)}")
    return dataset


def _content(file: h5py.File, most: int = 20) -> str:
    """The data sets of a file, so that a user sees which name was meant."""
    found: list[str] = []
    file.visititems(lambda name, item: found.append(f"/{name}") if isinstance(item, h5py.Dataset) else None)
    return ", ".join(found[:most]) + (", ..." if len(found) > most else "") or "no data set at all"


@contextmanager
def naming(field: str) -> Iterator[None]:
    """Put the field's name in front of an InputError raised inside the block."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{field}: {error}") from None


def reason_of(error: Exception) -> str:
    """Return one short line: the operating system's words where there are some, else the first line of HDF5's."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else (str(error).strip() or type(error).__name__).splitlines()[0]
