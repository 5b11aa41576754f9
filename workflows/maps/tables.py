"""What does a run folder hold, for a notebook? Its trials as a table, and its map as labelled arrays."""

from pathlib import Path

import pandas as pd
import xarray as xr

from workflows.campaign.measures import MEASURES
from workflows.maps.sampling_map import sampling_map
from workflows.record.journal import TrialResult
from workflows.record.runfolder import RunFolder


def trials(run: str | Path) -> pd.DataFrame:
    """All trials of a run, a row each: condition, number, measures, weights as used, and what they took.

    A failed trial has its reason, and NaN in place of measures.

    Raises:
        InputError: the folder holds no run, or a damaged one.
    """
    return pd.DataFrame([_row(trial) for trial in RunFolder.read(Path(run)).trials()])


def _row(trial: TrialResult) -> dict[str, object]:
    return {
        "condition": trial.condition,
        "trial": trial.trial,
        "status": trial.status,
        **{name: trial.measure(name) for name in MEASURES},
        **{f"nrmse_{element}": value for element, value in trial.nrmse_by_element.items()},
        **trial.weights,
        **trial.point,
        "fidelity": trial.fidelity,
        "iterations": trial.iterations,
        "stopped": trial.stopped,
        "seconds": trial.seconds,
        "device": trial.device,
        "reason": trial.reason,
    }


def run_map(run: str | Path) -> xr.Dataset:
    """The sampling map and the atlas of a run, also of an unfinished one (workflows/maps/sampling_map.py).

    Raises:
        InputError: the folder holds no run, or a damaged one.
    """
    folder = RunFolder.read(Path(run))
    return sampling_map(folder.config, folder.trials())
