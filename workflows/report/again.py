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
    wanted = [condition for condition in _conditions(findings) if findings.best(condition)]
    return [
        (folder, _trial(findings, folder, condition))
        for folder in folders_again(findings)
        for found in [Again(findings, folder)]
        for condition in wanted
        if not found.is_kept(condition)
    ]


def _conditions(findings: Findings) -> list[Condition]:
    """Of every method in the cells that the campaign names, each once."""
    if not findings.config.report.noise_seeds:
        return []
    report = findings.config.report
    cells = findings.cells(report.again or report.slices)
    return list(dict.fromkeys(one for cell in cells for one in findings.beside(cell).values()))


def _trial(findings: Findings, folder: RunFolder, condition: Condition) -> Trial:
    winner = findings.best(condition)
    assert winner is not None
    keep = str((folder.path / VOLUMES / f"{condition.key}.h5").resolve())
    return Trial(folder.config, condition, winner.trial, winner.point, winner.start, keep=keep)


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
