"""What is new in a journal since the last look? Only that is read, however long the journal has become."""

import os
from pathlib import Path

from workflows.record.journal import TrialResult, parse


class Follower:
    """Reads a journal that another process writes, a piece at a time."""

    def __init__(self, path: Path):
        self._path = path
        self._forget()

    def _forget(self) -> None:
        self._offset, self._lines = 0, 0
        self._ended: set[tuple[str, int]] = set()
        self._inode: int | None = None

    def read(self) -> tuple[list[TrialResult], bool]:
        """The trials since the last call, and whether they are the first: of another file under the name, say.

        The last line is left for the next call until it is whole.

        Raises:
            InputError: a line inside is no trial.
        """
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            anew = self._offset > 0
            self._forget()
            return [], anew
        with file:
            found = os.fstat(file.fileno())
            anew = self._inode is not None and (found.st_ino != self._inode or found.st_size < self._offset)
            if anew:
                self._forget()
            self._inode = found.st_ino
            file.seek(self._offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        trials = parse(whole, self._path, first_line=self._lines + 1, ended=self._ended)
        self._offset += len(whole)
        self._lines += whole.count(b"\n")
        return trials, anew
