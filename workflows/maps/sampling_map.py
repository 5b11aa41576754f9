"""The sampling map: how good is the best reconstruction of every cell (paper, Fig. 4a and Supplement 9)?"""

from dataclasses import dataclass

import numpy as np

from workflows.campaign.config import CampaignConfig, Condition
from workflows.record.journal import TrialResult, best, by_condition

METHOD_LABELS = {"fused": "fused", "poisson-tv": "Poisson + TV", "poisson": "Poisson"}


@dataclass(frozen=True, eq=False)
class SamplingMap:
    """The lowest NRMSE of every condition of a campaign.

    Attributes:
        haadf_tilts: numbers of HAADF tilts, rising; the rows (n_haadf,).
        chemical_tilts: numbers of chemical tilts, rising; the columns (n_chemical,).
        elements: element symbols; empty as long as no trial succeeded.
        nrmse: (n_haadf, n_chemical) float64, mean over the elements; NaN where no trial succeeded.
        nrmse_by_element: (element, n_haadf, n_chemical) float64, of the same trials.
        baselines: non-fused rows by method, from the top; each (n_chemical,) float64, NaN as above.
        trials: (n_haadf, n_chemical) int64, fused trials that ended, ok or failed.
        failed: (n_haadf, n_chemical) int64, those of them that failed.
    """

    haadf_tilts: tuple[int, ...]
    chemical_tilts: tuple[int, ...]
    elements: tuple[str, ...]
    nrmse: np.ndarray
    nrmse_by_element: np.ndarray
    baselines: dict[str, np.ndarray]
    trials: np.ndarray
    failed: np.ndarray

    @property
    def axes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """HAADF and chemical tilts."""
        return self.haadf_tilts, self.chemical_tilts

    @property
    def best_cell(self) -> tuple[int, int] | None:
        """(HAADF tilts, chemical tilts) of the lowest NRMSE; None when every cell is empty."""
        if np.isnan(self.nrmse).all():
            return None
        row, column = np.unravel_index(np.nanargmin(self.nrmse), self.nrmse.shape)
        return self.haadf_tilts[row], self.chemical_tilts[column]

    def improvement(self, method: str) -> float:
        """How many times lower the fused NRMSE is than a baseline's: median over cells with both, or NaN."""
        ratios = self.baselines[method][np.newaxis, :] / self.nrmse
        return float(np.median(ratios[np.isfinite(ratios)])) if np.isfinite(ratios).any() else np.nan

    def interpolate(self, grid: np.ndarray, haadf_tilts: float, chemical_tilts: float) -> float:
        """Return the value of a (n_haadf, n_chemical) grid at any numbers of tilts, each at least 1.

        The logarithm of the values is interpolated bilinearly over the logarithm of the tilts; values that
        are not all above 0 are interpolated themselves. Outside the map its edge is taken; an empty cell
        (NaN) takes the value of the nearest filled one, in log tilts. NaN when every cell is empty.
        """
        if np.isnan(grid).all():
            return np.nan
        logs = [np.log(axis) for axis in self.axes]
        filled = _filled(logs, grid)
        if (filled > 0).all():
            return float(np.exp(_bilinear(logs, np.log(filled), np.log([haadf_tilts, chemical_tilts]))))
        return float(_bilinear(logs, filled, np.log([haadf_tilts, chemical_tilts])))


def _bilinear(axes: list[np.ndarray], values: np.ndarray, at: np.ndarray) -> float:
    for axis, position in zip(axes, at, strict=True):
        index = np.interp(position, axis, np.arange(len(axis)))  # fractional, and clamped at the ends
        low = int(index)
        high = min(low + 1, len(axis) - 1)
        values = values[low] + (index - low) * (values[high] - values[low])
    return values


def _filled(axes: list[np.ndarray], grid: np.ndarray) -> np.ndarray:
    """Give every empty cell the value of its nearest filled one."""
    full = np.argwhere(np.isfinite(grid))
    positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    at_full = positions[full[:, 0], full[:, 1]]
    nearest = np.linalg.norm(positions[:, :, np.newaxis] - at_full, axis=-1).argmin(axis=-1)
    return np.where(np.isfinite(grid), grid, grid[full[nearest, 0], full[nearest, 1]])


def best_by_condition(config: CampaignConfig, trials: list[TrialResult]) -> dict[Condition, TrialResult | None]:
    """The best trial of every condition of the campaign, in the campaign's order; None without one."""
    groups = by_condition(trials)
    return {condition: best(groups.get(condition.key, [])) for condition in config.conditions()}


def elements_of(trials: list[TrialResult]) -> tuple[str, ...]:
    """Every element that a trial was scored by, in the order of first sight."""
    return tuple(dict.fromkeys(element for trial in trials for element in trial.nrmse_by_element))


def fused_grid(config: CampaignConfig, value_of) -> np.ndarray:
    """Return value_of(condition) of every fused cell as (n_haadf, n_chemical)."""
    grid = config.grid
    return np.array([[value_of(Condition("fused", h, c)) for c in grid.chemical_tilts] for h in grid.haadf_tilts])


def sampling_map(config: CampaignConfig, trials: list[TrialResult]) -> SamplingMap:
    """Build the map from the journal; trials of conditions that are not on the grid are left out."""
    winners, groups, elements = best_by_condition(config, trials), by_condition(trials), elements_of(trials)

    def score(condition: Condition, element: str | None = None) -> float:
        winner = winners[condition]
        if winner is None:
            return np.nan
        return winner.nrmse if element is None else winner.nrmse_by_element.get(element, np.nan)

    columns = config.grid.chemical_tilts
    by_element = [fused_grid(config, lambda cell, name=name: score(cell, name)) for name in elements]
    return SamplingMap(
        haadf_tilts=config.grid.haadf_tilts,
        chemical_tilts=columns,
        elements=elements,
        nrmse=fused_grid(config, score).astype(float),
        nrmse_by_element=np.array(by_element, float).reshape(-1, len(config.grid.haadf_tilts), len(columns)),
        baselines={m: np.array([score(Condition(m, 0, c)) for c in columns], float) for m in config.baselines},
        trials=fused_grid(config, lambda cell: len(groups.get(cell.key, []))),
        failed=fused_grid(config, lambda cell: sum(not trial.ok for trial in groups.get(cell.key, []))),
    )
