"""All benchmarks, or one: python -m benchmarks [projector | tv | roofline | ...] [--full].

Writes benchmarks/results/<date>-<cpu>-<what>.md, .json and .png, and the end of benchmarks/README.md anew.
"""

import argparse
import time
from importlib import import_module
from importlib.util import find_spec

from benchmarks import readme
from benchmarks.results import Results

BENCHMARKS = (
    "projector",
    "tv",
    "roofline",
    "reconstruct",
    "convergence",
    "ranges",
    "pace",
    "edges",
    "mpi",
    "steering",
    "slabs",
    "search",
    "priors",
    "gpu",
)  # each has run()


def main() -> None:
    """Run one or all, one after the other, and say where the reports are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=BENCHMARKS, help="default: all")
    parser.add_argument("--full", action="store_true", help="the longest cases as well")
    chosen = parser.parse_args()
    for name in [chosen.what] if chosen.what else BENCHMARKS:
        began, results = time.perf_counter(), _run(name, chosen.full)
        if results is not None:
            path = results.write()
            print(
                results.markdown(),
                f"{path.name}: {time.perf_counter() - began:.0f} s",
                sep="\n",
                end="\n\n",
                flush=True,
            )
    readme.rewrite()


def _run(name: str, full: bool) -> Results | None:
    """One benchmark's results; None where it is not there, or what it needs is not."""
    module = f"benchmarks.{name}"
    if find_spec(module) is None:
        return print(f"{name}: there is no such benchmark yet")
    try:
        return import_module(module).run(full=full)
    except SystemExit as reason:  # no GPU, no MPI: one line that says so
        return print(f"{name}: left out: {reason}")


if __name__ == "__main__":
    main()
