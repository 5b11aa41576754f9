"""Do slabs of the specimen rank weights as the whole does, where does their best point lie, and what do they cost?

python -m benchmarks.slabs [--full]

Every cell is reconstructed whole and in slabs at one grid of weights. A slab ranks well when its order of the points is
that of the whole (Spearman), and chooses well when its best point loses little in the whole. Slabs are computed once
for all margins: the same reconstruction is scored without its outer columns.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import qmc, spearmanr

from benchmarks import machine
from benchmarks.results import Results, table
from fusedtomo.reconstruct import solve
from fusedtomo.score import score
from fusedtomo.solvers.initial import initial_volume
from fusedtomo.solvers.problem import Problem
from fusedtomo.volume import ChemicalVolume
from workflows.campaign import CampaignConfig, Condition
from workflows.campaign.fidelity import Fidelity
from workflows.trial.bench import bench_of
from workflows.trial.slabs import columns_of, cut, in_units_of

SPACE = {"haadf": (3e-3, 3.0), "tv": (0.2, 4.0)}
POINTS = 16
SNR = {
    "cuo_coo_nanocubes": {"Co": 1.92, "Cu": 2.89, "O": 2.69, "Au": 1.96},  # the paper's, Methods
    "conio_nanotube": 2.5,
}
OTHER_SNR = 2.5  # of specimens for which the paper states none
QUICK = (  # specimen, size, tilts
    ("cuo_coo_nanocubes", 32, ([9, 47], [9])),
    ("conio_nanotube", 32, ([9, 47], [9])),
    ("cuo_coo_nanocubes", 64, ([47], [9])),
)
FULL = tuple((phantom, size, ([9, 21, 47], [5, 15])) for size in (32, 40, 64) for phantom in SNR)


@dataclass(frozen=True)
class Way:
    """How a slab is cut.

    Attributes:
        share: computed columns over all.
        slabs: into how many.
        own: weights are relative to the slab's own totals, not to those of the whole.
    """

    share: float
    slabs: int = 1
    own: bool = False


WAYS = (Way(1 / 4), Way(1 / 2), Way(1 / 2, 2), Way(1 / 2, own=True))
MARGINS = (0, 1, 2, 3, 4)


def campaign(phantom: str, size: int, tilts: tuple[Sequence[int], Sequence[int]]) -> CampaignConfig:
    """The quickstart's conditions for a specimen, at numbers of HAADF and of chemical tilts."""
    haadf, chemical = tilts
    return CampaignConfig.model_validate(
        {
            "name": "slabs",
            "seed": 1,
            "phantom": {"name": phantom, "size": size, "seed": 1},
            "acquisition": {"haadf": {"snr": 2208.67}, "chemical": {"snr": SNR.get(phantom, OTHER_SNR)}},
            "axes": {"haadf_tilts": haadf, "chemical_tilts": chemical},
            "methods": ["fused"],
            "solver": {"max_iterations": 100, "tolerance": 2e-3},
            "search": {
                "space": {name: {"low": low, "high": high} for name, (low, high) in SPACE.items()},
            },
        }
    )


class Cell:
    """A condition with its data, reconstructed whole or in slabs at any weights."""

    def __init__(self, config: CampaignConfig, condition: Condition):
        self.config, self.condition = config, condition
        bench = bench_of(config, condition)
        self.data, self.truth = bench.data(config.acquisition_of(condition)), bench.truth
        self._starts = {}

    def whole(self, point: dict[str, float]) -> tuple[float, float]:
        """NRMSE and processor seconds."""
        (error,), seconds = self._errors(point, np.arange(self.truth.shape[-1]), [slice(None)], own=True)
        return error, seconds

    def slab(self, point: dict[str, float], way: Way) -> tuple[list[float], float]:
        """NRMSE of the same slab without each of the margins, NaN where nothing would be left; processor seconds."""
        width = self.truth.shape[-1]
        layouts = [columns_of(width, way.share, Fidelity(slab=1, margin=m, slabs=way.slabs)) for m in MARGINS]
        fits = [2 * margin < way.share * width / way.slabs for margin in MARGINS]
        scored = [one.scored for one, fit in zip(layouts, fits, strict=True) if fit]
        errors, seconds = self._errors(point, layouts[0].computed, scored, own=way.own)
        return errors + [float("nan")] * (len(MARGINS) - len(errors)), seconds

    def _errors(self, point, columns: np.ndarray, scored: Sequence, own: bool) -> tuple[list[float], float]:
        weights, settings = self.config.parameters(self.condition, point)
        data = cut(self.data, columns)
        if not own:
            weights, settings = in_units_of(self.data, data, weights, settings)
        key = tuple(columns)
        if key not in self._starts:
            self._starts[key] = initial_volume(Problem(data, weights, settings))
        began = time.process_time()
        found = solve(data, "fused", weights, settings, initial=self._starts[key].copy()).volume
        seconds = time.process_time() - began
        truth = self.truth.only(data.elements)
        return [self._error(found, truth, columns, each) for each in scored], seconds

    @staticmethod
    def _error(found: np.ndarray, truth: ChemicalVolume, columns: np.ndarray, scored) -> float:
        there, own = (np.ascontiguousarray(a[..., c]) for a, c in ((truth.data, columns[scored]), (found, scored)))
        return score(replace(truth, data=own), replace(truth, data=there)).nrmse


def spread(count: int = POINTS) -> list[dict[str, float]]:
    """Points of a Sobol sequence, the same in all cells."""
    places = qmc.Sobol(len(SPACE), scramble=True, rng=np.random.default_rng(1)).random(count)
    return [{n: low * (high / low) ** u for (n, (low, high)), u in zip(SPACE.items(), p, strict=True)} for p in places]


def record(config: CampaignConfig, points: Sequence[dict], ways: Sequence[Way] = WAYS) -> Iterator[dict]:
    """All cells of a campaign at some points: errors (point,) of the whole, (way, margin, point) of slabs, seconds."""
    for condition in config.conditions():
        cell = Cell(config, condition)
        whole = [cell.whole(point) for point in points]
        slabs = [[cell.slab(point, way) for point in points] for way in ways]
        yield {
            "phantom": config.phantom.name,
            "size": config.phantom.size,
            "condition": condition.key,
            "whole": [error for error, _ in whole],
            "seconds": float(np.mean([seconds for _, seconds in whole])),
            "slabs": [np.transpose([errors for errors, _ in each]).tolist() for each in slabs],
            "slab seconds": [float(np.mean([seconds for _, seconds in each])) for each in slabs],
        }


def summary(cells: Sequence[dict], ways: Sequence[Way] = WAYS) -> list[dict]:
    """A line for each specimen, way and margin."""
    rows = []
    for phantom, size in dict.fromkeys((cell["phantom"], cell["size"]) for cell in cells):
        own = [cell for cell in cells if (cell["phantom"], cell["size"]) == (phantom, size)]
        rows += [_row(own, w, m) for w in range(len(ways)) for m in range(len(MARGINS)) if _there(own, w, m)]
    return rows


def _there(cells: Sequence[dict], way: int, margin: int) -> bool:
    return bool(np.isfinite(cells[0]["slabs"][way][margin]).all())


def _row(cells: Sequence[dict], w: int, m: int, ways: Sequence[Way] = WAYS) -> dict:
    way = ways[w]
    judged = [judge(np.array(cell["whole"]), np.array(cell["slabs"][w][m])) for cell in cells]
    ranks, losses, drifts = (np.array(each) for each in zip(*judged, strict=True))
    return {
        "phantom": cells[0]["phantom"],
        "size": cells[0]["size"],
        "computed": f"{way.share * cells[0]['size']:g}",
        "slabs": way.slabs,
        "margin": MARGINS[m],
        "totals of": "the slab" if way.own else "the whole",
        "rank correlation": float(ranks.mean()),
        "least": float(ranks.min()),
        "loss %, mean": float(100 * losses.mean()),
        "worst": float(100 * losses.max()),
        "scatter near the optimum %": float(100 * drifts.mean()),
        "cost": float(np.mean([cell["slab seconds"][w] / cell["seconds"] for cell in cells])),
    }


def judge(whole: np.ndarray, slab: np.ndarray, near: float = 0.15) -> tuple[float, float, float]:
    """How a slab ranks the points of the whole.

    Returns:
        Spearman's rank correlation; what the slab's best point loses in the whole; the deviation of log (slab / whole)
        over points within `near` of the whole's least error: what a model of the difference has to explain.
    """
    least = whole.min()
    close = whole <= (1 + near) * least
    ratio = np.log(slab / whole)
    return float(spearmanr(whole, slab).statistic), float(whole[slab.argmin()] / least - 1), float(ratio[close].std())


def run(*, full: bool = False) -> Results:
    """Both specimens at 32^3 and one cell at 64^3; with `full` six cells each at three sizes."""
    host, others, cells = machine.describe(), machine.OtherLoad(), []
    for phantom, size, tilts in FULL if full else QUICK:
        cells += record(campaign(phantom, size, tilts), spread())
    notes = [
        f"100 iterations at most or a tolerance of 2e-3, {POINTS} points over {SPACE}; {len(cells)} cells",
        "loss: how much higher the whole's NRMSE is at the slab's best point than at its own; cost: processor time of "
        "a slab over that of the whole; totals: mean counts and noise, which the weights are relative to",
        str(others),
    ]
    return Results("slabs", host, summary(cells), notes, curves=cells)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="more cells and sizes")
    results = run(**vars(parser.parse_args()))
    print(table(results.rows), *results.notes, sep="\n")
