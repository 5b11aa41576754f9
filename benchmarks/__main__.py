"""Benchmarks, written to benchmarks/results: python -m benchmarks [projector | reconstruct] [--full]."""

import argparse

from benchmarks import projector, reconstruct

BENCHMARKS = {"projector": projector, "reconstruct": reconstruct}


def main() -> None:
    """Run one or all and say where the reports are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=BENCHMARKS, help="default: all")
    parser.add_argument("--full", action="store_true", help="the largest sizes as well")
    chosen = parser.parse_args()
    for name in [chosen.what] if chosen.what else BENCHMARKS:
        results = BENCHMARKS[name].run(full=chosen.full)
        print(results.markdown(), f"written to benchmarks/results/{results.write().name}", sep="\n", end="\n\n")


if __name__ == "__main__":
    main()
