"""Which steps of a run are done already? A step whose output is there, made of the same input, is not repeated.

``steps.json`` in the run folder has a line for each step that ended: a digest of all that went in, and the files that
came out. It is written after the files are whole, so that a run that was killed in a step begins with that step again.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from fusedtomo import __version__
from fusedtomo.errors import InputError
from fusedtomo.files import replacing
from fusedtomo.incoming import read_json

_FILE = "steps.json"


class Steps:
    """The steps of a run folder.

    Args:
        folder: made if it is missing.
        say: told of every step.
    """

    def __init__(self, folder: Path, say: Console):
        self.folder, self._say = folder, say
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be a run folder ({error.strerror}); give another --out") from None
        self._done: dict[str, dict[str, Any]] = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        path = self.folder / _FILE
        content = read_json(path, f"the {_FILE} of a run") if path.exists() else {}
        if not isinstance(content, dict) or not all(isinstance(one, dict) for one in content.values()):
            raise InputError(f"{path}: is not the {_FILE} of a run; move it away, and the run begins anew")
        return content

    def step(self, name: str, inputs: Mapping[str, Any], outputs: Sequence[str], work: Callable[[], None]) -> None:
        """Do a step unless it was done.

        Args:
            name: of the step.
            inputs: what its result depends on, by name, as JSON has it; the digests of earlier steps among them.
            outputs: names of the files that it writes into the folder.
            work: writes them.
        """
        digest = _digest({"step": name, "version": __version__, **inputs})
        before = self._done.get(name, {})
        if before.get("digest") == digest and all((self.folder / file).exists() for file in outputs):
            self._say.print(f"{name}: as before ({', '.join(outputs)})", markup=False)
            return
        self._say.print(f"{name} ...", markup=False)
        began = time.perf_counter()
        work()
        seconds = round(time.perf_counter() - began, 1)
        self._done[name] = {"digest": digest, "outputs": list(outputs), "seconds": seconds}
        with replacing(self.folder / _FILE) as temporary:
            temporary.write_text(json.dumps(self._done, indent=1) + "\n")
        self._say.print(f"{name}: {', '.join(outputs)} in {seconds:.1f} s", markup=False)

    def digest(self, name: str) -> str:
        """Of a step that was done."""
        return str(self._done[name]["digest"])

    def seconds(self) -> dict[str, float]:
        """What every step took when it was done."""
        return {name: float(one.get("seconds", 0.0)) for name, one in self._done.items()}


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def files_digest(files: Sequence[Path]) -> list[list[Any]]:
    """Names, sizes and times of files: another file is other data."""
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in sorted(files) if path.is_file()]
