"""Whole reconstructions on a GPU: by our projector, in half precision, by ASTRA's CUDA projectors in the same loop.

Four elements, 47 HAADF and 9 chemical tilts, 100 outer iterations with two TV iterations each. `loop` is the time from
the initial volume to the last iterate; `call` adds making the terms and the initial volume, and the way of the data to
the device and of the result back.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.astra_cuda import AstraProblem, in_astra_s_order
from benchmarks.results import verdict
from fusedtomo.placement import Placement
from fusedtomo.settings import Acquisition, Modality, SolverSettings, TiltRange, Weights
from fusedtomo.simulate import simulate
from fusedtomo.solvers.fused import fused
from fusedtomo.solvers.problem import Problem
from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume
from phantoms.registry import make_phantom, phantom_rng
from phantoms.spec import PhantomSpec

ITERATIONS, BARS = 100, {256: 0.35, 512: 2.8}  # seconds of the loop on an H200
WEIGHTS = Weights(haadf=0.1, chemical=1.0, tv=1.0)
ACQUISITION = Acquisition(
    haadf=Modality(tilts=TiltRange(count=47), snr=2208.67),
    chemical=Modality(tilts=TiltRange(count=9), snr={"Co": 1.92, "Cu": 2.89, "O": 2.69, "Au": 1.96}),
)
_DRAWN = 64  # voxels on a side of the phantom that is drawn; larger ones repeat its voxels
GPU, HALF = Placement(device="gpu"), Placement(device="gpu", half=True)
OURS = "fusedtomo"


@dataclass(frozen=True)
class Solver:
    """A way to solve it: on which data, with which kind of problem, in which precision."""

    data: Callable[[FusedDataset], FusedDataset]
    problem: type[Problem]
    place: Placement


SOLVERS = {
    OURS: Solver(lambda dataset: dataset, Problem, GPU),
    f"{OURS}, half": Solver(lambda dataset: dataset, Problem, HALF),
    "ASTRA's projectors": Solver(in_astra_s_order, AstraProblem, GPU),
}


def measure(cupy: Any, size: int, repeats: int, solvers: dict[str, Solver]) -> list[dict]:
    """A row for every solver at one size; all start from the same data, and their costs say whether they agree."""
    dataset, rows = data_set(size), []
    for name, solver in solvers.items():
        runs = [_run(cupy, dataset, solver, n) for n in (2, *[ITERATIONS] * repeats)][1:]  # the first one compiles
        rows.append({"size": size, "solver": name, **{key: _middle([run[key] for run in runs]) for key in runs[0]}})
    return rows


def data_set(size: int) -> FusedDataset:
    """Simulated data of a phantom of size^3."""
    spec = PhantomSpec(name="cuo_coo_nanocubes", size=min(size, _DRAWN), seed=1)
    drawn = make_phantom(spec, phantom_rng(spec))
    data, times = drawn.data, size // spec.size
    for axis in (1, 2, 3):
        data = data.repeat(times, axis=axis)
    return simulate(ChemicalVolume(data, drawn.elements, drawn.voxel_nm / times), ACQUISITION)


def usable(solvers: dict[str, Solver]) -> tuple[dict[str, Solver], list[str]]:
    """The solvers whose packages are here, and a note on those left out."""
    try:
        import astra

        missing = None if astra.use_cuda() else "this astra-toolbox has no CUDA"
    except ImportError as reason:
        missing = str(reason)
    kept = {name: solver for name, solver in solvers.items() if missing is None or solver.problem is Problem}
    return kept, [f"{name} left out: {missing}" for name in solvers if name not in kept]


def _run(cupy: Any, dataset: FusedDataset, solver: Solver, iterations: int) -> dict:
    """Seconds, cost and memory of one reconstruction."""
    settings = SolverSettings(max_iterations=iterations, tolerance=0.0, tv_iterations=2)
    pool, marks, data = cupy.get_default_memory_pool(), [], solver.data(dataset)
    pool.free_all_blocks()
    began = time.perf_counter()
    problem = solver.problem(data, WEIGHTS, settings, solver.place)
    solution = fused(problem, callback=lambda i, volume: marks.append(time.perf_counter()) or {})
    cupy.cuda.get_current_stream().synchronize()
    ended = time.perf_counter()
    solution.volume.get()
    loop = ended - marks[0]
    return {
        "loop s": loop,
        "ms an iteration": 1e3 * loop / iterations,
        "call s": time.perf_counter() - began,
        "cost": solution.history["total"][-1],
        "GiB": pool.total_bytes() / 2**30,
    }


def _middle(values: list[float]) -> float:
    return float(np.median(values))


def notes(rows: list[dict]) -> list[str]:
    """The bars, and how much faster than with ASTRA's projectors."""
    found = {(row["size"], row["solver"]): row["loop s"] for row in rows}
    ours = {size: seconds for (size, name), seconds in found.items() if name == OURS}
    bars = [
        verdict(
            f"{ITERATIONS} iterations at {size}^3 within {BARS[size]:g} s on an H200", s <= BARS[size], f"{s:.2f} s"
        )
        for size, s in ours.items()
        if size in BARS
    ]
    ratios = [
        f"{name} at {size}^3: {seconds / ours[size]:.2f} times our time"
        for (size, name), seconds in found.items()
        if name != OURS
    ]
    return bars + ratios
