"""HDF5 files of any layout: how is one written whole or not at all, and read so that a fault is named?"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import h5py
import numpy as np
from numpy.typing import DTypeLike

from fusedtomo.errors import InputError
from fusedtomo.files import replacing
from fusedtomo.heaps import check_heaps
from fusedtomo.incoming import check_regular
from fusedtomo.memory import available_gb

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

T = TypeVar("T")
Columns = slice | Callable[[int], slice] | None  # of the last axis; called with its width, as comm.columns; None: all

# A checksum for every chunk, and deflate below it, at level 0 where it shall only copy: to fletcher32 alone, zeros are
# right, and zeros are what a lost piece of a file reads as. Deflate takes no zeros.
CHECKED = {"compression": "gzip", "compression_opts": 0, "fletcher32": True}
# where chunks lie, and attributes, have checksums of their own since HDF5 1.10
_VERSION = ("v110", "v110")

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
        h5py.File(storage, "w", libver=_VERSION) as file,
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


def put_text(item: h5py.HLObject, name: str, text: str) -> None:
    """Write text as an attribute of its own length: HDF5 keeps text of any length without a checksum.

    Where such text is damaged, HDF5 2.0 may even read it for ever.
    """
    if "\0" in text:
        raise ValueError("a null character")
    content = text.encode()
    item.attrs.create(name, content, dtype=h5py.string_dtype("utf-8", max(1, len(content))))


def attribute(item: h5py.HLObject, name: str) -> Any:
    """Return an attribute; None where there is none."""
    if name in item.attrs and item.attrs.get_id(name).dtype.hasobject:
        check_heaps(item.file)
    return item.attrs.get(name)


def read_text(item: h5py.HLObject, name: str) -> str | None:
    """Return a text among the attributes; None where there is none. Earlier versions wrote text of any length."""
    value = attribute(item, name)
    return value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else None


def put_array(group: h5py.Group, name: str, values: np.ndarray) -> h5py.Dataset:
    """Write a small array as one chunk with a checksum."""
    kept = {"chunks": values.shape, **CHECKED} if values.size else {}
    return group.create_dataset(name, data=values, **kept)


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """An HDF5 file open for reading; errors inside the block become one InputError that names it."""
    source = Path(path)
    check_regular(source, "an HDF5 file")
    try:
        _check_kind(source)
        # no lock: files are complete before they get their name, and some cluster file systems have no locks
        with h5py.File(source, "r", locking=False) as file:
            _check_links(file)
            yield file
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except _H5PY_ERRORS as error:
        raise InputError(
            f"{source}: is damaged or cut short ({reason_of(error)}); copy it again or write it anew"
        ) from None


def _check_kind(source: Path) -> None:
    try:
        with source.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"cannot be read ({reason_of(error)}); give a readable HDF5 file") from None
    if not h5py.is_hdf5(source):
        raise InputError("is not an HDF5 file; give one, or convert yours to HDF5 first")


def _check_links(file: h5py.File) -> None:
    """Refuse a file that leads to others: to pipes and devices as well, and HDF5 would open them."""
    found = file.visititems_links(
        lambda name, link: (name, link.filename) if isinstance(link, h5py.ExternalLink) else None
    )
    if found:
        raise InputError(f"'/{found[0]}' is a link to the file '{found[1]}'; copy what it leads to into this file")


def check_stored(dataset: h5py.Dataset) -> None:
    """Refuse a data set that is not in its file, or that takes more memory than there is, before any is taken."""
    name, stored = dataset.name, dataset.id.get_storage_size()
    if dataset.external or dataset.is_virtual:
        raise InputError(f"data set '{name}' takes its values from other files; copy them into this one")
    if dataset.size and (_written(dataset) < 1 or stored > os.path.getsize(dataset.file.filename)):
        raise InputError(
            f"data set '{name}' declares {dataset.shape}, but {1 - _written(dataset):.0%} of it was never written; "
            f"write the file again"
        )
    needed_gb, free_gb = max(dataset.nbytes, _chunk_bytes(dataset)) / 1e9, available_gb()
    if needed_gb > free_gb:
        raise InputError(
            f"data set '{name}' takes {needed_gb:.3g} GB, but {free_gb:.3g} GB of memory are free; give a "
            f"smaller file, or a machine with more memory"
        )


def _written(dataset: h5py.Dataset) -> float:
    """The share of a data set that the file holds."""
    if dataset.chunks is None:
        return float(dataset.id.get_storage_size() >= dataset.nbytes)
    chunks = [-(-n // chunk) for n, chunk in zip(dataset.shape, dataset.chunks, strict=True)]
    return float(dataset.id.get_num_chunks() / math.prod(chunks))


def _chunk_bytes(dataset: h5py.Dataset) -> int:
    return int(math.prod(dataset.chunks or (0,)) * dataset.dtype.itemsize)


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
    value = attribute(file[group], name)
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
    check_stored(dataset)
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
