"""What differs from one file format to the other? All of it is in one value."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from fusedtomo.errors import InputError

_MOST_NAMES = 20
_MOST_NUMBERS = 3


class Reader(Protocol):
    """An open file of measured data, as the import sees it."""

    def contents(self) -> Mapping[str, str]:
        """What there is: names for a recipe, and a word on each, for people."""

    def remarks(self, names: Mapping[str, str]) -> list[str]:
        """What to say of the maps that a recipe takes by these names, by element."""

    def array(self, name: str, ndim: int | None, dtype: DTypeLike = np.float32) -> np.ndarray:
        """The numbers that the file keeps under a name, as a C-ordered array of `dtype`.

        Args:
            name: as in the recipe.
            ndim: how many dimensions they must have; None: any.
            dtype: float32 for counts, float64 for angles and pixel sizes.

        Raises:
            InputError: nothing has the name (the message lists what there is); or it has not `ndim` dimensions, is
                empty, or holds something else than finite numbers.
        """


def nothing(_names: Mapping[str, str]) -> list[str]:
    """Most formats have names that say nothing about each other."""
    return []


def described(values: np.ndarray) -> str:
    """An array in a few words; few numbers by themselves."""
    if values.dtype.kind in "fiu" and values.size <= _MOST_NUMBERS:
        return ", ".join(f"{value:.6g}" for value in values.ravel().tolist())
    return f"{values.dtype} {' x '.join(map(str, values.shape))}"


def _never(_path: Path) -> bool:
    """A file of this kind cannot be told by its content."""
    return False


@dataclass(frozen=True)
class Format:
    """A file format that measured series can be read from.

    Attributes:
        name: for people.
        suffixes: in small letters, with the dot.
        opened: the file open for reading, as a context manager that gives a `Reader`. An InputError that is raised
            inside the block gets the file's name put in front of it (`fusedtomo.hdf5.naming` does that).
        recognises: whether the content of an existing file is of this format, told from its first bytes.
    """

    name: str
    suffixes: tuple[str, ...]
    opened: Callable[[Path], AbstractContextManager[Reader]]
    recognises: Callable[[Path], bool] = _never


@dataclass(frozen=True, eq=False)
class Arrays:
    """A `Reader` over arrays by name: all that a format needs whose file is such a table, or can be made one.

    Attributes:
        arrays: by name; an entry may be read as late as it is asked for.
        told: what the file says of an array beside its numbers, for people.
        remark: see Reader.remarks.
    """

    arrays: Mapping[str, np.ndarray]
    told: Mapping[str, str] = field(default_factory=dict)
    remark: Callable[[Mapping[str, str]], list[str]] = nothing

    def remarks(self, names: Mapping[str, str]) -> list[str]:
        """See Reader."""
        return self.remark(names)

    def contents(self) -> Mapping[str, str]:
        """See Reader."""
        return {
            name: ", ".join(filter(None, [described(values), self.told.get(name)]))
            for name, values in self.arrays.items()
        }

    def array(self, name: str, ndim: int | None, dtype: DTypeLike = np.float32) -> np.ndarray:
        """See Reader."""
        if name not in self.arrays:
            raise InputError(f"array '{name}' is missing; the file holds {self._content()}")
        values = self.arrays[name]
        if values.dtype.kind not in "fiu":
            raise InputError(f"array '{name}' holds {values.dtype} values; it must hold numbers")
        if values.size == 0 or ndim not in (None, values.ndim):
            needs = "one value or more" if ndim is None else f"{ndim} dimensions, none empty"
            raise InputError(f"array '{name}' has shape {values.shape}; it needs {needs}")
        numbers: np.ndarray = np.ascontiguousarray(values, dtype=dtype).reshape(values.shape)
        if not np.isfinite(numbers).all():
            raise InputError(f"array '{name}' holds NaN or infinity; replace those values first")
        return numbers

    def _content(self) -> str:
        names = list(self.arrays)
        more = ", ..." if len(names) > _MOST_NAMES else ""
        return ", ".join(names[:_MOST_NAMES]) + more or "no array at all"
