"""Does `fused` ever diverge inside the ranges that campaigns search, and beyond?

python -m benchmarks.ranges [--full]
"""

import argparse
from collections import Counter
from itertools import product

import numpy as np

from benchmarks import convergence, machine
from benchmarks.results import Results, table, verdict
from fusedtomo.reconstruct import reconstruct
from fusedtomo.settings import SolverSettings, Weights

HAADF, TV, GAMMAS = np.geomspace(1e-3, 10, 5), np.geomspace(0.01, 10, 4), (1.0, 1.4, 1.7, 2.0)
SIZE, FULL_SIZE = 16, 24


def measure(case: convergence.Case, settings: SolverSettings) -> list[dict]:
    """One line for every pair of weights."""
    _, dataset = convergence.simulated(case)
    return [
        _outcome(case, haadf, tv, reconstruct(dataset, "fused", Weights(haadf=haadf, tv=tv), settings))
        for haadf, tv in product(HAADF.tolist(), TV.tolist())
    ]


def _outcome(case: convergence.Case, haadf: float, tv: float, result) -> dict:
    costs = np.array(result.history["total"])
    return {
        "phantom": case.phantom,
        "gamma": case.gamma,
        "tilts": case.tilts,
        "HAADF": haadf,
        "TV": tv,
        "stopped": result.stopped,
        "iterations": result.iterations,
        "end over start": float(costs[-1] / costs[0]),
        "end above least": float(costs[-1] / costs.min() - 1),
        "diverged": bool(not np.isfinite(costs).all() or costs[-1] > costs[0]),
    }


def summary(outcomes: list[dict]) -> list[dict]:
    """One line for every phantom and gamma."""
    kinds = dict.fromkeys((each["phantom"], each["gamma"]) for each in outcomes)
    return [_summary(*kind, [each for each in outcomes if (each["phantom"], each["gamma"]) == kind]) for kind in kinds]


def _summary(phantom: str, gamma: float, outcomes: list[dict]) -> dict:
    return {
        "phantom": phantom,
        "gamma": gamma,
        "runs": len(outcomes),
        "diverged": sum(each["diverged"] for each in outcomes),
        "stopped by tolerance": Counter(each["stopped"] for each in outcomes)["tolerance"],
        "end over start, worst": max(each["end over start"] for each in outcomes),
        "end above least on the way, worst, %": 100 * max(each["end above least"] for each in outcomes),
    }


def run(*, full: bool = False) -> Results:
    """All weights for both phantoms, every gamma, few and many tilts; default settings."""
    host, others, size = machine.describe(), machine.OtherLoad(), FULL_SIZE if full else SIZE
    cases = [
        convergence.Case(phantom, gamma, "any", tilts, size=size)
        for phantom, gamma, tilts in product(convergence.SNR, GAMMAS, convergence.TILTS)
    ]
    outcomes = [each for case in cases for each in measure(case, SolverSettings())]
    bad = [each for each in outcomes if each["diverged"]]
    notes = [
        f"{size}^3, default settings; HAADF weights {_range(HAADF)}, TV weights {_range(TV)}, chemical weight 1; "
        f"tilts (HAADF, chemical) {convergence.TILTS}",
        "diverged: a cost that is not finite, or a last one above the first",
        str(others),
        verdict("never a diverging run", not bad, f"{len(bad)} of {len(outcomes)} runs"),
        *(f"diverged: {each}" for each in bad),
    ]
    return Results("ranges", host, summary(outcomes), notes, curves=outcomes)


def _range(values: np.ndarray) -> str:
    return f"{values[0]:g} to {values[-1]:g} in {len(values)} steps"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="24^3 instead of 16^3")
    results = run(**vars(parser.parse_args()))
    print(table(results.rows), *results.notes, sep="\n")
