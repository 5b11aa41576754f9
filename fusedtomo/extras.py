"""Optional packages: is the one that is needed installed, and which extra of this package brings it?"""

from importlib.util import find_spec

from fusedtomo.errors import InputError


def check_installed(module: str, package: str, extra: str, needed_by: str = "", instead: str = "") -> None:
    """Refuse what needs a package that is missing.

    Args:
        module: as it is imported.
        package: as it is installed.
        extra: of fusedtomo, that brings it.
        needed_by: what needs it, for the message.
        instead: what may be done without it.

    Raises:
        InputError: it is not installed.
    """
    if find_spec(module) is None:
        cure = " or ".join(filter(None, [f"pip install 'fusedtomo[{extra}]'", instead]))
        raise InputError(f"{needed_by} needs the package '{package}', which is not installed; {cure}".lstrip())
