"""Whole reconstructions: time, iterations, error and memory of every method.

    python -m benchmarks.reconstruct [--full] [--repeats 5]

Every case runs in a process of its own, so that its peak memory is its own.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from benchmarks import machine
from benchmarks.results import Results, table
from fusedtomo.reconstruct import METHODS, reconstruct
from fusedtomo.score import score
from fusedtomo.settings import Acquisition, Modality, SolverSettings, TiltRange, Weights
from fusedtomo.simulate import simulate
from phantoms.registry import make_phantom, phantom_rng
from phantoms.spec import PhantomSpec

SIZES, FULL_SIZES = (32, 48, 64), (32, 48, 64, 128)
PHANTOM = "cuo_coo_nanocubes"
ACQUISITION = Acquisition(  # the paper's densest chemistry-poor case
    haadf=Modality(tilts=TiltRange(count=47), snr=2208.67),
    chemical=Modality(tilts=TiltRange(count=9), snr={"Co": 1.92, "Cu": 2.89, "O": 2.69, "Au": 1.96}),
)
WEIGHTS = {"gradient-descent": Weights(haadf=0.5, chemical=0.5, tv=0.01)}  # there, weights are step sizes
DEFAULT_WEIGHTS = Weights(haadf=0.1, chemical=1.0, tv=1.0)
BAR = ("fused", 64, 3.0)  # seconds on 2 cores


def measure(method: str, size: int, repeats: int) -> dict:
    """One row: a method at a size, compiled beforehand, nothing recorded that the solver does not need."""
    spec = PhantomSpec(name=PHANTOM, size=size, seed=1)
    truth = make_phantom(spec, phantom_rng(spec))
    dataset, weights = simulate(truth, ACQUISITION), WEIGHTS.get(method, DEFAULT_WEIGHTS)
    reconstruct(dataset, method, weights, SolverSettings(max_iterations=2))
    done = [reconstruct(dataset, method, weights) for _ in range(repeats)]
    seconds = [each.seconds for each in done]
    return {
        "size": size,
        "method": method,
        "median s": float(np.median(seconds)),
        "min s": min(seconds),
        "iterations": done[0].iterations,
        "stopped": done[0].stopped,
        "NRMSE": score(done[0].volume, truth).nrmse,
        "peak MiB": machine.peak_memory_mib(),
    }


def bar(rows: list[dict]) -> str:
    """How the required time came out."""
    method, size, limit = BAR
    seconds = next(row["median s"] for row in rows if (row["method"], row["size"]) == (method, size))
    verdict = "met" if seconds <= limit else "MISSED"
    return f"bar: {method} at {size}^3 within {limit:g} s on 2 cores: {seconds:.2f} s (median), {verdict}"


def run(*, full: bool = False, repeats: int = 5) -> Results:
    """Measure all methods at all sizes."""
    host, others, rows = machine.describe(), machine.OtherLoad(), []
    cases = [(method, size) for size in (FULL_SIZES if full else SIZES) for method in METHODS]
    for method, size in cases:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            rows.append(pool.submit(measure, method, size, repeats if size < 128 else 3).result())
    notes = [
        f"{PHANTOM}, four elements, 47 HAADF and 9 chemical tilts; default settings; start to finish, compiled",
        f"median and least of {repeats} runs (3 at 128^3); peak memory of a fresh process, Python and numba included",
        str(others),
        bar(rows),
    ]
    return Results("reconstruct", host, rows, notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="128^3 as well")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each case")
    results = run(**vars(parser.parse_args()))
    print(table(results.rows), *results.notes, sep="\n")
