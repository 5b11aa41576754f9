"""The projector against ASTRA's CPU projectors and SciPy's sparse matrix, side by side in one run.

python -m benchmarks.projector [--quick] [--repeats 7]
"""

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from numba import get_num_threads

from benchmarks import limits, machine, peers
from benchmarks.results import Results, table, verdict
from fusedtomo.errors import InputError

CASES, QUICK_CASES = ((128, 47), (128, 141), (256, 47), (256, 141)), ((64, 47), (128, 47))  # voxels on a side, tilts
OURS = "fusedtomo"
PEERS = {
    OURS: peers.fusedtomo,
    "SciPy CSR": peers.scipy_csr,
    "ASTRA linear": partial(peers.astra_cpu, "linear"),
    "ASTRA line": partial(peers.astra_cpu, "line"),
}
BARS = {"ASTRA linear": 40.0, "SciPy CSR": 2.0}  # times ours
_LEAST_SIZE = 128  # that they are asked at
BAR_RATE = (256, 20.0)  # GFLOP/s at that size
_SLOW = ("ASTRA linear", "ASTRA line")  # a minute a call at the largest: two runs there, and "line" none
_LARGE = 256
_SAME = 1e-4  # relative; "line" weights rays by their length in a voxel, another discretisation
_LINE_DIFFERS_BY = 0.1


def measure(size: int, n_tilts: int, repeats: int) -> tuple[list[dict], list[str]]:
    """Rows and notes for one case: every peer's forward and adjoint, in turns."""
    angles, rng = np.linspace(-70, 70, n_tilts), np.random.default_rng(0)
    volume = rng.random((size,) * 3, np.float32)
    stack = rng.random((n_tilts, size, size), np.float32)
    made, notes = {}, []
    for name, make in PEERS.items():
        if size >= _LARGE and name == "ASTRA line":
            continue
        try:
            made[name] = make(angles, volume, stack)
        except (ImportError, InputError) as reason:
            notes.append(f"{name} left out: {reason}")
    rows = []
    for way in ("forward", "adjoint"):
        calls = {name: getattr(peer, way) for name, peer in made.items()}
        check_agreement(way, calls)
        turns = {name: 2 if size >= _LARGE and name in _SLOW else repeats for name in calls}
        threads = {name: get_num_threads() if name == OURS else 1 for name in calls}
        rows += _rows(size, n_tilts, way, limits.in_turns(calls, turns, threads))
    return rows, notes


def check_agreement(way: str, calls: dict[str, Callable[[], np.ndarray]]) -> None:
    """Raise unless every peer computes what we do; also warms everything up."""
    ours = calls[OURS]().copy()
    for name, call in calls.items():
        difference = np.linalg.norm(call() - ours) / np.linalg.norm(ours)
        if difference > (_LINE_DIFFERS_BY if name == "ASTRA line" else _SAME):
            raise RuntimeError(f"{way} projections of {name} and {OURS} differ by {difference:.1e}; timing is void")


def _rows(size: int, n_tilts: int, way: str, times: dict[str, limits.Timing]) -> list[dict]:
    operations, ours = 4 * size**3 * n_tilts, times[OURS]
    return [
        {
            "size": size,
            "tilts": n_tilts,
            "way": way,
            "projector": name,
            "runs": len(each.wall),
            "median ms": 1e3 * each.median,
            "min ms": 1e3 * each.least,
            "processor ms": 1e3 * each.undisturbed,
            "GFLOP/s": operations / each.median / 1e9,
            "times ours": each.median / ours.median,
            "by processor": each.undisturbed / ours.undisturbed,
        }
        for name, each in times.items()
    ]


def bars(rows: list[dict]) -> list[str]:
    """How the required ratios and rates came out, case by case and way by way."""
    asked = [row for row in rows if row["size"] >= _LEAST_SIZE and row["projector"] in BARS]
    return [*map(_bar, asked), *(_rate(row) for row in rows if _is_rated(row))]


def _bar(row: dict) -> str:
    name, least = row["projector"], BARS[row["projector"]]
    text = f"{_label(row)} at least {least:g} times faster than {name}"
    found = f"{row['times ours']:.1f} ({row['by processor']:.1f} by processor time)"
    return verdict(text, row["times ours"] >= least, found)


def _is_rated(row: dict) -> bool:
    return row["projector"] == OURS and row["size"] == BAR_RATE[0]


def _rate(row: dict) -> str:
    text = f"{_label(row)} at least {BAR_RATE[1]:g} GFLOP/s"
    return verdict(text, row["GFLOP/s"] >= BAR_RATE[1], f"{row['GFLOP/s']:.1f}")


def _label(row: dict) -> str:
    return f"{row['way']} at {row['size']}^3, {row['tilts']} tilts"


def run(*, full: bool = True, repeats: int = 7) -> Results:
    """Measure all cases, or two small ones."""
    host, others, rows = machine.describe(), machine.OtherLoad(), []
    notes = [
        f"tilts from -70 to 70 degrees, one channel; median and least of {repeats} runs taken in turns; of ASTRA at "
        f"{_LARGE}^3 two",
        "4 operations a voxel and tilt; 'times ours' compares medians; ASTRA and SciPy run in one thread, as they do",
        "processor ms: processor time over the number of threads, the time on a machine without other work",
        "setting up (matrices, ASTRA objects, compiling) is not timed; results agree before timing starts",
    ]
    for size, n_tilts in CASES if full else QUICK_CASES:
        more, remarks = measure(size, n_tilts, repeats)
        rows, notes = rows + more, notes + [each for each in remarks if each not in notes]
    return Results("projector", host, rows, [*notes, str(others), *bars(rows)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two small cases")
    parser.add_argument("--repeats", type=int, default=7, help="runs of each, at least 5 for a result worth keeping")
    chosen = parser.parse_args()
    results = run(full=not chosen.quick, repeats=chosen.repeats)
    print(table(results.rows), *results.notes, sep="\n")
