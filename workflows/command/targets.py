"""May this file be written? Asked before any work is done for it."""

from pathlib import Path

from fusedtomo.errors import InputError, unwritable


def check_target(out: Path, overwrite: bool) -> None:
    """Refuse a target that cannot be written before any work is done."""
    try:
        exists, is_folder = out.exists(), out.is_dir()
    except ValueError as error:  # a null character
        raise InputError(f"{out}: cannot be written ({error}); give another --out") from None
    except OSError as error:  # a name that is too long, a folder that may not be searched
        raise unwritable(out, error, "give another --out") from None
    if is_folder:
        raise InputError(f"{out}: is a folder; give the name of a file inside it")
    if exists and not overwrite:
        raise InputError(f"{out} exists; pass --overwrite, or another --out")
    if not out.parent.is_dir():
        raise InputError(f"{out}: there is no folder '{out.parent}'; make it, or give another --out")
