"""Results on other noise stand in the place of those that a search chose on its own."""

import numpy as np
import pytest
from pydantic import ValidationError

from tests.workflows.tiny import baseline, config
from workflows.record.journal import Journal, TrialResult
from workflows.record.runfolder import RunFolder
from workflows.report.again import Again, folders_again, judged, optimism, trials_again
from workflows.report.findings import Findings
from workflows.report.of_the_map import sampling_map

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


ALL = config(**CHANGES, report={"noise_seeds": [7, 8], "again": "all"})


def test_every_cell_is_judged_again_and_only_volumes_that_are_shown_are_kept(tmp_path):
    found = Findings(noted(RunFolder(tmp_path, ALL), 0.8, 0.5, 0.4))
    wanted = trials_again(found)
    assert [trial.condition.key for _, trial in wanted] == ["poisson-c2", "poisson-c3", "poisson-c4"] * 2
    assert [bool(trial.keep) for _, trial in wanted] == [False, False, True] * 2  # the lowest is shown as slices
    noted(folders_again(found)[0], 0.9, 0.6)
    assert len(trials_again(found)) == 4  # the journal says what is done where no volume is kept


def test_the_map_says_what_the_best_trials_are_worth_on_other_noise(tmp_path):
    found = Findings(noted(RunFolder(tmp_path, ALL), 0.8, 0.5, 0.4))
    assert judged(found) is found.map
    assert optimism(found.map, "poisson") is None
    for folder, errors in zip(folders_again(found), [(0.88, 0.5), (0.92, 0.6)], strict=True):
        noted(folder, *errors)
    both = judged(found)
    np.testing.assert_array_equal(both.nrmse.values[0], [0.8, 0.5, 0.4])
    np.testing.assert_allclose(both.nrmse_again.values[0], [0.9, 0.55, np.nan])
    np.testing.assert_allclose(both.error_again_deviation.values[0], [0.02 * 2**0.5, 0.05 * 2**0.5, np.nan])
    assert optimism(both, "poisson") == pytest.approx(((0.125 + 0.1) / 2, 0.125, 2))
    drawn = sampling_map(found, None)
    assert "On 2 other noises, with the same weights, the error of 2 cells is +11.3%" in drawn.caption
    assert drawn.table.nrmse_again.tolist()[:2] == pytest.approx([0.9, 0.55])


def test_a_trial_that_is_the_best_no_more_judges_nothing(tmp_path):
    found = Findings(noted(RunFolder(tmp_path, ALL), 0.8, 0.5, 0.4))
    first, _ = folders_again(found)
    with first, Journal(first.journal) as journal:
        journal.append(TrialResult("poisson-c2", 1, "ok", {}, nrmse=0.7))
    assert np.isnan(judged(found).nrmse_again).all()
    assert len(trials_again(found)) == 6


def test_all_cells_need_other_noise():
    with pytest.raises(ValidationError, match=r"again = 'all' needs other noise; give noise_seeds"):
        config(**CHANGES, report={"again": "all"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"seed": 7}, "the noise of the search itself"), ({"repeats": {"noise_seed": [1, 2]}}, "repeats the campaign")],
)
def test_other_noise_is_other_noise(changes, said):
    with pytest.raises(ValidationError, match=said):
        config(**CHANGES, report={"noise_seeds": [7, 8]}, **changes)
