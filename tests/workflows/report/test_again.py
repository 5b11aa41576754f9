"""Results on other noise stand in the place of those that a search chose on its own."""

import numpy as np
import pytest
from pydantic import ValidationError

from tests.workflows.tiny import baseline, config
from workflows.record.journal import Journal, TrialResult
from workflows.record.runfolder import RunFolder
from workflows.report.again import Again, folders_again, trials_again
from workflows.report.findings import Findings

CHANGES = {"methods": ["poisson"], "axes": {"chemical_tilts": [2, 3, 4]}, "acquisition__haadf__tilts": 2}
CAMPAIGN = config(**CHANGES, report={"noise_seeds": [7, 8], "again": [[2], [3]]})


def noted(folder, *errors):
    """A run folder in which the conditions of the first tilts have these errors."""
    with folder, Journal(folder.journal) as journal:
        journal.append(
            *(
                TrialResult(baseline("poisson", tilts).key, 0, "ok", {}, nrmse=error, nrmse_by_element={"Co": error})
                for tilts, error in zip((2, 3, 4), errors, strict=False)
            )
        )
    return folder


def test_a_cell_that_was_not_computed_again_follows_those_that_were(tmp_path):
    found = Findings(noted(RunFolder(tmp_path, CAMPAIGN), 0.8, 0.5, 0.4))
    first, second = folders_again(found)
    again = Again(found, noted(first, 0.8 * 1.1, 0.5 * 1.21))
    np.testing.assert_allclose(again.map.nrmse.values[0], [0.88, 0.605, 0.4 * 1.1**1.5])
    np.testing.assert_array_equal(found.map.nrmse.values[0], [0.8, 0.5, 0.4])
    assert np.isnan(Again(found, second).map.nrmse).all()  # nothing is known of that noise yet


def test_what_is_computed_again_is_the_best_trial_of_the_cells_that_are_wanted(tmp_path):
    found = Findings(noted(RunFolder(tmp_path, CAMPAIGN), 0.8, 0.5, 0.4))
    wanted = trials_again(found)
    assert [(folder.path.name, trial.condition.key) for folder, trial in wanted] == [
        (seed, key) for seed in ("7", "8") for key in ("poisson-c2", "poisson-c3")
    ]
    seeds = [trial.config.acquisition_of(trial.condition).seed for _, trial in wanted]
    assert seeds == [7, 7, 8, 8]
    assert trials_again(Findings(noted(RunFolder(tmp_path / "plain", config(**CHANGES)), 0.8))) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"seed": 7}, "the noise of the search itself"), ({"repeats": {"noise_seed": [1, 2]}}, "repeats the campaign")],
)
def test_other_noise_is_other_noise(changes, said):
    with pytest.raises(ValidationError, match=said):
        config(**CHANGES, report={"noise_seeds": [7, 8]}, **changes)
