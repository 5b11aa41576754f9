"""A campaign file is validated at the door and expands to the conditions of its map."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from fusedtomo.errors import InputError
from tests.workflows.tiny import REMOVED, baseline, config, content, fused, write_toml
from workflows.campaign.config import CampaignConfig, grid_edge, load_campaign, seed_of
from workflows.machines import CONFIGS

LIST_OF_CAMPAIGNS = sorted((CONFIGS / "campaigns").glob("*.toml"))


@pytest.mark.parametrize("path", LIST_OF_CAMPAIGNS, ids=lambda path: path.stem)
def test_every_campaign_that_comes_with_fusedtomo_is_valid(path):
    assert load_campaign(path).conditions()


def test_the_file_and_the_value_agree(tmp_path):
    assert load_campaign(write_toml(tmp_path / "tiny.toml")) == config()


def test_conditions_are_the_grid_and_the_baselines_first():
    keys = [condition.key for condition in config().conditions()]
    assert keys[:4] == ["poisson-tv-c2", "poisson-tv-c3", "poisson-c2", "poisson-c3"]
    assert keys[4:] == ["fused-h2-c2", "fused-h2-c3", "fused-h4-c2", "fused-h4-c3"]
    assert len(set(keys)) == len(keys)


def test_a_method_is_searched_over_the_parameters_that_its_cost_has():
    dimension = {"low": 0.1, "high": 2.0}
    space = {"gamma": {"low": 1.0, "high": 2.0, "scale": "linear"}, "eps": dimension}
    space |= {"tv": dimension, "chemical": dimension, "haadf": dimension}
    every = config(search__space=space)
    assert list(every.space(fused(2, 2))) == ["haadf", "chemical", "tv", "gamma", "eps"]
    assert list(every.space(baseline("poisson-tv", 2))) == ["tv", "eps"]  # the ratio of chemical to tv decides
    assert list(every.space(baseline("poisson", 2))) == []


def test_evaluations_are_a_total_per_condition():
    campaign = config(search__evaluations=9, search__baseline_evaluations=5)
    assert campaign.evaluations(fused(2, 2)) == 9
    assert campaign.evaluations(baseline("poisson-tv", 2)) == 5
    assert campaign.evaluations(baseline("poisson", 2)) == 1  # nothing to search


def test_a_grid_takes_the_largest_full_grid_within_the_budget():
    campaign = config(search__strategy="grid", search__evaluations=10, search__baseline_evaluations=5)
    assert campaign.evaluations(fused(2, 2)) == 9
    assert campaign.evaluations(baseline("poisson-tv", 2)) == 5
    assert [grid_edge(27, 3), grid_edge(26, 3), grid_edge(1, 2), grid_edge(1000, 3)] == [3, 2, 1, 10]


def test_a_trial_searches_weights_gamma_and_eps_and_keeps_the_file_s_others():
    campaign = config(weights={"chemical": 0.7}, solver={"max_iterations": 7})
    weights, solver = campaign.parameters(fused(2, 2), {"haadf": 0.3, "gamma": 1.5, "eps": 0.2})
    assert weights.model_dump() == {"haadf": 0.3, "chemical": 0.7, "tv": 1.0}
    assert (solver.gamma, solver.eps, solver.max_iterations) == (1.5, 0.2, 7)


def test_a_condition_is_simulated_with_its_own_tilts():
    acquisition = config(acquisition__min_deg=-60.0).acquisition_of(fused(4, 3))
    assert acquisition.haadf.tilts.scheme().angles_deg == (-60.0, pytest.approx(-16.667, abs=1e-3), *HIGH)
    assert len(acquisition.chemical.tilts.scheme()) == 3


HIGH = (pytest.approx(26.667, abs=1e-3), 70.0)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "renamed"},
        {"report": {"slices": [[2, 3]]}},
        {"axes__haadf_tilts": [2, 4, 8]},
        {"baselines": []},
        {"search__evaluations": 40},
        {"search__baseline_evaluations": 40},
    ],
    ids=str,
)
def test_a_run_may_go_on_after_a_change_that_alters_no_result(change):
    assert config(**change).fingerprint() == config().fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"phantom__size": 17},
        {"acquisition__chemical": {"snr": 3.5}},
        {"solver__max_iterations": 3},
        {"weights": {"chemical": 2.0}},
        {"search__strategy": "sobol"},
        {"search__initial_points": 3},
        {"search__pending": 2},
        {"search__space__tv__high": 6.0},
    ],
    ids=str,
)
def test_a_change_that_alters_results_is_another_campaign(change):
    assert config(**change).fingerprint() != config().fingerprint()


def test_the_points_of_a_grid_depend_on_its_budget():
    few, many = (config(search__strategy="grid", search__evaluations=n) for n in (4, 9))
    assert few.fingerprint() != many.fingerprint()


def test_seeds_and_fingerprints_are_the_same_in_every_process():
    code = (
        "from tests.workflows.tiny import config; from workflows.campaign.config import seed_of;"
        "print(seed_of(3, 'fused-h2-c2'), config().fingerprint())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.split() == [str(seed_of(3, "fused-h2-c2")), config().fingerprint()]


def test_seeds_of_neighbours_differ():
    assert len({seed_of(seed, f"fused-h{h}-c2") for seed in range(5) for h in range(20)}) == 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"search__space": {}}, "space"),
        ({"search__space": {"weight": {"low": 1.0, "high": 2.0}}}, "weight"),
        ({"search__space__tv__low": 5.0}, "low 5 is not below high 5"),
        ({"search__space__tv__low": 0.0}, "greater than 0"),
        ({"search__space__gamma": {"low": 0.5, "high": 2.0}}, "keep it within 1 and 2"),
        ({"axes__haadf_tilts": [4, 2]}, "rise strictly"),
        ({"axes__haadf_tilts": [1, 2]}, "greater than or equal to 2"),
        ({"axes__chemical_tilts": [2, 100000]}, "less than or equal to 1000"),
        ({"report": {"slices": [[3, 3]]}}, r"cell \[3, 3\], which is not on the grid"),
        ({"acquisition__haadf": {}}, "give either snr or dose_counts"),
        ({"acquisition__chemical": {"snr": {"Co": 0.5}}}, "snr 0.5 is not above 1"),
        ({"acquisition__min_deg": 70.0}, "min_deg 70 is not below max_deg 70"),
        ({"grid": REMOVED}, "grid"),
        ({"name": "a/b"}, "pattern"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        CampaignConfig.model_validate(content(**change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phantom__name": "conio_nanotub"}, r"'phantom.name' = 'conio_nanotub'.*did you mean 'conio_nanotube'\?"),
        ({"phantom__field_of_view_nm": 1.0}, "field of view of 1 nm would cut the specimen"),
        ({"acquisition__chemical": {"snr": {"Co": 2.0}}}, r"'acquisition.chemical.snr' is given for Co, .* Co, Ni, O"),
        ({"acquisition__haadf": {"snr": {"Co": 2.0}}}, "'acquisition.haadf.snr' is given for Co.* HAADF"),
    ],
    ids=str,
)
def test_what_the_specimen_cannot_have_is_refused_by_name_of_the_file(tmp_path, change, message):
    path = write_toml(tmp_path / "mine.toml", **change)
    with pytest.raises(InputError, match=f"mine.toml: .*{message}"):
        load_campaign(path)


def test_an_snr_for_each_element_is_accepted(tmp_path):
    snr = {"Co": 2.0, "Ni": 3.0, "O": 4.0}
    campaign = load_campaign(write_toml(tmp_path / "mine.toml", acquisition__chemical={"snr": snr}))
    assert campaign.acquisition.chemical.snr == snr
