"""Whole reconstructions: time, iterations, error, memory, and where the time goes.

    python -m benchmarks.reconstruct [--full]

Every case runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from benchmarks import figures, machine
from benchmarks.results import Results, verdict
from fusedtomo.kernels import numba
from fusedtomo.reconstruct import METHODS, Reconstruction, reconstruct
from fusedtomo.score import score
from fusedtomo.settings import Acquisition, Modality, SolverSettings, TiltRange, Weights
from fusedtomo.simulate import simulate
from phantoms.registry import make_phantom, phantom_rng
from phantoms.spec import PhantomSpec

_OTHERS = [name for name, one in METHODS.items() if name != "fused" and one.uses("chemical")]
CASES = [  # method, size, runs
    *(("fused", size, runs) for size, runs in ((32, 5), (48, 5), (64, 5), (96, 3), (128, 2), (256, 1))),
    *((method, 64, 3) for method in _OTHERS),
]
FULL_CASES = [*CASES, *((method, size, 3) for size in (32, 128) for method in _OTHERS)]
PHANTOM = "cuo_coo_nanocubes"
ACQUISITION = Acquisition(  # the paper's densest chemistry-poor case
    haadf=Modality(tilts=TiltRange(count=47), snr=2208.67),
    chemical=Modality(tilts=TiltRange(count=9), snr={"Co": 1.92, "Cu": 2.89, "O": 2.69, "Au": 1.96}),
)
WEIGHTS = {"gradient-descent": Weights(haadf=0.5, chemical=0.5, tv=0.01)}  # there, weights are step sizes
DEFAULT_WEIGHTS = Weights(haadf=0.1, chemical=1.0, tv=1.0)
SECOND_BARS, MEMORY_BARS = {64: 3.0, 256: 180.0}, {256: 5000.0}  # of fused on 2 cores; seconds, MB
_STAGES = {
    "projections": ("joseph.forward",),
    "back-projections": ("joseph.adjoint",),
    "TV prox": ("tv.ascend", "tv.finish"),
    "data terms": ("poisson.divergence", "poisson.residual", "zcontrast.density", "zcontrast.add_pullback"),
    "sums and steps": tuple(
        f"sums.{each}" for each in ("dot", "totals", "products", "squared_change", "distance", "descend", "extrapolate")
    ),
}
_FIRST_CALL = "from benchmarks import reconstruct; reconstruct.first_call()"


def measure(method: str, size: int, runs: int) -> dict:
    """One case, compiled beforehand, nothing recorded that the solver does not need: its rows of the two tables."""
    spec = PhantomSpec(name=PHANTOM, size=size, seed=1)
    truth = make_phantom(spec, phantom_rng(spec))
    dataset, weights = simulate(truth, ACQUISITION), WEIGHTS.get(method, DEFAULT_WEIGHTS)
    first_call(method)
    before, stages, done = machine.peak_memory_mib(), _timed_stages(), []
    for _ in range(runs):
        stages.clear()
        done.append(reconstruct(dataset, method, weights))
    peak, last = machine.peak_memory_mib(), done[-1]
    median = float(np.median([each.seconds for each in done]))
    row = {
        "size": size,
        "method": method,
        "runs": runs,
        "median s": median,
        "min s": min(each.seconds for each in done),
        "iterations": last.iterations,
        "stopped": last.stopped,
        "ms an iteration": 1e3 * median / last.iterations,
        "NRMSE": score(last.volume, truth).nrmse,
        "peak MB": peak * 2**20 / 1e6,
        "before MB": before * 2**20 / 1e6,
    }
    return {"row": row, "stages": {"size": size, "method": method, **_shares(stages, last)}}


def first_call(method: str = "fused") -> None:
    """A small reconstruction, after which everything is compiled."""
    spec = PhantomSpec(name=PHANTOM, size=16, seed=1)
    dataset = simulate(make_phantom(spec, phantom_rng(spec)), ACQUISITION)
    reconstruct(dataset, method, WEIGHTS.get(method, DEFAULT_WEIGHTS), SolverSettings(max_iterations=2))


def _timed_stages() -> dict[str, float]:
    """Wrap every kernel in a clock; return the seconds, stage by stage, that they add up."""
    seconds = defaultdict(float)
    for stage, names in _STAGES.items():
        for name in names:
            module, function = name.split(".")
            kernel = getattr(numba, module)
            setattr(kernel, function, _timed(getattr(kernel, function), stage, seconds))
    return seconds


def _timed(kernel, stage: str, seconds: dict[str, float]):
    def call(*args):
        began = time.perf_counter()
        result = kernel(*args)
        seconds[stage] += time.perf_counter() - began
        return result

    return call


def _shares(stages: dict[str, float], result: Reconstruction) -> dict[str, str]:
    shares = {stage: stages.get(stage, 0.0) / result.seconds for stage in _STAGES}
    shares["all else"] = 1 - sum(shares.values())
    return {stage: f"{100 * share:.0f} %" for stage, share in shares.items()}


def compile_seconds() -> tuple[float, float]:
    """Seconds of a small reconstruction in a new process, imports included: nothing cached, and all cached."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        times = []
        for _ in range(2):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", _FIRST_CALL], env=environment, check=True)
            times.append(time.perf_counter() - began)
    return times[0], times[1]


def bars(rows: list[dict]) -> list[str]:
    """How the required times and the required memory came out."""
    fused = {row["size"]: row for row in rows if row["method"] == "fused"}
    return [
        *(
            verdict(f"fused at {size}^3 within {limit:g} s on 2 cores", row["median s"] <= limit, _found(row))
            for size, limit in SECOND_BARS.items()
            for row in [fused[size]]
        ),
        *(
            verdict(f"fused at {size}^3 in at most {limit:g} MB", row["peak MB"] <= limit, f"{row['peak MB']:.0f} MB")
            for size, limit in MEMORY_BARS.items()
            for row in [fused[size]]
        ),
    ]


def _found(row: dict) -> str:
    return f"{row['median s']:.2f} s (median), {row['min s']:.2f} s (least of {row['runs']})"


def run(*, full: bool = False) -> Results:
    """Measure all cases."""
    host, others, found = machine.describe(), machine.OtherLoad(), []
    cold, warm = compile_seconds()
    for case in FULL_CASES if full else CASES:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found.append(pool.submit(measure, *case).result())
    rows = [each["row"] for each in found]
    notes = [
        f"{PHANTOM}, four elements, 47 HAADF and 9 chemical tilts; default settings; start to finish, compiled",
        "peak MB: of a fresh process, Python and numba included; before MB: what it had held before reconstructing, "
        "for the phantom and the simulated data",
        f"a first call where nothing is compiled yet: {cold:.0f} s; in a later process: {warm:.1f} s, imports and all",
        str(others),
        *bars(rows),
    ]
    more = {"Where the time goes": [each["stages"] for each in found]}
    return Results("reconstruct", host, rows, notes, more, figure=figures.reconstructions(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="every method at 32^3 and 128^3 as well")
    print(run(**vars(parser.parse_args())).body())
