"""Which configuration files come with the program, and which file does a name given on the command line mean?"""

from os.path import exists, isfile  # unlike Path's, they are False for a name that is too long
from pathlib import Path

from fusedtomo.errors import InputError, nearest

_HERE = Path(__file__).parent
# a checkout has the folder beside this package, an installed distribution inside it (pyproject.toml, force-include)
CONFIGS = next((folder for folder in (_HERE.parent / "configs", _HERE / "configs") if folder.is_dir()), _HERE)


def shipped(kind: str) -> dict[str, Path]:
    """The shipped files of a kind ("campaigns", "machines", "imports") by name."""
    return {path.stem: path for path in sorted((CONFIGS / kind).glob("*.toml"))}


def named_file(kind: str, given: str | Path) -> Path:
    """The file that is meant by a path or a name.

    A bare name means the file of that name in the current folder, with or without .toml, else the shipped one: whoever
    copies a shipped file and changes it means the copy.

    Raises:
        InputError: the name is neither here nor shipped; it lists what is shipped. A path is returned unseen.
    """
    path, files = Path(given), shipped(kind)
    if isfile(path) or path.suffix or len(path.parts) != 1:
        return path
    if isfile(here := path.with_suffix(".toml")):
        return here
    if path.name in files:
        return files[path.name]
    if exists(path):
        return path  # a folder: its reader says so
    raise InputError(
        f"there is neither a file '{path}' nor '{here}' here, and no '{path}' among the shipped {kind}; "
        f"{nearest(path.name, files)} Shipped: {', '.join(files)}; give one of these, or the path of a TOML file"
    )
