"""The roofline of the CPU kernels: how near is each to what the machine can do, by memory or by arithmetic?

python -m benchmarks.roofline [--full]

The cases are those of the GPU benchmark. A kernel of intensity I (operations a byte that must go through memory at
least) can reach min(peak, I times the copy bandwidth), both measured in the same run; what fits a cache may exceed it.
"""

import argparse

import numpy as np
from numba import get_num_threads

from benchmarks import figures, limits, machine
from benchmarks.gpu import CASES, N_CHEMICAL, N_ELEMENTS, N_HAADF, Case
from benchmarks.results import Results
from fusedtomo.kernels import numba

SIZE, FULL_SIZE = 128, 256
_POWER, _LOGARITHM = 40, 25  # operations of one, as simd.py computes them
_PER_VOXEL = {  # operations a voxel and element, a division or a root counted as one
    "zcontrast.density": _POWER + 2,
    "zcontrast.add_pullback": _POWER + 3,
    "tv.total_variation": 11,
    "tv.ascend": 37,
    "tv.finish": 31,
    "sums.dot": 2,
    "sums.totals": 1,
    "sums.squared_change": 5,
    "sums.products": 4,
    "sums.distance": 4,
    "sums.descend": 5,
    "sums.extrapolate": 7,
}
_COMPOSED = ("tv.prox", "joseph.adjoint_pullback")  # of other cases, on the CPU
_PER_RAY = {"poisson.divergence": _LOGARITHM + 8, "poisson.residual": 5}


def operations(label: str, case: Case, size: int) -> float:
    """Floating-point operations of a call."""
    if case.name.startswith("joseph"):
        return 4.0 * size**3 * (N_HAADF if "HAADF" in label else N_ELEMENTS * N_CHEMICAL)
    if case.name in _PER_RAY:
        return float(_PER_RAY[case.name] * N_ELEMENTS * N_CHEMICAL * size**2)
    return float(_PER_VOXEL[case.name] * N_ELEMENTS * size**3)


def measure(label: str, case: Case, size: int, repeats: int, copy: float, peak: float) -> dict:
    """One row."""
    generator = np.random.default_rng(0)
    args = case.made(lambda *shape: generator.random(shape, dtype=np.float32), size, numba)
    case.run(numba, args)
    times = limits.timed(lambda: case.run(numba, args), repeats, get_num_threads())
    work, moved = operations(label, case, size), case.bytes(size)
    roof = min(peak, work / moved * copy)
    return {
        "kernel": label,
        "size": size,
        "median ms": 1e3 * times.median,
        "GFLOP/s": work / times.median / 1e9,
        "GB/s": moved / times.median / 1e9,
        "operations a byte": work / moved,
        "of the roof": work / times.median / roof,
        "by processor": work / times.undisturbed / roof,
    }


def run(*, full: bool = False, repeats: int = 9) -> Results:
    """Measure the machine, then every kernel."""
    host, others, size = machine.describe(), machine.OtherLoad(), FULL_SIZE if full else SIZE
    peak, copy = limits.peak_rate(), limits.copy_rate()
    cases = {label: case for label, case in CASES.items() if not case.half and case.name not in _COMPOSED}
    rows = [measure(label, case, size, repeats, copy, peak) for label, case in cases.items()]
    notes = [
        f"the machine copies {copy / 1e9:.1f} GB/s, read and written, and does {peak / 1e9:.0f} GFLOP/s of fused "
        f"multiply-adds, by {get_num_threads()} threads, each the best of several",
        f"{N_ELEMENTS} elements; {N_HAADF} HAADF tilts of one channel, {N_CHEMICAL} chemical tilts of each element; "
        f"medians of {repeats} calls",
        "bytes: what must go through memory at least; operations: additions, multiplications, comparisons, divisions "
        f"and roots, a power counted as {_POWER} and a logarithm as {_LOGARITHM}",
        "of the roof: of min(peak, intensity times copy); beyond 1 where the data fits a cache; by processor: of "
        "processor time over the number of threads",
        str(others),
    ]
    return Results("roofline", host, rows, notes, figure=figures.roofline(rows, copy / 1e9, peak / 1e9))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help=f"{FULL_SIZE}^3 instead of {SIZE}^3")
    print(run(**vars(parser.parse_args())).body())
