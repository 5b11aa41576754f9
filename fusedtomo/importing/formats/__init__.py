"""Which files can measured series be read from?

`registered` holds the formats: a plug-in adds one by `FORMATS.register(Format(...))` (docs/adding.md). What the rest of
the import sees of a file is a `Reader`: it asks for arrays by name, and knows no format. `tilts` makes one reader of
many files that hold a tilt each.
"""

from fusedtomo.importing.formats.format import Arrays, Format, Reader
from fusedtomo.importing.formats.registered import FORMATS, format_of, opened
from fusedtomo.importing.formats.tilts import ANGLE, ANGLES, read_tilts

__all__ = ["ANGLE", "ANGLES", "FORMATS", "Arrays", "Format", "Reader", "format_of", "opened", "read_tilts"]
