"""Files: how is one written so that its name only ever stands for a whole file?"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fusedtomo.errors import is_full, unwritable

_ROOM_BYTES = 1 << 20  # a disk with less is full for all that a run writes


@contextmanager
def replacing(path: str | Path, *, keep_suffix: bool = True) -> Iterator[Path]:
    """Yield a temporary name beside `path`; it takes the place of `path` at the end, or vanishes on an error.

    Args:
        path: the file to be written; an older one stays whole until the new one is.
        keep_suffix: give the temporary name the suffix too, for writers that choose their format by it. Without
            it, what a killed program leaves behind is not taken for a whole file by a pattern such as ``*.h5``.

    Raises:
        NoRoom: the disk is full. Any other OSError of the temporary file names `path`.
    """
    path = Path(path)
    stem, suffix = (path.stem, path.suffix) if keep_suffix else (path.name, "")
    temporary = path.with_name(f".{stem}.{os.getpid()}.tmp{suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if is_full(error):
            raise unwritable(path, error, "") from None
        if error.filename in (temporary, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError, ValueError):  # a name that could not be made: that error is on its way already
            temporary.unlink(missing_ok=True)


def check_room(folder: Path) -> None:
    """Raise NoRoom where the folder's disk is full, which is found by writing: a quota shows in no other way."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        probe.write_bytes(bytes(_ROOM_BYTES))
    except OSError as error:
        if is_full(error):
            raise unwritable(folder, error, "") from None
    finally:
        with suppress(OSError):
            probe.unlink()
