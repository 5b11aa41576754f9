"""What did an earlier campaign find? Its trials, as its atlas carries them: for lookups and for the start of a search.

In an atlas the trials lie along ``trial``, whose names are those of their conditions and numbers, `fused-h47-c9/3`:
``trial_error``, ``trial_fidelity``, and ``trial_<parameter>`` of what was searched (docs/formats.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.incoming import parsed_json
from fusedtomo.toml import validated
from workflows.campaign.conditions import Condition
from workflows.campaign.config import SEARCHABLE, CampaignConfig

TRIAL = "trial"
_AGAIN = "write it again: `fusedtomo report RUN`, with its run folder"


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
                raise InputError(f"{source}: has a trial of '{key}', which its campaign does not have; {_AGAIN}")
            trials.append(_past(conditions[key], {column: float(v[index]) for column, v in columns.items()}, source))
        return cls(config, trials)

    def of_method(self, method: str) -> list[Past]:
        """The trials of one method."""
        return [one for one in self.trials if one.condition.method == method]


def _past(condition: Condition, row: Mapping[str, float], source: str | Path) -> Past:
    point: dict[str, float] = {name: row[name] for name in SEARCHABLE if name in row and np.isfinite(row[name])}
    if not (row["error"] > 0 and 0 < row["fidelity"] <= 1):
        raise InputError(f"{source}: has a trial with the error {row['error']:g}, which no trial has; {_AGAIN}")
    return Past(condition, point, row["error"], row["fidelity"])
