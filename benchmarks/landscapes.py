"""Recorded landscapes of whole campaigns, so that a search can be judged against the truth in seconds.

    python -m benchmarks.landscapes cuo_coo_nanocubes conio_nanotube    # records them anew, 20 minutes on a core

Every cell was reconstructed whole and in a slab of half the columns on a grid of weights. Between the points a
smoothing spline of log NRMSE stands for the landscape; between cells it is interpolated over the logarithms of the
tilts, so that maps of a hundred cells can be searched. What a spline leaves out is drawn anew: every trial scatters,
and every cell has its own small shift of the optimum.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from scipy.interpolate import RectBivariateSpline

from benchmarks import slabs

FILE = Path(__file__).with_name("landscapes.json")
SIZE = 24
HAADF, TV = np.geomspace(*slabs.SPACE["haadf"], 9), np.geomspace(*slabs.SPACE["tv"], 7)
TILTS = {"cuo_coo_nanocubes": ([9, 21, 47], [5, 9, 15])} | dict.fromkeys(
    ("conio_nanotube", "co3o4_mn3o4_core_shell"), ([9, 47], [5, 15])
)
SLAB = slabs.Way(1 / 2)
_SMOOTH = 0.008  # deviation of log NRMSE that the spline leaves out
SCATTER, SLAB_SCATTER = 0.003, 0.008  # of trials about the landscape
_SHIFT = 0.02  # of a cell's optimum, and of its slab's against the whole's; over the ranges

Splines = tuple[RectBivariateSpline, RectBivariateSpline]  # of the whole and of its slab


def record(phantom: str) -> dict[str, dict[str, list[float]]]:
    """Errors of the whole and of the slab of every cell at all points, the TV weight fastest."""
    points = [{"haadf": h, "tv": t} for h, t in product(HAADF.tolist(), TV.tolist())]
    cells = slabs.record(slabs.campaign(phantom, SIZE, TILTS[phantom]), points, (SLAB,))
    return {cell["condition"]: {"whole": cell["whole"], "slab": cell["slabs"][0][0]} for cell in cells}


def _spline(errors: list[float]) -> RectBivariateSpline:
    x, y = (np.linspace(0, 1, len(each)) for each in (HAADF, TV))
    return RectBivariateSpline(x, y, np.log(errors).reshape(len(x), len(y)), s=len(errors) * _SMOOTH**2)


def _tilts(key: str) -> tuple[int, int]:
    _, haadf, chemical = key.split("-")
    return int(haadf[1:]), int(chemical[1:])


@dataclass(frozen=True)
class _Cell:
    parts: Sequence[tuple[float, Splines]]  # what it is interpolated from
    shift: np.ndarray
    slab_shift: np.ndarray
    seed: int

    def log_error(self, place: np.ndarray, cheap: bool) -> float:
        at = np.clip(place + self.shift + (self.slab_shift if cheap else 0), 0, 1)
        return float(sum(weight * splines[cheap](*at)[0, 0] for weight, splines in self.parts))

    def least(self) -> float:
        x, y = (np.clip(np.linspace(0, 1, 161) + by, 0, 1) for by in self.shift)
        return float(sum(weight * splines[0](x, y) for weight, splines in self.parts).min())


class Landscape:
    """The errors of a campaign's trials, and the least error of every cell.

    Args:
        phantom: whose.
        haadf, chemical: numbers of tilts, within those that were recorded.
        seed: of scatter and shifts.
        slabs_of: another specimen, whose slabs mislead; None for its own.
        shuffled: cells have the landscapes of others.
    """

    def __init__(
        self,
        phantom: str,
        haadf: Sequence[int],
        chemical: Sequence[int],
        seed: int = 0,
        *,
        slabs_of: str | None = None,
        shuffled: bool = False,
    ):
        own, other = (_recorded(name) for name in (phantom, slabs_of or phantom))
        rng = np.random.default_rng(seed)
        keys = [(h, c) for h in haadf for c in chemical]
        places = rng.permutation(len(keys)) if shuffled else np.arange(len(keys))
        self._cells = {}
        for (h, c), place in zip(keys, places, strict=True):
            parts = _between(own, *keys[place])
            cheap = _between(other, *keys[place]) if slabs_of else parts
            mixed = [(w, (a, b)) for (w, (a, _)), (_, (_, b)) in zip(parts, cheap, strict=True)]
            shifts = _SHIFT * rng.standard_normal((2, 2))
            self._cells[f"fused-h{h}-c{c}"] = _Cell(mixed, *shifts, int(rng.integers(1 << 30)))
        self.least = {key: float(np.exp(cell.least())) for key, cell in self._cells.items()}

    def error(self, key: str, place: np.ndarray, cheap: bool) -> float:
        """NRMSE of a trial; `place` is 0 to 1 along both ranges."""
        cell = self._cells[key]
        seed = [cell.seed, *np.round(1e6 * place).astype(int).tolist(), int(cheap)]
        scatter = (SLAB_SCATTER if cheap else SCATTER) * np.random.default_rng(seed).standard_normal()
        return float(np.exp(cell.log_error(place, cheap) + scatter))

    def regret(self, key: str, error: float) -> float:
        """The share by which an error is above the least; below 0 where a trial came out luckily."""
        return 1 - self.least[key] / error


def _recorded(phantom: str) -> dict[tuple[int, int], Splines]:
    cells = json.loads(FILE.read_text())[phantom]
    return {_tilts(key): (_spline(cell["whole"]), _spline(cell["slab"])) for key, cell in cells.items()}


def _between(cells: dict[tuple[int, int], Splines], haadf: int, chemical: int) -> list[tuple[float, Splines]]:
    """Bilinear weights of four recorded cells over the logarithms of the tilts."""
    ends = [_ends(sorted({key[axis] for key in cells}), value) for axis, value in enumerate((haadf, chemical))]
    return [(u * v, cells[h, c]) for (u, h), (v, c) in product(*ends)]


def _ends(known: list[int], value: int) -> list[tuple[float, int]]:
    place = float(np.interp(np.log(value), np.log(known), np.arange(len(known))))
    low = min(int(place), len(known) - 2)
    return [(1 - (place - low), known[low]), (place - low, known[low + 1])]


if __name__ == "__main__":
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in sys.argv[1:]:
        found[name] = record(name)
        FILE.write_text(json.dumps(found) + "\n")
