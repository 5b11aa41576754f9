"""All benchmarks, written to benchmarks/results: python -m benchmarks [--full]."""

import argparse

from benchmarks import projector, reconstruct


def main() -> None:
    """Run everything and say where the reports are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the largest sizes as well")
    full = parser.parse_args().full
    for benchmark in (projector, reconstruct):
        results = benchmark.run(full=full)
        print(results.markdown(), f"written to benchmarks/results/{results.write().name}", sep="\n", end="\n\n")


if __name__ == "__main__":
    main()
