"""What did an earlier campaign find? Its trials, as its atlas carries them: for lookups and for the start of a search.

In an atlas the trials lie along ``trial``, whose names are those of their conditions and numbers, `fused-h47-c9/3`:
``trial_error``, ``trial_fidelity``, and ``trial_<parameter>`` of what was searched (docs/formats.md).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.incoming import parsed_json
from fusedtomo.toml import validated
from workflows.campaign.conditions import Condition
from workflows.campaign.config import CampaignConfig
from workflows.campaign.prior import Prior, PriorCell, PriorTrial
from workflows.campaign.search import SEARCHABLE, Dimension

TRIAL = "trial"
CONFIGURATION = "configuration"  # attribute of an atlas: its campaign
_MOST = 120  # trials that a campaign keeps of a prior
_OUT = "leave prior out"
AGAIN = "write it again: `fusedtomo report RUN`, with its run folder"


@dataclass(frozen=True)
class Past:
    """A trial that succeeded.

    Attributes:
        condition: of the earlier campaign.
        point: the searched parameters.
        error: of what the earlier campaign minimised.
        fidelity: in (0, 1].
    """

    condition: Condition
    point: Mapping[str, float]
    error: float
    fidelity: float


@dataclass(frozen=True)
class Experience:
    """The trials of an earlier campaign, and the campaign."""

    config: CampaignConfig
    trials: Sequence[Past]

    @classmethod
    def of(
        cls, configuration: str, names: Sequence[str], columns: Mapping[str, np.ndarray], source: str | Path
    ) -> Self:
        """From what an atlas holds.

        Args:
            configuration: the campaign, as JSON.
            names: (trial,) of the trials.
            columns: (trial,) numbers: "error", "fidelity", and the parameters, NaN where one was not searched.
            source: for messages.

        Raises:
            InputError: this is no campaign, or a trial is not of it.
        """
        config = validated(CampaignConfig, parsed_json(configuration, source, "a campaign's atlas.h5"), source)
        conditions = {one.key: one for one in config.conditions()}
        trials = []
        for index, name in enumerate(names):
            key = name.rpartition("/")[0]
            if key not in conditions:
                raise InputError(f"{source}: has a trial of '{key}', which its campaign does not have; {AGAIN}")
            trials.append(_past(conditions[key], {column: float(v[index]) for column, v in columns.items()}, source))
        return cls(config, trials)

    def of_method(self, method: str) -> list[Past]:
        """The trials of one method."""
        return [one for one in self.trials if one.condition.method == method]


def started(config: CampaignConfig, prior: Prior, folder: Path) -> Prior:
    """A prior with the trials of its atlas that a campaign can start from.

    Args:
        config: the campaign.
        prior: which atlas; its path is relative to `folder`.
        folder: of the campaign file.

    Raises:
        InputError: the atlas cannot be read, carries no trials, or searched other parameters or for another measure.
    """
    path = Path(os.path.abspath(folder / prior.atlas))
    return prior_from(config, read_experience(path), prior.model_copy(update={"atlas": str(path)}))


def prior_from(config: CampaignConfig, experience: Experience, prior: Prior) -> Prior:
    """The same, of trials that are there already."""
    spaces = {one.method: space for one in config.conditions() if (space := config.space(one))}
    useful = [one for one in experience.trials if one.condition.method in spaces and one.fidelity == 1]
    if not useful:
        methods = ", ".join(spaces) or "no method that searches anything"
        raise InputError(f"'search.prior': {prior.atlas} has no whole trial of {methods}; give another atlas, or none")
    _check_alike(config, experience, useful, prior.atlas)
    near = _nearest([one for one in useful if _within(one, spaces[one.condition.method])])
    conditions = list(dict.fromkeys(one.condition for one in near))
    cells = tuple(PriorCell(method=one.method, at=dict(one.at)) for one in conditions)
    trials = (PriorTrial(cell=conditions.index(one.condition), point=dict(one.point), error=one.error) for one in near)
    return prior.holding(cells, tuple(trials))


def _check_alike(config: CampaignConfig, experience: Experience, useful: Sequence[Past], atlas: str) -> None:
    there, here = experience.config.search.minimise, config.search.minimise
    if there != here:
        raise InputError(
            f"'search.prior': {atlas} minimised {there}, this campaign {here}; minimise the same, or {_OUT}"
        )
    for one in dict.fromkeys(past.condition for past in useful):
        found, wanted = (list(each.space(one)) for each in (experience.config, config))
        if found != wanted:
            raise InputError(
                f"'search.prior': {atlas} searched {', '.join(found)} of '{one.method}', this campaign searches "
                f"{', '.join(wanted)}; search the same, or {_OUT}"
            )


def _within(one: Past, space: Mapping[Any, Dimension]) -> bool:
    """Whether a trial lies in the ranges, as far as these are the same."""
    return all(0 <= dimension.place(one.point[name]) <= 1 for name, dimension in space.items())


def _nearest(trials: Sequence[Past]) -> list[Past]:
    """Those that are nearest to the best of their cell, so that a campaign file stays small."""
    least: dict[Condition, float] = {}
    for one in trials:
        least[one.condition] = min(one.error, least.get(one.condition, one.error))
    return sorted(trials, key=lambda one: one.error / least[one.condition])[:_MOST]


def read_experience(path: Path) -> Experience:
    """The trials that an atlas.h5 carries; InputError where it cannot be read, or carries none."""
    from fusedtomo.hdf5 import open_hdf5, read_array, read_text  # HDF5 takes its time, and few campaigns have a prior

    with open_hdf5(path) as file:
        configuration = read_text(file, CONFIGURATION)
        if configuration is None or TRIAL not in file:
            raise InputError(f"carries no trials; {AGAIN}")
        names = file[TRIAL].asstr(errors="replace")[()].tolist()
        held = {name.removeprefix(f"{TRIAL}_"): name for name in file if name.startswith(f"{TRIAL}_")}
        columns = {name: read_array(file, full, 1, np.float64, strict=False) for name, full in held.items()}
    if {"error", "fidelity"} - set(columns) or any(len(values) != len(names) for values in columns.values()):
        raise InputError(f"{path}: not all of its trials are there; {AGAIN}")
    return Experience.of(configuration, names, columns, path)


def _past(condition: Condition, row: Mapping[str, float], source: str | Path) -> Past:
    point: dict[str, float] = {name: row[name] for name in SEARCHABLE if name in row and np.isfinite(row[name])}
    if not (row["error"] > 0 and 0 < row["fidelity"] <= 1):
        raise InputError(f"{source}: has a trial with the error {row['error']:g}, which no trial has; {AGAIN}")
    return Past(condition, point, row["error"], row["fidelity"])
