"""How far do results move with the noise? Best trials of some cells once more, on noise that no search has seen.

The error of the best of a few trials is too low: the trial was chosen on its own noise. On other noise the weights that
it found show what they are worth, and the deviation over several seeds shows how sure that is.
"""

from functools import cached_property
from typing import cast

import numpy as np
import xarray as xr

from workflows.campaign import Condition, Trial
from workflows.campaign.measures import MEASURES
from workflows.maps.sampling_map import METHOD, sampling_map
from workflows.record.runfolder import RunFolder
from workflows.report.findings import VOLUMES, Findings

_FOLDER = "again"


def folders_again(findings: Findings) -> list[RunFolder]:
    """The run folders of a campaign's other noise, one a seed, whether they are there or not."""
    config = findings.config
    changed = [config.acquisition.model_copy(update={"seed": seed}) for seed in config.report.noise_seeds]
    seeds = zip(config.report.noise_seeds, changed, strict=True)
    return [
        RunFolder(findings.path / _FOLDER / str(seed), config.model_copy(update={"acquisition": acquisition}))
        for seed, acquisition in seeds
    ]


def trials_again(findings: Findings) -> list[tuple[RunFolder, Trial]]:
    """The trials that are left to compute, and the run folder that takes each."""
    shown = set(_shown(findings))
    wanted = [condition for condition in _conditions(findings) if findings.best(condition)]
    return [
        (folder, _trial(findings, folder, condition, keep=condition in shown))
        for folder in folders_again(findings)
        for found in [Again(findings, folder)]
        for condition in wanted
        if not (found.is_kept(condition) if condition in shown else found.best(condition))
    ]


def _conditions(findings: Findings) -> list[Condition]:
    """Of every method in the cells that the campaign names, each once."""
    report = findings.config.report
    if not report.noise_seeds:
        return []
    return list(findings.config.conditions()) if report.again == "all" else _shown(findings)


def _shown(findings: Findings) -> list[Condition]:
    """Those of which the volumes are kept: figures show them."""
    report = findings.config.report
    cells = findings.cells(report.slices if report.again == "all" else report.again or report.slices)
    return list(dict.fromkeys(one for cell in cells for one in findings.beside(cell).values()))


def _trial(findings: Findings, folder: RunFolder, condition: Condition, keep: bool) -> Trial:
    winner = findings.best(condition)
    assert winner is not None
    path = (folder.path / VOLUMES / f"{condition.key}.h5").resolve()
    return Trial(folder.config, condition, winner.trial, winner.point, winner.start, keep=str(path) if keep else "")


def judged(findings: Findings) -> xr.Dataset:
    """The map, and beside each error the one of the same weights on noise that no search has seen.

    ``<measure>_again`` is its mean over the seeds, NaN where a cell was not computed again, and
    ``<measure>_again_deviation`` the standard deviation over them where there are several. Without other noise the map
    stays as it is.
    """
    folders = [folder for folder in folders_again(findings) if folder.journal.exists()]
    maps = [sampling_map(one.config, one.trials) for one in (Again(findings, folder) for folder in folders)]
    if not maps:
        return findings.map
    joined = xr.concat([one[["error", *MEASURES]] for one in maps], "seed", join="override")
    said = f"of the same weights on other noise, mean of {len(maps)} seeds"
    found = {f"{name}_again": _said(joined[name].mean("seed"), f"{name} {said}") for name in joined}
    if len(maps) > 1:
        said = "standard deviation on other noise over the seeds"
        found |= {f"{name}_again_deviation": _said(joined[name].std("seed", ddof=1), said) for name in joined}
    return findings.map.assign(found)


def _said(values: xr.DataArray, words: str) -> xr.DataArray:
    return values.assign_attrs({"long_name": words, "units": "1"})


def optimism(sampling: xr.Dataset, method: str) -> tuple[float, float, int] | None:
    """By which share the error on other noise is above the best trial's: mean, most, and in how many cells; or None."""
    if "error_again" not in sampling:
        return None
    own = sampling.sel({METHOD: method})
    ratios = (own.error_again / own.error - 1).values
    known = ratios[np.isfinite(ratios)]
    return (float(known.mean()), float(known.max()), known.size) if known.size else None


class Again(Findings):
    """A campaign as it would be on other noise: of the trials computed again, those that are still the best ones.

    Args:
        findings: the campaign.
        folder: one of `folders_again`.
    """

    def __init__(self, findings: Findings, folder: RunFolder):
        super().__init__(folder)
        best = {(one.condition, one.trial) for one in findings.winners.values() if one}
        self.trials = [trial for trial in self.trials if (trial.condition, trial.trial) in best]
        self._before = findings

    @cached_property
    def map(self) -> xr.Dataset:
        """The map with the errors on this noise.

        A cell that was not computed again has its error on the other noise, times the ratio of the two in the cells
        that were, geometric mean of its method.
        """
        before, again = self._before.map, sampling_map(self.config, self.trials)
        return before.assign({name: _filled(before[name], again[name]) for name in ("error", *MEASURES)})


def _filled(before: xr.DataArray, again: xr.DataArray) -> xr.DataArray:
    ratio = cast(xr.DataArray, np.log(again / before))
    others = [name for name in before.dims if name != METHOD]
    return again.fillna(before * np.exp(ratio.mean(others))).where(before.notnull())
