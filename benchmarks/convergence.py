"""How many outer iterations does `fused` need, and how many Algorithm 1, to the same minimum of the same cost?

    python -m benchmarks.convergence [--quick]

Both start where `fused` starts. A count is the first iteration from which on, to the end of a long run, the cost is
within 0.3 % of F* and NRMSE within 1 % of a minimiser's. F* is the least of what `fused` reaches in 500 iterations
with 120 inner iterations of its prox, and of what Condat-Vu (certifier.py) reaches, from the same start and from where
`fused` ended. In the flat valleys of a problem that is not convex, volumes of the same cost differ in NRMSE by more
than 1 %: so the end of any of these runs counts as a minimiser, too, and for each method the end of its own, if it
lies within 0.1 % of F* and the run has settled there (its cost fell by less than 0.02 % of F* in its last fifth).
Algorithm 1 runs for as long as its bar asks, 1000 iterations at least. Where gamma is 1, and the HAADF gain is held,
the problem is convex, and a dual point bounds how far below F* any volume can be. Every case runs in one thread:
iterates do not depend on their number.
"""

import argparse
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import product
from multiprocessing import get_context

import numba
import numpy as np

from benchmarks import algorithm1, figures, machine
from benchmarks.certifier import Cost, condat_vu
from benchmarks.results import Results, verdict
from fusedtomo.reconstruct import reconstruct
from fusedtomo.settings import Acquisition, Modality, SolverSettings, TiltRange, Weights
from fusedtomo.simulate import simulate
from fusedtomo.solvers.initial import initial_volume, lifted
from fusedtomo.solvers.problem import Problem
from fusedtomo.tilts import FusedDataset
from phantoms.registry import make_phantom, phantom_rng
from phantoms.spec import PhantomSpec

SIZE = 24
SNR = {  # the paper's: Methods, and Supplement 10
    "cuo_coo_nanocubes": {"HAADF": 2208.67, "Co": 1.92, "Cu": 2.89, "O": 2.69, "Au": 1.96},
    "conio_nanotube": {"HAADF": 2156.16, "Co": 2.66, "Ni": 6.46, "O": 3.17},
}
GAMMAS, TV, TILTS = (1.0, 1.7, 2.0), {"weak": 0.3, "strong": 3.0}, {"few": (9, 3), "many": (47, 15)}
COST_WITHIN, NRMSE_WITHIN, BAR = 3e-3, 1e-2, 5.0
_AS_GOOD = 1e-3  # of F*: another minimum as low, as far as long runs can tell
_SETTLED = 2e-4  # of F*: the most that the cost of a run that has ended in a minimum fell in its last fifth
_FUSED_ITERATIONS, _ALGORITHM1_ITERATIONS = 400, 1000
_EXACT = {"tolerance": 0.0, "max_iterations": 500, "tv_iterations": 120}
_CERTIFIER_ITERATIONS, _POLISH_ITERATIONS = 1500, 500
_LOOKS = np.unique(np.geomspace(1, 3000, 120).astype(int))  # iterations at which curves are kept and drawn


@dataclass(frozen=True)
class Case:
    """One problem."""

    phantom: str
    gamma: float
    tv: str
    tilts: str
    haadf: float = 0.1
    size: int = SIZE

    @property
    def weights(self) -> Weights:
        """Of the three terms."""
        return Weights(haadf=self.haadf, chemical=1.0, tv=TV[self.tv])

    def __str__(self) -> str:
        return f"{self.phantom}, gamma {self.gamma:g}, {self.tv} TV, {self.tilts} tilts, HAADF weight {self.haadf:g}"


ALL = [
    *(Case(*each) for each in product(SNR, GAMMAS, TV, TILTS)),
    *(Case("cuo_coo_nanocubes", 1.7, "strong", "many", haadf) for haadf in (0.01, 1.0)),
]
QUICK = [Case("cuo_coo_nanocubes", gamma, "strong", "many", size=24) for gamma in GAMMAS]


@dataclass
class Trace:
    """Cost and NRMSE of a run at some of its iterations, and the seconds that had gone by."""

    iterations: list[int] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    nrmse: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def reached(self, cost: float, nrmse: Sequence[float] = ()) -> int | None:
        """The iteration from which on, to the end, the cost, and NRMSE where given, are as near as the bars ask."""
        far = np.array(self.costs) > (1 + COST_WITHIN) * cost
        if nrmse:
            off = np.abs(np.array(self.nrmse)[:, None] / np.array([*nrmse, *self.minimum(cost)]) - 1).min(axis=1)
            far |= off > NRMSE_WITHIN
        first = np.flatnonzero(far)[-1] + 1 if far.any() else 0
        return self.iterations[first] if first < len(far) else None

    def minimum(self, cost: float) -> list[float]:
        """NRMSE at the end, where the run has settled in a minimum as low as that cost; else nothing."""
        late = int(np.searchsorted(self.iterations, 0.8 * self.iterations[-1]))
        settled = self.costs[late] - self.costs[-1] <= _SETTLED * cost
        return self.nrmse[-1:] if settled and self.costs[-1] <= (1 + _AS_GOOD) * cost else []

    def seconds_at(self, iteration: int | None) -> float:
        """The seconds until an iteration, or to the end."""
        return self.seconds[-1 if iteration is None else self.iterations.index(iteration)]

    def thinned(self) -> dict[str, list]:
        """For a file and a figure: the curve at a few iterations."""
        kept = [k for k, iteration in enumerate(self.iterations) if iteration in _LOOKS]
        return {name: [values[k] for k in kept] for name, values in asdict(self).items()}


class Study:
    """One case with everything that is run on it."""

    def __init__(self, case: Case):
        self.case, (self.truth, self.dataset) = case, simulated(case)
        self.problem = Problem(self.dataset, case.weights, SolverSettings())
        self.start = lifted(initial_volume(self.problem))
        self.cost = Cost(self.dataset, case.haadf, 1.0, TV[case.tv], case.gamma)
        self._truth = _normalised(self.truth)

    def nrmse(self, volume: np.ndarray) -> float:
        """Mean over the elements, as fusedtomo.score has it: sqrt(2 - 2 correlation) of normalised volumes."""
        correlation = (_normalised(volume) * self._truth).mean(axis=(1, 2, 3))
        return float(np.sqrt(np.maximum(2 - 2 * correlation, 0)).mean())

    def fused(self, **settings) -> tuple[Trace, np.ndarray, str]:
        """A run of `fused`: its trace, its volume and why it stopped."""
        trace, look = self._watched()
        result = reconstruct(
            self.dataset,
            "fused",
            self.case.weights,
            SolverSettings(**settings),
            callback=lambda k, volume: look(k, math.nan, volume),
        )
        trace.costs = result.history["total"]
        return trace, result.volume.data, result.stopped

    def certified(self, start: np.ndarray, iterations: int) -> tuple[Trace, np.ndarray, float]:
        """A run of Condat-Vu: its trace, its volume and its bound from below."""
        trace, look = self._watched()

        def look_now_and_then(k: int, x: np.ndarray) -> None:
            if k in _LOOKS or k == iterations:
                look(k, self.cost.value(x), x)

        found = condat_vu(self.cost, start, iterations, look_now_and_then)
        return trace, found.volume, found.lower_bound

    def algorithm1(
        self, minimiser: np.ndarray, cost: float, nrmse: Sequence[float], iterations: int
    ) -> tuple[Trace, algorithm1.Step]:
        """Algorithm 1 with the step that reaches the minimum first, or comes nearest to it."""
        descent, found = algorithm1.Descent(self.problem, self.start, minimiser), []
        for step in descent.best_steps():
            trace, look = self._watched()
            for k, (value, volume) in enumerate(descent.iterates(step, iterations)):
                look(k, value, volume)
            found.append((trace.reached(cost, nrmse) or math.inf, trace.costs[-1], trace, step))
        *_, trace, step = min(found, key=lambda each: each[:2])
        return trace, step

    def _watched(self) -> tuple[Trace, Callable[[int, float, np.ndarray], None]]:
        """A trace, and what adds an iterate to it."""
        trace, began = Trace(), time.perf_counter()

        def look(k: int, cost: float, volume: np.ndarray) -> None:
            for values, value in zip(
                (trace.iterations, trace.costs, trace.nrmse, trace.seconds),
                (k, float(cost), self.nrmse(volume), time.perf_counter() - began),
                strict=True,
            ):
                values.append(value)

        return trace, look


def simulated(case: Case) -> tuple[np.ndarray, FusedDataset]:
    """The truth (element, z, y, x) and the tilt series."""
    spec, snr = PhantomSpec(name=case.phantom, size=case.size, seed=1), dict(SNR[case.phantom])
    truth, (n_haadf, n_chemical) = make_phantom(spec, phantom_rng(spec)), TILTS[case.tilts]
    acquisition = Acquisition(
        haadf=Modality(tilts=TiltRange(count=n_haadf), snr=snr.pop("HAADF")),
        chemical=Modality(tilts=TiltRange(count=n_chemical), snr=snr),
        gamma=case.gamma,
    )
    return truth.data, simulate(truth, acquisition)


def measure(case: Case) -> dict:
    """Everything about one case: a row of each table, and the curves."""
    numba.set_num_threads(1)
    study = Study(case)
    exact, volume, _ = study.fused(**_EXACT)
    certifier, certified, _ = study.certified(study.start, _CERTIFIER_ITERATIONS)
    polish, polished, bound = study.certified(volume, _POLISH_ITERATIONS)
    volumes = volume, certified, polished
    costs = [study.cost.value(np.float64(x)) for x in volumes]
    minimiser = volumes[int(np.argmin(costs))]
    least, nrmse = min(costs), study.nrmse(minimiser)
    minima = [nrmse, *(found for run in (exact, certifier, polish) for found in run.minimum(least))]
    fused, _, _ = study.fused(tolerance=0, max_iterations=_FUSED_ITERATIONS)
    default, _, stopped = study.fused()
    enough = max(_ALGORITHM1_ITERATIONS, math.ceil(BAR * (fused.reached(least, minima) or 0)))
    theirs, step = study.algorithm1(minimiser, least, minima, enough)
    return {
        "row": _row(case, fused, theirs, step, least, minima),
        "stop": _stop(case, default, stopped, least, nrmse),
        "reference": _reference(case, costs, least, minima, bound if case.gamma == 1.0 else None),
        "curves": {
            "least": least,
            "nrmse": nrmse,
            "fused": fused.thinned(),
            "Algorithm 1": theirs.thinned(),
            "Condat-Vu": certifier.thinned(),
        },
    }


def _row(case: Case, fused: Trace, theirs: Trace, step: algorithm1.Step, least: float, minima: Sequence[float]) -> dict:
    """A line of the table that the bar stands on."""
    both = fused.reached(least, minima), theirs.reached(least, minima)
    most = theirs.iterations[-1]
    ratio = _ratio(*both, most)
    in_time = theirs.seconds_at(both[1]) / fused.seconds_at(both[0])
    return {
        **_label(case),
        "fused": _count(both[0], _FUSED_ITERATIONS),
        "Algorithm 1": _count(both[1], most),
        "times": _at_least(ratio, both[1]),
        f"at least {BAR:g}": "met" if ratio is not None and ratio >= BAR else "**not met**",
        "in time": _at_least(in_time if both[0] else None, both[1]),
        "fused, cost alone": _count(fused.reached(least), _FUSED_ITERATIONS),
        "Algorithm 1, cost alone": _count(theirs.reached(least), most),
        "its step": str(step),
    }


def _ratio(ours: int | None, theirs: int | None, most: int) -> float | None:
    return (theirs or most) / ours if ours else None


def _count(iterations: int | None, most: int) -> int | str:
    return f"> {most}" if iterations is None else iterations


def _at_least(ratio: float | None, theirs: int | None) -> str | None:
    return None if ratio is None else f"{'' if theirs else '> '}{ratio:.1f}"


def _stop(case: Case, trace: Trace, stopped: str, least: float, nrmse: float) -> dict:
    """Where the default settings leave a reconstruction."""
    return {
        **_label(case),
        "iterations": trace.iterations[-1],
        "stopped": stopped,
        "cost above F*, %": 100 * (trace.costs[-1] / least - 1),
        "NRMSE": trace.nrmse[-1],
        "NRMSE at F*": nrmse,
        "difference, %": 100 * (trace.nrmse[-1] / nrmse - 1),
    }


def _reference(case: Case, costs: list[float], least: float, minima: Sequence[float], bound: float | None) -> dict:
    """How sure F* is."""
    exact, certified, polished = (100 * (cost / least - 1) for cost in costs)
    return {
        **_label(case),
        "F*": least,
        "fused, exact: above, %": exact,
        "Condat-Vu: above, %": certified,
        "Condat-Vu from there: above, %": polished,
        "NRMSE of the minimisers": " ".join(f"{value:.3f}" for value in minima),
        "F* above its bound at most, %": None if bound is None else 100 * (1 - bound / least),
    }


def _label(case: Case) -> dict:
    return {
        "phantom": case.phantom,
        "gamma": case.gamma,
        "TV": case.tv,
        "tilts": case.tilts,
        "HAADF": case.haadf,
    }


def _normalised(volume: np.ndarray) -> np.ndarray:
    centred = volume - volume.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    return centred / np.maximum(centred.std(axis=(1, 2, 3), keepdims=True), 1e-30)


def bar(rows: list[dict]) -> str:
    """The verdict over all cases."""
    key = f"at least {BAR:g}"
    met = [row for row in rows if row[key] == "met"]
    ratios = [float(row["times"].lstrip("> ")) for row in rows if row["times"] is not None]
    return verdict(
        f"on every case Algorithm 1 needs at least {BAR:g} times as many outer iterations as fused",
        len(met) == len(rows),
        f"{len(met)} of {len(rows)} cases, least ratio {min(ratios, default=0):.1f}",
    )


def run(*, full: bool = False, processes: int = 2, report: Callable[[str], None] = lambda text: None) -> Results:
    """Measure the cases, several at a time; all of them, or a few small ones."""
    host, others, found = machine.describe(), machine.OtherLoad(), {}
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = {case: pool.submit(measure, case) for case in (ALL if full else QUICK)}
        for case, job in jobs.items():
            found[case] = job.result()
            report(f"{case}: {found[case]['row']}")
    rows = [each["row"] for each in found.values()]
    more = {
        "Where the default settings stop": [each["stop"] for each in found.values()],
        "How sure F* is": [each["reference"] for each in found.values()],
    }
    curves = {str(case): each["curves"] for case, each in found.items()}
    notes = [
        f"outer iterations until the cost is within {100 * COST_WITHIN:g} % of F* and NRMSE within "
        f"{100 * NRMSE_WITHIN:g} % of a minimiser's (a settled run's within {100 * _AS_GOOD:g} % of F*), and stays "
        f"there; "
        f"{next(iter(found)).size}^3 voxels",
        f"TV weights: {TV}; tilts (HAADF, chemical): {TILTS}; chemical weight 1",
        f"Algorithm 1: best of {algorithm1.SEARCHED}, TV prox of {algorithm1.TV_ITERATIONS} warm-started iterations",
        "for gamma > 1 the problem is not convex: F* is the least that was found; at gamma 1 it is convex but for the "
        "fitted HAADF gain, and the bound holds that gain",
        str(others),
        bar(rows),
    ]
    what = "convergence" if full else "convergence-quick"
    return Results(what, host, rows, notes, more, curves, figures.convergence(curves, rows, COST_WITHIN, NRMSE_WITHIN))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three small cases; their results are not kept")
    results = run(full=not parser.parse_args().quick, report=print)
    print(results.body(), *([f"written to {results.write().name}"] if results.what == "convergence" else []), sep="\n")
