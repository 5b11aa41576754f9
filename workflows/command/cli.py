"""The `fusedtomo` command: which commands are there, and how does it end?"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

from fusedtomo.errors import InputError
from fusedtomo.launched import launched_ranks
from fusedtomo.outcomes import DONE, outcome_of
from workflows.command.app import app, say

# Files of this folder, in the order of the help; importing one adds its commands to the app. They import what they
# need inside functions: `fusedtomo --help` must not wait for numba or Parsl.
_FILES = (
    "specimens",
    "simulate",
    "inspect",
    "measured",
    "process",
    "align",
    "weights",
    "reconstruct",
    "score",
    "export",
    "view",
    "resolution",
    "campaigns",
    "reproduce",
    "atlas",
    "advise",
    "batch",
    "doctor",
)
# pydantic would read the metadata of every installed package, looking for plug-ins: 0.1 s
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
for _file in _FILES:
    import_module(f"workflows.command.{_file}")


def main() -> None:
    """Run the command; it ends as fusedtomo/outcomes.py has it. Of many ranks, one speaks."""
    from workflows.workers.ending import leave

    leave(_main())


def _main() -> int:
    try:
        with _ranks():
            app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException as error:
        return _told(error)
    return DONE


def _told(error: BaseException) -> int:
    """Say in one message what an error means; return the exit code."""
    outcome = outcome_of(error)
    mark = "" if isinstance(error, KeyboardInterrupt) else "[bold red]error:[/bold red] "
    with suppress(OSError):  # standard error itself may be on the disk that is full
        say.print(f"{mark}{_escaped(outcome.message)}")
    return outcome.code


@contextmanager
def _ranks() -> Iterator[None]:
    """Of the ranks that mpiexec started all but the first are mute; an error that a single rank has is still told."""
    if launched_ranks() == 1:  # without NumPy, which the help has no need of
        yield
        return
    from fusedtomo.parallel import guarded, world

    comm = world()
    with guarded(comm):
        if comm.rank > 0:
            sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, for good
        if sys.argv[1:2] != ["reconstruct"]:
            told = f"{comm.size} ranks were started, but only `reconstruct` uses more than one; start one"
            comm.agree(InputError(told))
        yield


def _escaped(message: str) -> str:
    from rich.markup import escape

    return escape(message)


if __name__ == "__main__":
    main()
