"""One file a tilt: how do they become stacks, with the angle from each file's name?

`{angle}` in the name of a recipe's file stands for a number: ``bcf/{angle}.bcf`` is bcf/-40.bcf, bcf/-35.bcf, ...
Files are taken in the order of their angles. Each is opened once, and read for all names of the recipe.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.importing.formats.format import Arrays, Reader
from fusedtomo.importing.formats.registered import opened

ANGLE = "{angle}"
ANGLES = "angles_deg"  # the name under which a reader of such files has their angles
_NUMBER = r"([+-]?[0-9]+(?:[.,][0-9]+)?)"


def read_tilts(folder: Path, pattern: str, images: Sequence[str], once: Sequence[str] = ()) -> Reader:
    """Read a series that has a file for every tilt.

    Args:
        folder: of the data.
        pattern: names of the files within it, with `{angle}`.
        images: names of the images (y, x) in each file.
        once: names of what every file has alike, such as a pixel size.

    Returns:
        A reader of their stacks (tilt, y, x), of `once` with an entry a tilt, and of "angles_deg".

    Raises:
        InputError: no file has such a name, two have the same angle, or an image lacks or differs in size.
    """
    files = _files(folder, pattern)
    stacks: dict[str, list[np.ndarray]] = {name: [] for name in (*images, *once)}
    for path in files.values():
        with opened(path) as file:
            for name, found in stacks.items():
                found.append(file.array(name, 2) if name in images else file.array(name, None, np.float64))
                _check_alike(found, name)
            remark = file.remarks
    angles = np.array(list(files), np.float64)
    return Arrays({**{name: np.stack(found) for name, found in stacks.items()}, ANGLES: angles}, remark=remark)


def _files(folder: Path, pattern: str) -> dict[float, Path]:
    """By angle, in its order."""
    name = Path(pattern).name
    if name.count(ANGLE) != 1 or ANGLE in str(Path(pattern).parent):
        raise InputError(f"file = '{pattern}': write {ANGLE} once, in the name of the files")
    before, after = name.split(ANGLE)
    wanted = re.compile(re.escape(before) + _NUMBER + re.escape(after))
    place = folder / Path(pattern).parent
    matches = [(wanted.fullmatch(path.name), path) for path in sorted(place.glob("*"))] if place.is_dir() else []
    found: dict[float, Path] = {}
    for match, path in matches:
        if match is not None:
            angle = float(match[1].replace(",", "."))
            if angle in found:
                raise InputError(f"{path} and {found[angle].name} have the same angle; move one of them away")
            found[angle] = path
    if not found:
        raise InputError(f"{place / name}: no file has such a name, with a number for {ANGLE}; mend `file`")
    return dict(sorted(found.items()))


def _check_alike(found: Sequence[np.ndarray], name: str) -> None:
    first, last = found[0].shape, found[-1].shape
    if first != last:
        raise InputError(f"'{name}' has the shape {last}, but {first} at the first tilt; crop the images to one size")
