"""Which trials does an atlas carry? All that succeeded where something was searched: what its model is made of."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from workflows.campaign import CampaignConfig
from workflows.campaign.experience import CONFIGURATION, TRIAL, Experience
from workflows.campaign.search import SEARCHABLE
from workflows.record.journal import TrialResult


def with_trials(sampling: xr.Dataset, config: CampaignConfig, trials: Iterable[TrialResult]) -> xr.Dataset:
    """A map with the trials that it was made of, along ``trial`` (workflows/campaign/experience.py)."""
    searched, minimised = {one.key for one in config.conditions() if config.space(one)}, config.search.minimise
    useful = [one for one in trials if one.condition in searched and one.ok and one.error(minimised) > 0]
    kept = {f"{one.condition}/{one.trial}": one for one in useful}
    if not kept:
        return sampling
    columns = {
        "error": ("of what was minimised", "1", [one.error(minimised) for one in kept.values()]),
        "fidelity": ("share of the problem that was computed", "1", [one.fidelity for one in kept.values()]),
    } | {
        name: (name, "counts" if name == "eps" else "1", [one.point.get(name, np.nan) for one in kept.values()])
        for name in SEARCHABLE
        if name in config.search.space
    }
    variables = {
        f"{TRIAL}_{name}": xr.Variable(
            TRIAL, np.array(values, float), {"long_name": f"{said} of trials", "units": unit}
        )
        for name, (said, unit, values) in columns.items()
    }
    return sampling.assign(variables).assign_coords({TRIAL: (TRIAL, list(kept), {"long_name": "trial"})})


def experience_of(atlas: xr.Dataset) -> Experience | None:
    """The trials that an atlas carries; None in one of an earlier version.

    Raises:
        InputError: they are not of its campaign.
    """
    if TRIAL not in atlas.dims or CONFIGURATION not in atlas.attrs:
        return None
    prefix = f"{TRIAL}_"
    columns = {str(name).removeprefix(prefix): v.values for name, v in atlas.data_vars.items() if v.dims == (TRIAL,)}
    return Experience.of(str(atlas.attrs[CONFIGURATION]), atlas[TRIAL].values.tolist(), columns, "the atlas")
