"""A campaign file is validated at the door and expands to the conditions of its map."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest
from pydantic import ValidationError

from fusedtomo.errors import InputError
from tests.workflows.tiny import REMOVED, baseline, config, content, fused, write_toml
from workflows.campaign import CampaignConfig, load_campaign, seed_of
from workflows.campaign.products import PRODUCTS
from workflows.machines import CONFIGS
from workflows.search.space_filling import edge_of

TILTS = {"haadf_tilts": [2, 4], "chemical_tilts": [2]}
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
    without_tv = config(search__space=space, methods=["fused-without-tv"])
    assert list(without_tv.space(without_tv.cells("fused-without-tv")[0])) == ["haadf", "gamma", "eps"]
    del space["haadf"]  # what is left is no ratio
    without_tv = config(search__space=space, methods=["fused-without-tv"])
    assert list(without_tv.space(without_tv.cells("fused-without-tv")[0])) == ["chemical", "gamma", "eps"]


def test_evaluations_are_a_total_per_condition():
    campaign = config(search__evaluations=9, search__baseline_evaluations=5)
    assert campaign.evaluations(fused(2, 2)) == 9
    assert campaign.evaluations(baseline("poisson-tv", 2)) == 5
    assert campaign.evaluations(baseline("poisson", 2)) == 1  # nothing to search


def test_a_grid_takes_the_largest_full_grid_within_the_budget():
    campaign = config(search__strategy="grid", search__evaluations=10, search__baseline_evaluations=5)
    assert campaign.evaluations(fused(2, 2)) == 9
    assert campaign.evaluations(baseline("poisson-tv", 2)) == 5
    assert [edge_of(27, 3), edge_of(26, 3), edge_of(1, 2), edge_of(1000, 3)] == [3, 2, 1, 10]


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
        {"methods": ["fused"]},
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
        {"solver__pace": "fast"},
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
        "from tests.workflows.tiny import config; from workflows.campaign import seed_of;"
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
        (
            {"search__space__gamma": {"low": 0.5, "high": 2.0}},
            "space.gamma reaches 0.5: Input should be greater than or equal to 1",
        ),
        ({"search__space__eps": {"low": 1e-3, "high": 1e300}}, r"space.eps reaches 1e\+300: Input should be less"),
        ({"acquisition__haadf": {"snr": 1e300}}, "less than or equal to 1000000000"),
        ({"acquisition__haadf": {"dose_counts": 1e19}}, "less than or equal to 1000000000"),
        ({"axes__haadf_snr": [100.0, 1e300]}, "less than or equal to 1000000000"),
        ({"solver__eps": 1e300}, "less than or equal to 1000000000"),
        ({"solver__depth": 100000}, "less than or equal to 8192"),
        ({"axes__haadf_tilts": [4, 2]}, "rise strictly"),
        ({"axes__haadf_tilts": [1, 2]}, "greater than or equal to 2"),
        ({"axes__chemical_tilts": [2, 100000]}, "less than or equal to 1000"),
        ({"axes__haadf_tilts": []}, "haadf_tilts = \\[\\]: give a list of one value or more"),
        ({"axes__haadf_tilts": 4}, "haadf_tilts = 4: give a list"),
        ({"axes": {"haadf_tilt": [2]}}, "there is no axis 'haadf_tilt'; did you mean 'haadf_tilts'"),
        ({"axes": {}}, "0 are given; give one to 3"),
        ({"axes__chemical_snr": [2.0], "axes__haadf_snr": [9.0]}, "4 are given; give one to 3"),
        ({"repeats": {"chemical_snr": [2.0]}}, "'chemical_snr' is no seed.*seeds: noise_seed, specimen_seed"),
        ({"axes__noise_seed": [1], "repeats": {"noise_seed": [1]}}, "'noise_seed' is an axis as well"),
        ({"methods": ["poisson"]}, "'haadf_tilts' alters no result of poisson; leave it out"),
        ({"axes": {"haadf_tilts": [2, 4]}}, "acquisition.chemical: the number of tilts is given nowhere"),
        ({"methods": ["fused", "posson"]}, "there is no method 'posson'; did you mean 'poisson'"),
        ({"methods": ["fused", "fused"]}, "fused is named twice"),
        ({"baselines": []}, "'baselines' is the earlier name of 'methods'"),
        ({"search__strategy": "gp-hedge"}, "there is no strategy 'gp-hedge'; did you mean 'gp_hedge'"),
        ({"search__minimise": "nmse"}, "there is no measure 'nmse'; did you mean 'nrmse'"),
        ({"search__minimise": {"nrmse": 0.0}}, "the weight of nrmse is 0; give weights above 0"),
        ({"search__minimise": {}}, "nothing is to be minimised"),
        ({"report": {"slices": [[3, 3]]}}, r"cell \[3, 3\], which is not on the axes haadf_tilts, chemical_tilts"),
        ({"report": {"slices": [[2]]}}, r"cell \[2\], which is not on the axes"),
        ({"acquisition__haadf": {}}, "acquisition.haadf: give one of snr, dose_counts and total_dose_counts"),
        ({"acquisition__chemical": {"snr": {"Co": 0.5}}}, "snr 0.5 is not above 1"),
        ({"acquisition__min_deg": 70.0}, "min_deg 70 is not below max_deg 70"),
        ({"axes": REMOVED}, "axes"),
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
        ({"phantom__field_of_view_nm": 256e3}, "of 256000 nm little would be seen .* at most 1024 or"),
        ({"acquisition__chemical": {"snr": {"Co": 2.0}}}, r"'acquisition.chemical.snr' is given for Co, .* Co, Ni, O"),
        ({"acquisition__haadf": {"snr": {"Co": 2.0}}}, "'acquisition.haadf.snr' is given for Co.* HAADF"),
        ({"solver__depth": 20}, "'solver.depth' = 20: the specimen is 16 voxels deep"),
        ({"solver__depth": 16, "axes": {"size": [16, 20], **TILTS}}, "'solver.depth' = 16: the specimen is 20 voxels"),
        ({"solver__tv_by_element": {"Au": 2.0}}, "'solver.tv_by_element' names 'Au', which is not mapped"),
        ({"solver__chemical_by_element": {"O": 2.0}, "acquisition__unmapped": ["O"]}, "names 'O', which is not mapped"),
        ({"acquisition__unmapped": ["Au"]}, "'acquisition.unmapped' names 'Au'"),
        ({"axes": {"unmapped": ["none", "Pt"], **TILTS}}, "'acquisition.unmapped' names 'Pt'"),
        ({"acquisition__unmapped": ["Co", "Ni", "O"]}, "names all of Co, Ni, O; leave one"),
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


def test_a_campaign_of_an_earlier_version_is_read_as_it_was_meant():
    earlier = content(axes=REMOVED, methods=REMOVED)
    earlier |= {"grid": {"haadf_tilts": [2, 4], "chemical_tilts": [2, 3]}, "baselines": ["poisson-tv", "poisson"]}
    assert CampaignConfig.model_validate(earlier) == config()


def test_repeats_multiply_conditions_and_belong_to_their_cell():
    campaign = config(repeats={"noise_seed": [1, 2, 3]})
    assert len(campaign.conditions()) == 3 * len(config().conditions())
    keys = [condition.key for condition in campaign.repeated(fused(4, 3))]
    assert keys == ["fused-h4-c3-s1", "fused-h4-c3-s2", "fused-h4-c3-s3"]
    assert [campaign.acquisition_of(one).seed for one in campaign.repeated(fused(4, 3))] == [1, 2, 3]
    assert campaign.repeated(fused(4, 3))[1].only({"haadf_tilts", "chemical_tilts"}) == fused(4, 3)


def test_a_method_that_does_not_see_an_axis_has_one_condition_for_all_of_it():
    axes = {"haadf_tilts": [2, 4], "chemical_snr": [2.0, 4.0]}
    campaign = config(axes=axes, acquisition__chemical={"tilts": 3}, methods=["fused", "sirt", "fista-tv"])
    keys = [condition.key for condition in campaign.conditions()]
    assert keys[:4] == ["sirt-cs2", "sirt-cs4", "fista-tv-cs2", "fista-tv-cs4"]
    assert keys[4:] == ["fused-h2-cs2", "fused-h2-cs4", "fused-h4-cs2", "fused-h4-cs4"]


def test_the_order_of_axes_in_the_file_is_that_of_rows_and_columns_and_of_keys():
    swapped = config(axes={"chemical_tilts": [2, 3], "haadf_tilts": [2, 4]})
    assert swapped.conditions()[-1].key == "fused-c3-h4"
    assert list(CampaignConfig.model_validate_json(swapped.model_dump_json()).axes) == ["chemical_tilts", "haadf_tilts"]


def test_a_campaign_of_all_methods_has_each_one_s_own_search():
    space = {"haadf": {"low": 0.1, "high": 1.0}, "tv": {"low": 0.1, "high": 1.0}}
    methods = [
        "fused",
        "fused-weighted",
        "gradient-descent",
        "fused-without-tv",
        "poisson-tv",
        "fista-tv",
        "sirt",
        "poisson",
    ]
    campaign = config(methods=methods, search__space=space)
    found = {c.method: list(campaign.space(c)) for c in campaign.conditions()}
    assert found == {
        "fused": ["haadf", "tv"],
        "fused-weighted": ["haadf", "tv"],
        "gradient-descent": ["haadf", "tv"],
        "fused-without-tv": ["haadf"],
        "poisson-tv": ["tv"],
        "fista-tv": ["tv"],
        "sirt": [],
        "poisson": [],
    }


def test_a_campaign_at_another_size_is_a_campaign_of_its_own_name(tmp_path):
    path = write_toml(tmp_path / "c.toml", name="mine")
    small, whole = load_campaign(path, 24), load_campaign(path)
    assert (small.name, small.phantom.size) == ("mine-24", 24)
    assert small.conditions() == whole.conditions()
    assert small.fingerprint() != whole.fingerprint()
    with pytest.raises(InputError, match=r"'phantom\.size' = 7"):
        load_campaign(path, 7)


def test_a_product_that_not_every_report_has_is_asked_for_by_name(monkeypatch):
    product = replace(PRODUCTS["atlas"], name="extra", usual=False)
    monkeypatch.setitem(PRODUCTS._values, "extra", product)
    assert config(report={"also": ["extra"]}).report.also == ("extra",)
    with pytest.raises(ValidationError, match="there is no product 'extre'; did you mean 'extra'"):
        config(report={"also": ["extre"]})


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ({"slab": 16, "margin": 0}, "are 16 columns, but the specimen has 16, and a cheap trial must be narrower; give "
         "slab = 15 or less"),
        ({"slab": 8, "margin": 4}, "give slab = 7 or less"),
        ({"slab": 1, "margin": 8}, "lower margin or slabs, or leave fidelity out"),
    ],
)  # fmt: skip
def test_a_slab_as_wide_as_the_specimen_is_refused(tmp_path, layout, said):
    path = write_toml(tmp_path / "wide.toml", search__strategy="map", search__fidelity=layout)
    with pytest.raises(InputError, match=re.escape(said)):
        load_campaign(path)
    assert load_campaign(path, size=24).cheap(fused(2, 2)) < 1


def test_cheap_trials_are_of_strategies_that_ask_for_them():
    with pytest.raises(
        ValidationError, match=r"'gp_hedge' computes every trial in full; leave fidelity out, or take .*map"
    ):
        config(search__fidelity={"slab": 4})


def test_a_campaign_at_the_steady_pace_has_the_fingerprint_of_earlier_versions():
    assert "pace" not in config(solver__pace="steady").decisive()["solver"]
    assert config(solver__pace="fast").decisive()["solver"]["pace"] == "fast"


def test_a_campaign_without_cheap_trials_has_the_fingerprint_of_earlier_versions():
    assert "fidelity" not in config().decisive()["search"]
    cheap = [config(search__strategy="map", search__fidelity={"slab": n}) for n in (3, 4)]
    assert cheap[0].fingerprint() != cheap[1].fingerprint()
