"""What differs from one exported format to the other? All of it is in one value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fusedtomo.exporting.content import Content
from fusedtomo.extras import check_installed


def one_file(_content: Content, path: Path) -> list[Path]:
    """The files of a format that keeps all arrays in one."""
    return [path]


@dataclass(frozen=True)
class Export:
    """A format that volumes, and perhaps tilt series, can be written in for other programs.

    Attributes:
        name: as after `fusedtomo export --to`.
        programs: which programs open it, for people.
        suffix: with its dot.
        write: (content, path) -> the files written; each is whole once its name is there.
        files: (content, path) -> the files that `write` would write.
        series: whether it holds tilt series, too.
        package: that it is written with, "" if the program has it always.
        extra: of fusedtomo, that brings the package.
    """

    name: str
    programs: str
    suffix: str
    write: Callable[[Content, Path], Sequence[Path]]
    files: Callable[[Content, Path], list[Path]] = one_file
    series: bool = False
    package: str = ""
    extra: str = "formats"

    def check_installed(self) -> None:
        """Raise InputError where the package is missing."""
        if self.package:
            check_installed(self.package, self.package, self.extra, f"--to {self.name}")
