"""What is known of a trial's result before, and without, its evaluation?"""

from typing import Any

from workflows.campaign import Trial
from workflows.record.journal import TrialResult


def unfinished(trial: Trial, **fields: Any) -> TrialResult:
    """The failed result of a trial, with all that is known of it before it runs and the fields given."""
    weights, _ = trial.config.parameters(trial.condition, trial.point)
    known = {
        "condition": trial.condition.key,
        "trial": trial.number,
        "status": "failed",
        "point": trial.point,
        "fidelity": trial.fidelity,
        "start": trial.start,
        "weights": weights.model_dump(),
    }
    return TrialResult(**{**known, **fields})
