"""The `fusedtomo` command: which commands are there, and how does it end?"""

import os
import sys
from importlib import import_module

from fusedtomo.errors import InputError, TryAgain
from workflows.command.app import app, say

# Files of this folder, in the order of the help; importing one adds its commands to the app. They import what they
# need inside functions: `fusedtomo --help` must not wait for numba or Parsl.
_FILES = (
    "specimens",
    "simulate",
    "measured",
    "reconstruct",
    "score",
    "resolution",
    "campaigns",
    "atlas",
    "batch",
    "doctor",
)
# pydantic would read the metadata of every installed package, looking for plug-ins: 0.1 s
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
for _file in _FILES:
    import_module(f"workflows.command.{_file}")


def main() -> None:
    """Run the command; bad input ends with one message and exit code 2, or 75: try again. Of many ranks, one speaks."""
    from workflows.workers.ending import leave

    leave(_main())


def _main() -> int:
    from fusedtomo.parallel import guarded

    try:
        comm = _ranks()
        with guarded(comm):
            app()
    except InputError as error:
        say.print(f"[bold red]error:[/bold red] {_escaped(error)}")
        return 75 if isinstance(error, TryAgain) else 2
    except KeyboardInterrupt:
        say.print("interrupted")
        return 130
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0


def _ranks():
    """The ranks that mpiexec started. All but the first are mute; an error that a single rank has is still told."""
    from fusedtomo.parallel import world

    comm = world()
    if comm.rank > 0:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, for good
    if comm.size > 1 and sys.argv[1:2] != ["reconstruct"]:
        comm.agree(InputError(f"{comm.size} ranks were started, but only `reconstruct` uses more than one; start one"))
    return comm


def _escaped(error: Exception) -> str:
    from rich.markup import escape

    return escape(str(error))


if __name__ == "__main__":
    main()
