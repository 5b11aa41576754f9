"""What a campaign pays for a trial at 256^3 on a GPU, score included, and so for a whole map.

    python -m benchmarks.gpu_trials [--size 256] [--trials 6]

One worker evaluates trials of three cells as a campaign's worker does (workflows/trial/evaluate.py): what a cell's
trials share is made in its first one. A map is reckoned as 10 x 10 cells of 20 trials, each at the
mean of those measured.
"""

import argparse
import time

import numpy as np

from benchmarks import machine
from benchmarks.results import Results, verdict
from fusedtomo.placement import Placement
from fusedtomo.settings import SolverSettings
from workflows.campaign import CampaignConfig, Trial, load_campaign
from workflows.machines import CONFIGS
from workflows.trial.evaluate import evaluate

CELLS, TRIALS = 100, 20  # of the map that is reckoned with: 10 x 10 cells, and the trials of each
BAR_HOURS = 2.0
_TILTS = (15, 5), (47, 9), (141, 29)
_POINTS = [{"haadf": haadf, "tv": tv} for haadf, tv in ((0.1, 1.0), (0.03, 0.5), (0.3, 2.0), (0.01, 1.0), (1.0, 4.0))]


def campaign(size: int) -> CampaignConfig:
    """The quickstart's specimen, noise and tolerance at another size."""
    config = load_campaign(CONFIGS / "campaigns" / "quickstart.toml")
    phantom = config.phantom.model_copy(update={"size": size})
    axes = dict(zip(("haadf_tilts", "chemical_tilts"), zip(*_TILTS, strict=True), strict=True))
    solver = SolverSettings(max_iterations=100, tolerance=2e-3)
    return config.model_copy(update={"phantom": phantom, "axes": axes, "solver": solver})


def measure(size: int, n_trials: int, place: Placement) -> list[dict]:
    """A line for every cell."""
    config, rows = campaign(size), []
    for tilts in _TILTS:
        condition, results = config.cell("fused", tilts), []
        for number in range(n_trials):
            began = time.perf_counter()
            result = evaluate(Trial(config, condition, number, _POINTS[number % len(_POINTS)]), place)
            if not result.ok:
                raise RuntimeError(f"{condition.key}: {result.reason}")
            results.append((time.perf_counter() - began, result))
        seconds = [each for each, _ in results]
        rows.append(
            {
                "size": size,
                "cell": condition.key,
                "first trial s": seconds[0],
                "later trials s": float(np.mean(seconds[1:])),
                "iterations": float(np.mean([result.iterations for _, result in results])),
                "best NRMSE": min(result.nrmse for _, result in results),
            }
        )
    return rows


def hours(rows: list[dict]) -> float:
    """GPU hours of a whole map: cells cost what the mean of these does; the phantom is made once."""
    later = float(np.mean([row["later trials s"] for row in rows]))
    shared = float(np.mean([row["first trial s"] - row["later trials s"] for row in rows[1:]]))
    return CELLS * (TRIALS * later + shared) / 3600


def run(*, full: bool = False, size: int = 256, trials: int = 6) -> Results:
    """On the GPU that is here."""
    from benchmarks.gpu import require_gpu

    cupy = require_gpu()
    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    rows = measure(size, trials, Placement(device="gpu"))
    notes = [
        "phantom, data and start of a cell are made in its first trial; the first cell's first trial makes the phantom",
        "quickstart's noise; at most 100 iterations, tolerance 2e-3, TV iterations steered by the gap",
        verdict(
            f"a map of {CELLS} cells with {TRIALS} trials each at {size}^3 within {BAR_HOURS:g} GPU hours on an H200",
            hours(rows) <= BAR_HOURS,
            f"{hours(rows):.2f} h, the paper's maps took 1078",
        ),
    ]
    return Results("gpu-trials", machine.describe() | {"gpu": name, "cupy": cupy.__version__}, rows, notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="voxels on a side")
    parser.add_argument("--trials", type=int, default=6, help="of every cell")
    results = run(**vars(parser.parse_args()))
    print(results.markdown(), f"written to benchmarks/results/{results.write().name}", sep="\n")
