"""Does the pace "fast" come to the end of the pace "steady" in half of its time?

python -m benchmarks.pace [--size N] [--phantom NAME] [--tolerance T] [--point HAADF TV]

Both paces run one after the other from the same start, for the settings that campaigns search with and for those of
`fusedtomo reconstruct`, with weights from all over the search ranges. Beside the processor time stands what was done:
passes of the TV prox, projections and back-projections of the volume.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from unittest.mock import patch

import numpy as np

from benchmarks import machine
from benchmarks.edges import CHEMICAL, HAADF, Cell
from benchmarks.results import Results, verdict
from fusedtomo.kernels import numba
from fusedtomo.reconstruct import reconstruct
from fusedtomo.score import score
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume

STOPS = {2e-3: 100, 3e-4: 200}  # tolerance and cap: of shipped campaigns; of the command
POINTS = ((0.02, 0.2), (0.02, 4.0), (0.1, 1.0), (0.6, 0.7), (0.6, 4.0), (4.0, 1.0))  # weights of HAADF and TV
PHANTOMS = ("cuo_coo_nanocubes", "conio_nanotube")
SIZE, FULL_SIZE = 32, 64
COST_WITHIN, NRMSE_WITHIN, SHARE = 1e-3, 5e-3, 0.5
_COUNTED = {"inner": (numba.tv, "ascend"), "forward": (numba.joseph, "forward")}
_BACK = ("adjoint", "adjoint_pullback")


@dataclass
class Course:
    """A run, iterate by iterate: cost, NRMSE, processor seconds, and passes done by then."""

    costs: list[float] = field(default_factory=list)
    nrmse: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    passes: list[Counter] = field(default_factory=list)
    stopped: str = ""

    def there(self, cost: float, nrmse: float) -> int | None:
        """The iterate from which on, to the end, cost and NRMSE are at most so far above those given."""
        far = (np.array(self.costs) > (1 + COST_WITHIN) * cost) | (np.array(self.nrmse) > (1 + NRMSE_WITHIN) * nrmse)
        first = int(np.flatnonzero(far)[-1]) + 1 if far.any() else 0
        return first if first < len(far) else None


@contextmanager
def counted() -> Iterator[Counter]:
    """Count the calls of kernels that pass over a volume."""
    passes: Counter = Counter()
    kernels = {**_COUNTED, **{name: (numba.joseph, name) for name in _BACK}}
    with ExitStack() as stack:
        for name, (module, kernel) in kernels.items():
            stack.enter_context(patch.object(module, kernel, _counting(passes, name, getattr(module, kernel))))
        yield passes


def _counting(passes: Counter, name: str, kernel: Callable) -> Callable:
    def call(*args):
        passes["back" if name in _BACK else name] += 1
        return kernel(*args)

    return call


def run_of(dataset: FusedDataset, truth: ChemicalVolume, weights: Weights, settings: SolverSettings) -> Course:
    """Reconstruct by `fused` and watch; the time of watching is left out."""
    course, spent = Course(), 0.0
    with counted() as passes:
        began = time.process_time()

        def look(k: int, volume: np.ndarray) -> dict[str, float]:
            nonlocal spent
            arrived = time.process_time()
            course.seconds.append(arrived - began - spent)
            course.passes.append(Counter(passes))
            course.nrmse.append(score(ChemicalVolume(volume, truth.elements, truth.voxel_nm), truth).nrmse)
            spent += time.process_time() - arrived
            return {}

        result = reconstruct(dataset, "fused", weights, settings, callback=look)
    course.costs, course.stopped = result.history["total"], result.stopped
    return course


def measure(phantom: str, size: int, tolerance: float, points: Sequence[tuple[float, float]]) -> Iterator[dict]:
    """One line for every pair of weights."""
    cell = Cell(phantom, HAADF[-1], CHEMICAL[1], size)
    truth = cell.truth()
    dataset = cell.data(truth, 0)
    run_of(dataset, truth, Weights(), SolverSettings(max_iterations=2, pace="fast"))  # kernels are loaded, or compiled
    for haadf, tv in points:
        weights, stop = Weights(haadf=haadf, tv=tv), {"tolerance": tolerance, "max_iterations": STOPS[tolerance]}
        steady, fast = (
            run_of(dataset, truth, weights, SolverSettings(**stop, pace=pace)) for pace in ("steady", "fast")
        )
        yield {"phantom": phantom, "size": size, "tolerance": tolerance, "HAADF": haadf, "TV": tv} | _row(steady, fast)


def _row(steady: Course, fast: Course) -> dict:
    there = fast.there(steady.costs[-1], steady.nrmse[-1])
    return {
        "steady: iterations": len(steady.costs) - 1,
        "inner, forward, back": _told(steady, -1),
        "fast: iterations": len(fast.costs) - 1,
        "the same": _told(fast, -1),
        "cost at its end, %": 100 * (fast.costs[-1] / steady.costs[-1] - 1),
        "NRMSE": f"{steady.nrmse[-1]:.4f} {fast.nrmse[-1]:.4f}",
        "time to its end": fast.seconds[-1] / steady.seconds[-1],
        "as near after": there,
        "with": None if there is None else _told(fast, there),
        "time": None if there is None else fast.seconds[there] / steady.seconds[-1],
    }


def _told(course: Course, k: int) -> str:
    return " ".join(str(course.passes[k][name]) for name in ("inner", "forward", "back"))


def bars(rows: Sequence[dict]) -> list[str]:
    """A verdict for each size and tolerance."""
    notes = []
    for size, tolerance in dict.fromkeys((row["size"], row["tolerance"]) for row in rows):
        times = [row["time"] for row in rows if (row["size"], row["tolerance"]) == (size, tolerance)]
        came = [one for one in times if one is not None]
        half = sum(one <= SHARE for one in came)
        median = f", {np.median(came):.2f} in the median of those that came there" if came else ""
        bar = f"{size}^3, tolerance {tolerance:g}: fast as near as the end of steady in at most half of its time"
        notes.append(verdict(bar, half == len(times), f"{half} of {len(times)}, {len(came)} at all{median}"))
    return notes


def run(
    *,
    full: bool = False,
    size: int | None = None,
    phantoms: Sequence[str] = PHANTOMS,
    tolerances: Sequence[float] = tuple(STOPS),
    points: Sequence[tuple[float, float]] = POINTS,
    report: Callable[[str], None] = lambda text: None,
) -> Results:
    """Measure all points, one after the other."""
    host, others, size = machine.describe(), machine.OtherLoad(), size or (FULL_SIZE if full else SIZE)
    rows = []
    for phantom, tolerance in product(phantoms, tolerances):
        for row in measure(phantom, size, tolerance, points):
            rows.append(row)
            report(str(row))
    notes = [
        f"{HAADF[-1]} HAADF and {CHEMICAL[1]} chemical tilts, the paper's noise; "
        + "; ".join(f"tolerance {tolerance:g}, at most {STOPS[tolerance]} iterations" for tolerance in tolerances),
        "inner, forward, back: passes of the TV prox, and projections either way, HAADF and chemical counted apart",
        f"as near: cost at most {COST_WITHIN:.1%} and NRMSE at most {NRMSE_WITHIN:.1%} above those that steady ends "
        "with, from there on to the end; times are processor times over steady's whole run",
        str(others),
        *bars(rows),
    ]
    return Results("pace", host, rows, notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=SIZE, help="voxels along an edge")
    parser.add_argument("--phantom", dest="phantoms", action="append", choices=PHANTOMS)
    parser.add_argument("--tolerance", dest="tolerances", action="append", type=float, choices=STOPS)
    parser.add_argument("--point", dest="points", action="append", nargs=2, type=float, metavar=("HAADF", "TV"))
    asked = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    results = run(report=partial(print, flush=True), **asked)
    print(results.body(), f"written to {results.write().name}", sep="\n")
