"""The sampling map holds the best whole trial of every cell, its mean and deviation, and says where there is none."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.workflows.values import SPACE, campaign, cheap, over, trial
from workflows.maps.sampling_map import axes_of, best_by_condition, improvement, lowest, marks, sampling_map
from workflows.record.journal import CAP


@pytest.fixture
def trials():
    return [
        trial("fused-h5-c3", 0, 0.6),
        trial("fused-h5-c3", 1, 0.5),
        trial("fused-h5-c3", 2, None),
        trial("fused-h20-c27", 0, 0.2),
        trial("fused-h20-c9", 0, None),
        trial("poisson-tv-c3", 0, 1.0),
        trial("poisson-c27", 0, 1.6),
        trial("fused-h99-c3", 0, 0.01),  # left over from another grid
    ]


def test_cells_hold_the_best_trial_and_nan_where_none_succeeded(trials):
    found = sampling_map(campaign(), trials)
    fused = found.sel(method_name="fused")
    np.testing.assert_equal(fused.nrmse.values, [[0.5, np.nan, np.nan], [np.nan, np.nan, 0.2]])
    np.testing.assert_equal(fused.error.values, fused.nrmse.values)
    assert fused.nrmse.dtype == np.float64
    assert found.element.values.tolist() == ["Co", "Au"]
    by_element = fused.nrmse_by_element
    np.testing.assert_allclose(by_element.sel(haadf_tilts=5, chemical_tilts=3), [0.45, 0.55])
    np.testing.assert_allclose(by_element.sel(haadf_tilts=20, chemical_tilts=27), [0.18, 0.22])
    assert np.isnan(by_element.sel(haadf_tilts=20, chemical_tilts=9)).all()


def test_dimensions_coordinates_names_and_units(trials):
    found = sampling_map(campaign(), trials)
    assert found.nrmse.dims == ("method_name", "haadf_tilts", "chemical_tilts")
    assert found.nrmse_by_element.dims == ("method_name", "element", "haadf_tilts", "chemical_tilts")
    assert found.snr.dims == ("method_name", "modality", "haadf_tilts", "chemical_tilts")
    assert axes_of(found) == ("haadf_tilts", "chemical_tilts")
    assert found.method_name.values.tolist() == ["fused", "poisson-tv", "poisson"]
    assert found.haadf_tilts.values.tolist() == [5, 20]
    assert found.haadf_tilts.attrs == {"long_name": "HAADF tilts", "units": "tilts"}
    assert found.modality.values.tolist() == ["HAADF", "Co", "Au"]
    lacking = [name for name, one in found.data_vars.items() if not {"long_name", "units"} <= set(one.attrs)]
    assert lacking == []


def test_a_method_that_does_not_see_an_axis_has_one_value_all_along_it(trials):
    found = sampling_map(campaign(), trials)
    np.testing.assert_equal(found.nrmse.sel(method_name="poisson-tv").values, [[1.0, np.nan, np.nan]] * 2)
    np.testing.assert_equal(found.nrmse.sel(method_name="poisson").values, [[np.nan, np.nan, 1.6]] * 2)


def test_trials_and_failures_are_counted(trials):
    fused = sampling_map(campaign(), trials).sel(method_name="fused")
    np.testing.assert_array_equal(fused.trials, [[3, 0, 0], [0, 1, 1]])
    np.testing.assert_array_equal(fused.failed, [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(fused.repeats, [[1, 0, 0], [0, 0, 1]])


def test_lowest_cell_and_improvement(trials):
    found = sampling_map(campaign(), trials)
    assert lowest(found, "fused") == ((20, 27),)
    assert improvement(found, "nrmse", "fused", "poisson-tv") == pytest.approx(2.0)
    assert improvement(found, "nrmse", "fused", "poisson") == pytest.approx(8.0)


@pytest.mark.parametrize("journal", [[], [trial("fused-h5-c3", 0, None), trial("poisson-c3", 0, None)]])
def test_nothing_succeeded(journal):
    found = sampling_map(campaign(), journal)
    assert np.isnan(found.nrmse).all()
    assert found.nrmse_by_element.shape == (3, 0, 2, 3)
    assert lowest(found, "fused") == ()
    assert math.isnan(improvement(found, "nrmse", "fused", "poisson"))
    assert set(best_by_condition(campaign(), journal).values()) == {None}


def test_a_trial_of_a_part_of_the_problem_is_never_a_result():
    journal = [trial("fused-h5-c3", 0, 0.5), cheap("fused-h5-c3", 1, 0.1), cheap("fused-h20-c3", 0, 0.1)]
    found = sampling_map(campaign(), journal).sel(method_name="fused", chemical_tilts=3)
    np.testing.assert_equal(found.nrmse.values, [0.5, np.nan])
    np.testing.assert_equal(found.haadf.values, [0.1, np.nan])
    assert found.trials.values.tolist() == [2, 1]
    assert lowest(sampling_map(campaign(), journal), "fused") == ((5, 3),)


def test_what_is_minimised_decides_which_trial_is_best():
    search = {"space": SPACE, "minimise": {"nrmse": 1.0, "stoichiometry_error": 2.0}}
    journal = [
        replace(trial("fused-h5-c3", 0, 0.3), stoichiometry_error=0.4),
        replace(trial("fused-h5-c3", 1, 0.5), stoichiometry_error=0.1),
    ]
    found = sampling_map(campaign(search=search), journal).sel(method_name="fused", haadf_tilts=5, chemical_tilts=3)
    assert (found.error.item(), found.nrmse.item()) == (pytest.approx(0.7), 0.5)
    assert found.error.attrs["long_name"] == "NRMSE + 2 stoichiometry error, as minimised"


def test_marks_are_those_of_the_best_trial():
    at_cap = {"stopped": CAP}
    journal = [
        replace(trial("fused-h5-c3", 0, 0.5, haadf=0.1, tv=1.0), **at_cap),
        replace(trial("fused-h5-c9", 0, 0.5, haadf=0.1, tv=1.0), **at_cap),
        trial("fused-h5-c9", 1, 0.4, haadf=10.0, tv=1.0),
        trial("fused-h20-c3", 0, 0.4, haadf=0.1, tv=1.0),
        replace(trial("fused-h20-c9", 0, 0.4, haadf=0.1, tv=0.01), **at_cap),
    ]
    found = sampling_map(campaign(), journal).sel(method_name="fused")
    np.testing.assert_array_equal(found.at_cap, [[True, False, False], [False, True, False]])
    np.testing.assert_array_equal(found.on_bound, [[False, True, False], [False, True, False]])
    assert (marks(True, True), marks(True, False), marks(False, True), marks(False, False)) == ("cb", "c", "b", "")


REPEATED = {"noise_seed": [1, 2, 3]}


def repeated(errors, key="fused-h5-c3"):
    """A best and a worse trial of each repeat of a cell; None for one that failed."""
    for seed, error in enumerate(errors, start=1):
        yield trial(f"{key}-s{seed}", 0, error, haadf=0.1 * 10 ** (seed - 2), tv=2.0)
        if error is not None:
            yield trial(f"{key}-s{seed}", 1, error + 0.3, haadf=5.0, tv=5.0)


def test_repeats_give_mean_and_deviation():
    journal = [*repeated([0.2, 0.3, 0.7]), *repeated([0.4, None, 0.5], "fused-h5-c9")]
    found = sampling_map(campaign(repeats=REPEATED), journal)
    cell = found.sel(method_name="fused", haadf_tilts=5, chemical_tilts=3)
    assert cell.nrmse.item() == pytest.approx(0.4)  # (0.2 + 0.3 + 0.7) / 3
    assert cell.nrmse_deviation.item() == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 2))
    assert (cell.repeats.item(), cell.trials.item(), cell.failed.item()) == (3, 6, 0)
    assert cell.haadf.item() == pytest.approx(0.1)  # geometric mean of 0.01, 0.1 and 1
    two = found.sel(method_name="fused", haadf_tilts=5, chemical_tilts=9)
    assert (two.nrmse.item(), two.repeats.item(), two.failed.item()) == (pytest.approx(0.45), 2, 1)
    assert two.nrmse_deviation.item() == pytest.approx(math.sqrt(2 * 0.05**2))
    assert np.isnan(found.nrmse_deviation.sel(method_name="fused", haadf_tilts=20)).all()
    assert cell.nrmse_by_element.sel(element="Co").item() == pytest.approx(0.36)


def test_a_single_repeat_has_no_deviation():
    found = sampling_map(campaign(repeats=REPEATED), list(repeated([0.2, None, None])))
    cell = found.sel(method_name="fused", haadf_tilts=5, chemical_tilts=3)
    assert cell.nrmse.item() == 0.2
    assert math.isnan(cell.nrmse_deviation.item())


def of_two_cells(first, second):
    """The cells that may be the best of two cells with so many errors each."""
    journal = [*repeated(first), *repeated(second, "fused-h20-c27")]
    return lowest(sampling_map(campaign(repeats=REPEATED), journal), "fused")


def test_the_lowest_stands_alone_only_when_it_wins_by_more_than_two_standard_errors():
    # both cells deviate by 0.01: the standard error of their difference is sqrt(2 * 0.01**2 / 3) = 0.0082
    near, ahead = 2 * 0.00816, 2 * 0.00817
    spread = np.array([-0.01, 0.0, 0.01])
    assert of_two_cells(0.3 + spread, 0.3 + ahead + spread) == ((5, 3),)
    assert of_two_cells(0.3 + spread, 0.3 + near + spread) == ((5, 3), (20, 27))
    assert of_two_cells(0.3 + near + spread, 0.3 + spread) == ((20, 27), (5, 3))


def test_a_cell_whose_noise_is_not_known_may_be_the_best():
    assert of_two_cells([0.3, 0.3, 0.3], [0.9, None, None]) == ((5, 3), (20, 27))
    assert of_two_cells([0.3, 0.3, 0.3], [0.3, 0.3, 0.3]) == ((5, 3), (20, 27))


@pytest.mark.parametrize("axes", [{"chemical_dose": [10.0, 40.0]}, {"chemical_tilts": [3, 9]}])
def test_one_axis(axes):
    config = over(axes)
    journal = [trial(one.key, 0, 0.1 * (number + 1)) for number, one in enumerate(config.cells("fused"))]
    found = sampling_map(config, journal)
    assert found.nrmse.dims == ("method_name", *axes)
    np.testing.assert_allclose(found.nrmse.sel(method_name="fused"), [0.1, 0.2])
    assert lowest(found, "fused") == ((next(iter(axes.values()))[0],),)


def test_three_axes_and_categories():
    config = over({"unmapped": ["none", "O"], "haadf_tilts": [5, 20], "chemical_tilts": [3, 9, 27]})
    journal = [trial("fused-uO-h20-c9", 0, 0.25), trial("poisson-unone-c27", 0, 1.25)]
    found = sampling_map(config, journal)
    assert found.nrmse.shape == (3, 2, 2, 3)
    assert found.unmapped.values.tolist() == ["none", "O"]
    at = {"unmapped": "O", "haadf_tilts": 20, "chemical_tilts": 9}
    assert found.nrmse.sel(method_name="fused", **at).item() == 0.25
    assert np.isfinite(found.nrmse.sel(method_name="fused")).sum() == 1
    np.testing.assert_equal(
        found.nrmse.sel(method_name="poisson", unmapped="none").values, [[np.nan, np.nan, 1.25]] * 2
    )


def test_a_parameter_ranges_over_the_trials_that_are_about_as_good_as_the_best():
    tried = [(0.1, 0.210), (0.2, 0.200), (0.5, 0.209), (0.05, 0.2101), (2.0, 0.3), (9.0, 0.201)]
    trials = [trial("fused-h5-c3", n, nrmse, haadf=haadf, tv=1.0) for n, (haadf, nrmse) in enumerate(tried[:-1])]
    cut = cheap("fused-h5-c3", 9, tried[-1][1], haadf=tried[-1][0], tv=1.0)  # of a slab: it says nothing of the whole
    found = sampling_map(campaign(), [*trials, cut]).sel(method_name="fused")
    here = found.sel(haadf_tilts=5, chemical_tilts=3)
    assert [here[name].item() for name in ("haadf_low", "haadf", "haadf_high")] == [0.1, 0.2, 0.5]
    assert (here.tv_low.item(), here.tv_high.item()) == (1.0, 1.0)
    assert np.isnan(found.haadf_low.sel(haadf_tilts=20)).all()
    assert "chemical_low" not in found  # it was not searched


def test_ranges_of_repeats_are_their_geometric_means():
    trials = [trial(f"fused-h5-c3-s{seed}", 0, 0.2, haadf=haadf, tv=1.0) for seed, haadf in ((1, 0.1), (2, 0.4))]
    found = sampling_map(campaign(repeats={"noise_seed": [1, 2]}), trials).sel(method_name="fused")
    assert found.haadf_low.sel(haadf_tilts=5, chemical_tilts=3).item() == pytest.approx(0.2)
