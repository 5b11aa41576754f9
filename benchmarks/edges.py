"""Is edge-weighted total variation better than Eq. 1? `fused-weighted` beside `fused`, each with its own best weights.

python -m benchmarks.edges [--size N] [--phantom NAME] [--cell H C] [--seeds N] [--processes N]

In each cell a small grid of weights is tried on one noise; the best weights by mean NRMSE are then tried on noises that
were not seen. A phantom or a cell that is named is measured alone.
"""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context

import numba
import numpy as np

from benchmarks import machine
from benchmarks.convergence import SNR
from benchmarks.results import Results, verdict
from fusedtomo.elements import atomic_number
from fusedtomo.operators.zcontrast import ZContrast
from fusedtomo.reconstruct import reconstruct
from fusedtomo.resolution import AXES, edge
from fusedtomo.score import score
from fusedtomo.settings import Acquisition, Modality, SolverSettings, TiltRange, Weights
from fusedtomo.simulate import simulate
from fusedtomo.solvers.edges import brightness
from fusedtomo.stoichiometry import stoichiometry
from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume
from phantoms.registry import make_phantom
from phantoms.spec import PhantomSpec, phantom_rng

METHODS = ("fused", "fused-weighted")
HAADF, CHEMICAL, GAMMA = (9, 21, 47), (5, 9, 15), 2.0  # tilts; the paper simulates HAADF as (Z x)^2
GRID = [Weights(haadf=haadf, tv=tv) for haadf, tv in product((0.2, 0.6), (0.6, 1.0))]
SETTINGS = SolverSettings(max_iterations=150, tolerance=1e-3)
SIZE, FULL_SIZE = 40, 64
NRMSE_RATIO = {"cuo_coo_nanocubes": 0.90, "conio_nanotube": 0.94}
SEEN_WITHIN, OTHERS_WITHIN = 0.05, 0.10  # of the truth, medians of full voxels
_FULL_OF_MEDIANS = "cuo_coo_nanocubes"


@dataclass(frozen=True)
class Cell:
    """A specimen and numbers of tilts."""

    phantom: str
    haadf: int
    chemical: int
    size: int

    def truth(self) -> ChemicalVolume:
        """The specimen."""
        spec = PhantomSpec(name=self.phantom, size=self.size, seed=1)
        return make_phantom(spec, phantom_rng(spec))

    def data(self, truth: ChemicalVolume, seed: int) -> FusedDataset:
        """Its tilt series with the paper's noise."""
        snr = dict(SNR[self.phantom])
        acquisition = Acquisition(
            haadf=Modality(tilts=TiltRange(count=self.haadf), snr=snr.pop("HAADF")),
            chemical=Modality(tilts=TiltRange(count=self.chemical), snr=snr),
            gamma=GAMMA,
            seed=seed,
        )
        return simulate(truth, acquisition)

    @property
    def counts(self) -> bool:
        """Whether the bars speak of it."""
        return self.haadf >= self.chemical


@dataclass(frozen=True)
class Found:
    """What a method comes to; medians over the true ones, by element; edges: mean half-pitch in voxels."""

    nrmse: float
    stoichiometry: float
    medians: dict[str, float]
    nrmse_by_element: dict[str, float]
    half_pitch: float
    iterations: int


def found(dataset: FusedDataset, truth: ChemicalVolume, method: str, weights: Weights) -> Found:
    """Reconstruct and compare."""
    result = reconstruct(dataset, method, weights, SETTINGS)
    errors, full = score(result.volume, truth), stoichiometry(result.volume, truth)
    each = (edge(channel, 1.0, axis) for channel, axis in product(result.volume.data, AXES))
    return Found(
        errors.nrmse,
        errors.stoichiometry_error,
        {name: one.concentration.median / one.concentration.expected for name, one in full.items()},
        errors.nrmse_by_element,
        float(np.mean([one.half_pitch_nm for one in each if one is not None])),
        result.iterations,
    )


def measure(cell: Cell, seeds: int) -> dict:
    """A cell: the best weights of each method on noise 0, and what they come to on noises 1, 2, ..."""
    numba.set_num_threads(1)
    truth = cell.truth()
    tried, unseen = cell.data(truth, 0), [cell.data(truth, 1 + k) for k in range(seeds)]
    outcome = {}
    for method in METHODS:
        weights = min(GRID, key=lambda weights: found(tried, truth, method, weights).nrmse)
        outcome[method] = weights, [found(dataset, truth, method, weights) for dataset in unseen]
    return _row(cell, truth, outcome)


def _row(cell: Cell, truth: ChemicalVolume, outcome: dict[str, tuple[Weights, list[Found]]]) -> dict:
    (_, old), (_, new) = outcome.values()
    contrast = ZContrast(tuple(map(atomic_number, truth.elements)), GAMMA)
    seen = dict(zip(truth.elements, brightness(truth.data, contrast) >= 0.5, strict=True))
    medians = {name: _mean(one.medians[name] for one in new) for name in truth.elements}
    return {
        "phantom": cell.phantom,
        "size": cell.size,
        "tilts": f"{cell.haadf}/{cell.chemical}",
        "counts": cell.counts,
        "weights (HAADF, TV)": ", ".join(f"{w.haadf:g} {w.tv:g}" for w, _ in outcome.values()),
        "NRMSE fused": _mean(one.nrmse for one in old),
        "weighted": _mean(one.nrmse for one in new),
        "ratio": _mean(one.nrmse for one in new) / _mean(one.nrmse for one in old),
        "ratio by element": _by_element(
            {
                name: _mean(one.nrmse_by_element[name] for one in new) / _mean(o.nrmse_by_element[name] for o in old)
                for name in truth.elements
            }
        ),
        "stoichiometry": f"{_mean(o.stoichiometry for o in old):.3f} {_mean(o.stoichiometry for o in new):.3f}",
        "stoichiometry ratio": _mean(one.stoichiometry for one in new) / _mean(one.stoichiometry for one in old),
        "medians fused": _by_element({name: _mean(one.medians[name] for one in old) for name in truth.elements}),
        "medians weighted": _by_element(medians),
        "furthest median, seen": max(abs(medians[name] - 1) for name in medians if seen[name]),
        "others": max((abs(medians[name] - 1) for name in medians if not seen[name]), default=0.0),
        "half-pitch, voxels": f"{_mean(o.half_pitch for o in old):.2f} {_mean(o.half_pitch for o in new):.2f}",
        "half-pitch ratio": _mean(one.half_pitch for one in new) / _mean(one.half_pitch for one in old),
        "iterations": f"{_mean(o.iterations for o in old):.0f} {_mean(o.iterations for o in new):.0f}",
    }


def _mean(values) -> float:
    return float(np.mean(list(values)))


def _by_element(values: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.2f}" for name, value in values.items())


def bars(rows: Sequence[dict]) -> list[str]:
    """The verdicts, phantom by phantom, over the cells with at least as many HAADF as chemical tilts."""
    notes = []
    for phantom in dict.fromkeys(row["phantom"] for row in rows):
        chosen = [row for row in rows if row["phantom"] == phantom and row["counts"]]
        if not chosen:
            continue
        size = f"{chosen[0]['size']}^3, {phantom}"
        notes += [
            _bar(f"{size}: NRMSE at most {NRMSE_RATIO[phantom]:.2f} of fused", chosen, "ratio", NRMSE_RATIO[phantom]),
            _bar(f"{size}: stoichiometry error at most 1.00 of fused", chosen, "stoichiometry ratio", 1.0),
            _bar(f"{size}: half-pitch of edges at most 1.00 of fused", chosen, "half-pitch ratio", 1.0),
        ]
        if phantom == _FULL_OF_MEDIANS:
            notes += [
                _bar(f"{size}: medians of seen elements within 0.05", chosen, "furthest median, seen", SEEN_WITHIN),
                _bar(f"{size}: medians of others within 0.10", chosen, "others", OTHERS_WITHIN),
            ]
    return notes


def _bar(bar: str, rows: Sequence[dict], key: str, most: float) -> str:
    values = [row[key] for row in rows]
    met = sum(value <= most for value in values)
    text = f"{met} of {len(rows)} cells, {min(values):.3f} to {max(values):.3f}"
    return verdict(bar, met == len(rows), text)


def run(
    *,
    full: bool = False,
    size: int | None = None,
    phantoms: Sequence[str] = tuple(NRMSE_RATIO),
    cells: Sequence[tuple[int, int]] = tuple(product(HAADF, CHEMICAL)),
    seeds: int = 1,
    processes: int = 2,
    report: Callable[[str], None] = lambda text: None,
) -> Results:
    """Measure the cells, several at a time."""
    host, others, size = machine.describe(), machine.OtherLoad(), size or (FULL_SIZE if full else SIZE)
    wanted = [Cell(phantom, *tilts, size) for phantom, tilts in product(phantoms, cells)]
    rows = []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for job in [pool.submit(measure, cell, seeds) for cell in wanted]:
            rows.append(job.result())
            report(str(rows[-1]))
    notes = [
        f"tilts: HAADF/chemical; two numbers in a column: fused, fused-weighted; {seeds} unseen noise(s) a cell",
        f"weights tried: HAADF {sorted({w.haadf for w in GRID})}, TV {sorted({w.tv for w in GRID})}; "
        f"at most {SETTINGS.max_iterations} iterations a solve, tolerance {SETTINGS.tolerance:g}",
        "medians: of the voxels that the truth fills, over the truth",
        "half-pitch: full width at half maximum of the slope of the mean edge, over all elements and axes with any",
        str(others),
        *bars(rows),
    ]
    return Results("edges", host, rows, notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=SIZE, help="voxels along an edge")
    parser.add_argument("--phantom", dest="phantoms", action="append", choices=NRMSE_RATIO)
    parser.add_argument("--cell", dest="cells", action="append", nargs=2, type=int, metavar=("H", "C"))
    parser.add_argument("--seeds", type=int, default=1, help="unseen noises")
    parser.add_argument("--processes", type=int, default=2)
    asked = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    results = run(report=partial(print, flush=True), **asked)
    print(results.body(), f"written to {results.write().name}", sep="\n")
