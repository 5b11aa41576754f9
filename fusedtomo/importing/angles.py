"""Tilt angles: in which file, or in which name, do they stand?

Microscopes and IMOD keep them beside the stack: .rawtlt, .tlt and .txt have a number a line, an .mdoc of SerialEM has
``TiltAngle = -60.0`` in the section of every image.
"""

import re
from pathlib import Path

from fusedtomo.errors import InputError
from fusedtomo.hdf5 import naming
from fusedtomo.importing.formats import ANGLES, Reader
from fusedtomo.importing.recipe import Angles
from fusedtomo.incoming import read_text
from fusedtomo.tilts import TiltScheme

_TEXT = (".rawtlt", ".tlt", ".txt")
_MDOC = re.compile(r"^\s*TiltAngle\s*=\s*(\S+)\s*$", re.MULTILINE)


def read_angles(file: Reader, folder: Path, field: str, angles: Angles | None, notes: list[str]) -> tuple[float, ...]:
    """Return tilt angles in degrees.

    Args:
        file: that holds them, where `angles` is a name in it.
        folder: of the data, where `angles` is the name of a text file.
        field: of the recipe, for messages.
        angles: themselves, or a name; None: those in the names of the files.
        notes: gets a line that says where they are from.
    """
    if angles is None:
        values, source = tuple(file.array(ANGLES, 1, float).tolist()), "the names of the files"
    elif not isinstance(angles, str):
        values, source = angles, "the recipe"
    elif angles.lower().endswith((*_TEXT, ".mdoc")):
        values, source = _from_text(folder / angles), f"'{angles}'"
    else:
        values, source = tuple(file.array(angles, 1, float).tolist()), f"'{angles}'"
    with naming(f"{field} (from {source})"):
        TiltScheme(values)
    notes.append(f"{field}: {len(values)} tilts from {min(values):g} to {max(values):g} degrees, from {source}")
    return values


def _from_text(path: Path) -> tuple[float, ...]:
    text = read_text(path, "the text file of the tilt angles")
    words = _MDOC.findall(text) if path.suffix.lower() == ".mdoc" else text.split()
    try:
        return tuple(float(word) for word in words)
    except ValueError as error:
        raise InputError(f"{path}: {error}; give a file with one angle in degrees a line") from None
