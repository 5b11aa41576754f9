"""A search that starts from an earlier campaign: what its atlas saves, what a wrong one costs, and what is refused."""

import json
import math

import numpy as np
import pytest

from fusedtomo.errors import InputError
from tests.workflows.search.test_campaign_map import bowl, campaign, regrets, searched
from workflows.campaign import CampaignConfig, Condition, load_campaign
from workflows.campaign.experience import Experience, Past, prior_from
from workflows.campaign.prior import Prior
from workflows.maps.atlas import build_atlas, write_atlas
from workflows.maps.carried import with_trials
from workflows.maps.sampling_map import sampling_map
from workflows.record.journal import TrialResult
from workflows.search.places import coordinates

FEW = {"axes": {"haadf_tilts": [5, 45], "chemical_tilts": [5, 15]}, "search__fidelity": None}


def earlier(moved=1.0):
    """Sobol trials of another campaign: of the same landscape, or of one whose optimum lies elsewhere."""
    of = campaign(**FEW, search__strategy="sobol", search__evaluations=12)

    def evaluate(trial):
        error = 0.5 * math.exp(bowl(trial.condition, trial.point, False, moved))
        return TrialResult(trial.condition.key, trial.number, "ok", trial.point, nrmse=error)

    return of, searched(of, evaluate)


def experience(of, trials):
    conditions = {one.key: one for one in of.conditions()}
    return Experience(of, [Past(conditions[t.condition], t.point, t.nrmse, t.fidelity) for t in trials])


def starting(prior, **changes):
    """A campaign with few trials a cell, from a prior."""
    of = campaign(**{**FEW, "search__evaluations": 3, **changes})
    found = prior_from(of, experience(*prior), Prior(atlas="a.h5"))
    content = of.model_dump()
    return CampaignConfig.model_validate({**content, "search": content["search"] | {"prior": found.model_dump()}})


def mean_regret(of):
    return np.mean(list(regrets(of, searched(of)).values()))


def test_a_prior_of_the_same_landscape_saves_and_one_of_another_does_not_mislead():
    nothing = mean_regret(campaign(**FEW, search__evaluations=3))
    right, wrong = (mean_regret(starting(earlier(moved))) for moved in (1.0, -1.5))
    assert right < 0.3 * nothing
    assert wrong < 1.5 * nothing + 0.01


def test_a_campaign_holds_its_prior_and_its_hash_tells_one_from_another():
    own, other = (starting(earlier(moved)) for moved in (1.0, -1.5))
    again = CampaignConfig.model_validate_json(own.model_dump_json())
    assert again == own
    assert len({own.fingerprint(), other.fingerprint(), campaign(**FEW).fingerprint()}) == 3
    moved = own.search.prior.model_copy(update={"atlas": "elsewhere.h5"})
    assert own.model_copy(update={"search": own.search.model_copy(update={"prior": moved})}).fingerprint() == (
        own.fingerprint()
    )
    assert len(own.model_dump_json()) < 60_000  # of the 250 kB that are read of a campaign


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    of, trials = earlier()
    folder = tmp_path_factory.mktemp("earlier")
    made = build_atlas(with_trials(sampling_map(of, trials), of, trials), {"configuration": of.model_dump_json()})
    write_atlas(made, folder / "atlas.h5")
    bare = build_atlas(sampling_map(of, trials), {})
    write_atlas(bare, folder / "bare.h5")
    return folder


def file(folder, prior, **changes):
    content = campaign(**{**FEW, **changes}).model_dump(mode="json", exclude_unset=True)
    content["search"]["prior"] = prior
    (folder / "campaign.json").write_text(json.dumps(content))
    return folder / "campaign.json"


def test_a_campaign_file_names_an_atlas_beside_it(atlas):
    found = load_campaign(file(atlas, "atlas.h5")).search.prior
    assert found == prior_from(campaign(**FEW), experience(*earlier()), Prior(atlas=str(atlas / "atlas.h5")))
    (atlas / "kept.json").write_text(load_campaign(atlas / "campaign.json").model_dump_json())
    (atlas / "atlas.h5").rename(atlas / "away.h5")  # the run folder's own file needs it no more
    assert load_campaign(atlas / "kept.json").search.prior == found
    (atlas / "away.h5").rename(atlas / "atlas.h5")


@pytest.mark.parametrize(
    ("prior", "changes", "said"),
    [
        ("none.h5", {}, r"none\.h5: cannot be read"),
        ("bare.h5", {}, r"bare\.h5: carries no trials; write it again"),
        ("atlas.h5", {"search__space": {"tv": {"low": 0.1, "high": 5.0}}},
         "searched haadf, tv of 'fused', this campaign searches tv; search the same, or leave prior out"),
        ("atlas.h5", {"search__minimise": "rmse"}, "minimised nrmse, this campaign rmse; minimise the same"),
        ("atlas.h5", {"methods": ["poisson-tv"], "axes": {"chemical_tilts": [5, 9]}, "acquisition__haadf__tilts": 3},
         "has no whole trial of poisson-tv; give another atlas, or none"),
    ],
    ids=["missing", "without trials", "other parameters", "other measure", "other method"],
)  # fmt: skip
def test_no_prior_of_this_campaign_is_one_message(atlas, prior, changes, said):
    with pytest.raises(InputError, match=said):
        load_campaign(file(atlas, prior, **changes))


def test_a_strategy_that_starts_from_nothing_takes_no_prior(atlas):
    with pytest.raises(InputError, match=r"'gp_hedge' starts from nothing; leave prior out, or take a strategy .*map"):
        load_campaign(file(atlas, "atlas.h5", search__strategy="gp_hedge"))


def test_cells_of_another_campaign_lie_where_they_are_on_the_axes():
    own = [Condition("fused", (("haadf_tilts", h), ("unmapped", "none"))) for h in (5, 45)]
    others = [Condition("fused", (("haadf_tilts", h),)) for h in (15, 135)] + [Condition("fused", ())]
    at = coordinates(own, others)
    assert at[:, 0] == pytest.approx([0.5, 1.5, 0.5])  # beyond the axis, and in the middle of one that is not there
    assert (at[:, 1] == 0).all()
