"""The projector against ASTRA's CPU projectors and SciPy's sparse matrix, side by side in one run.

python -m benchmarks.projector [--full] [--repeats 7]
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks import machine, peers
from benchmarks.results import Results, table
from fusedtomo.errors import InputError

N_TILTS = 47
SIZES, FULL_SIZES = (64, 128), (64, 128, 256)
OURS = "fusedtomo"
PEERS = {
    OURS: peers.fusedtomo,
    "SciPy CSR": peers.scipy_csr,
    "ASTRA linear": partial(peers.astra_cpu, "linear"),
    "ASTRA line": partial(peers.astra_cpu, "line"),
}
BARS = {"ASTRA linear": 25.0, "SciPy CSR": 1.0}  # at 128^3, forward and adjoint
_SAME = 1e-4  # relative; "line" weights rays by their length in a voxel, another discretisation
_LINE_DIFFERS_BY = 0.1


def measure(size: int, repeats: int) -> tuple[list[dict], list[str]]:
    """Rows and notes for one size: every peer's forward and adjoint, in turns."""
    angles, rng = np.linspace(-70, 70, N_TILTS), np.random.default_rng(0)
    volume = rng.random((size,) * 3, np.float32)
    stack = rng.random((N_TILTS, size, size), np.float32)
    made, notes = {}, []
    for name, make in PEERS.items():
        try:
            made[name] = make(angles, volume, stack)
        except (ImportError, InputError) as reason:
            notes.append(f"{name} left out at {size}^3: {reason}")
    rows = []
    for way in ("forward", "adjoint"):
        calls = {name: getattr(peer, way) for name, peer in made.items()}
        check_agreement(way, calls)
        rows += _rows(size, way, interleaved(calls, repeats))
    return rows, notes


def check_agreement(way: str, calls: dict[str, Callable[[], np.ndarray]]) -> None:
    """Raise unless every peer computes what we do; also warms everything up."""
    ours = calls[OURS]().copy()
    for name, call in calls.items():
        difference = np.linalg.norm(call() - ours) / np.linalg.norm(ours)
        if difference > (_LINE_DIFFERS_BY if name == "ASTRA line" else _SAME):
            raise RuntimeError(f"{way} projections of {name} and {OURS} differ by {difference:.1e}; timing is void")


def interleaved(calls: dict[str, Callable], repeats: int) -> dict[str, list[float]]:
    """Seconds of every call, taken in turns so that other load on the machine falls on all alike."""
    seconds = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def _rows(size: int, way: str, seconds: dict[str, list[float]]) -> list[dict]:
    operations = 4 * size**3 * N_TILTS
    ours = float(np.median(seconds[OURS]))
    return [
        {
            "size": size,
            "way": way,
            "projector": name,
            "median ms": 1e3 * float(np.median(values)),
            "min ms": 1e3 * min(values),
            "GFLOP/s": operations / float(np.median(values)) / 1e9,
            "times ours": float(np.median(values)) / ours,
        }
        for name, values in seconds.items()
    ]


def bars(rows: list[dict]) -> list[str]:
    """How the required ratios at 128^3 came out."""
    found = {(row["projector"], row["way"]): row["times ours"] for row in rows if row["size"] == 128}
    return [
        f"bar: {way} at 128^3 at least {bar:g} times faster than {name}: "
        + (f"{ratio:.1f}, {'met' if ratio >= bar else 'MISSED'}" if ratio is not None else "not measured")
        for name, bar in BARS.items()
        for way in ("forward", "adjoint")
        for ratio in [found.get((name, way))]
    ]


def run(*, full: bool = False, repeats: int = 7) -> Results:
    """Measure all sizes."""
    host, others, rows = machine.describe(), machine.OtherLoad(), []
    notes = [
        f"{N_TILTS} tilts from -70 to 70 degrees, one channel; median and least of {repeats} runs taken in turns",
        "4 operations a voxel and tilt; 'times ours' compares medians",
        "setting up (matrices, ASTRA objects, compiling) is not timed; results agree before timing starts",
    ]
    for size in FULL_SIZES if full else SIZES:
        more, remarks = measure(size, repeats)
        rows, notes = rows + more, notes + remarks
    return Results("projector", host, rows, [*notes, str(others), *bars(rows)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="256^3 as well")
    parser.add_argument("--repeats", type=int, default=7, help="runs of each, at least 5 for a result worth keeping")
    results = run(**vars(parser.parse_args()))
    print(table(results.rows), *results.notes, sep="\n")
