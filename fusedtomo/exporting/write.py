"""Which files does an export write, and when may it?"""

from collections.abc import Sequence
from pathlib import Path

from fusedtomo.errors import InputError
from fusedtomo.exporting.content import Content, contents_of
from fusedtomo.exporting.formats import EXPORTS, Export
from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume


def export(source: ChemicalVolume | FusedDataset, to: str, path: str | Path, overwrite: bool = False) -> list[Path]:
    """Write a volume or a data set for another program.

    Args:
        source: what is written; values are not changed, only the order of axes.
        to: a format of `EXPORTS`.
        path: the file; a data set becomes two, with "-haadf" and "-chemical" before the suffix, and a format that
            holds one array a file adds the element's symbol.
        overwrite: replace files that exist.

    Returns:
        The files written.

    Raises:
        InputError: the format cannot hold such data, needs a library that is not installed, or a file exists.
    """
    chosen = EXPORTS[to]
    planned = _planned(source, chosen, Path(path))
    _check_holds(chosen, planned)
    chosen.check_installed()
    _check_free(files_of(source, to, path), overwrite)
    return [file for content, target in planned for file in chosen.write(content, target)]


def files_of(source: ChemicalVolume | FusedDataset, to: str, path: str | Path) -> list[Path]:
    """The files that `export` would write."""
    planned = _planned(source, EXPORTS[to], Path(path))
    return [file for content, target in planned for file in EXPORTS[to].files(content, target)]


def _planned(source: ChemicalVolume | FusedDataset, chosen: Export, path: Path) -> list[tuple[Content, Path]]:
    return [(content, _path_of(path, content, chosen)) for content in contents_of(source)]


def _check_holds(chosen: Export, planned: Sequence[tuple[Content, Path]]) -> None:
    if not chosen.series and any(content.angles_deg for content, _ in planned):
        able = ", ".join(one.name for one in EXPORTS.values() if one.series)
        raise InputError(f"'{chosen.name}' holds volumes, no tilt series; for a data set choose one of {able}")


def _path_of(path: Path, content: Content, chosen: Export) -> Path:
    stem = path.name.removesuffix(chosen.suffix)
    return path.with_name(f"{stem}{'-' if content.part else ''}{content.part}{chosen.suffix}")


def _check_free(files: Sequence[Path], overwrite: bool) -> None:
    for file in files:
        if not file.parent.is_dir():
            raise InputError(f"{file}: there is no folder '{file.parent}'; make it, or give another name")
        if file.exists() and not overwrite:
            raise InputError(f"{file} exists; pass --overwrite, or another name")
