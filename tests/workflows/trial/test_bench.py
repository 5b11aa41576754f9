"""A worker makes specimen, truth and data once, never mixes two settings up, and every axis reaches its data."""

import numpy as np
import pytest

from tests.workflows.tiny import config
from workflows.campaign import Trial
from workflows.trial import bench
from workflows.trial.bench import bench_of
from workflows.trial.evaluate import evaluate

TILTS = {"haadf": {"tilts": 4, "snr": 100.0}, "chemical": {"tilts": 3, "snr": 3.0}}


def at(axis, value, **changes):
    """A campaign of one fused cell at a value of an axis."""
    return config(**{"axes": {axis: [value]}, "acquisition": TILTS, "methods": ["fused"], **changes})


def data(campaign):
    """What its trials are made from."""
    (condition,) = campaign.conditions()
    return bench_of(campaign, condition).data(campaign.acquisition_of(condition))


@pytest.fixture
def made(monkeypatch):
    """What a worker makes from now on, counted."""
    counts = {}

    def counted(name):
        original = getattr(bench, name)

        def call(*arguments, **more):
            counts[name] = counts.get(name, 0) + 1
            return original(*arguments, **more)

        monkeypatch.setattr(bench, name, call)

    bench._bench.cache_clear()
    for name in ("made", "simulate", "initial_volume"):
        counted(name)
    yield counts
    bench._bench.cache_clear()


def test_a_worker_makes_specimen_and_data_once_however_conditions_take_turns(made):
    campaign = config(axes={"haadf_tilts": [4], "chemical_tilts": [2, 3]})
    for number in range(3):
        for condition in campaign.conditions():
            point = dict.fromkeys(campaign.space(condition), 0.2 + number)
            assert evaluate(Trial(campaign, condition, number, point)).ok
    assert made == {"made": 1, "simulate": 2, "initial_volume": 2}


def test_two_specimens_in_turn_are_made_anew_and_never_mixed_up(made):
    small, large = at("size", 16), at("size", 20)
    assert [data(one).haadf.counts.shape[-1] for one in (small, large, small)] == [16, 20, 16]
    assert made["made"] == 3  # one is kept: a specimen of 1024 voxels is large


def test_settings_that_differ_in_a_table_never_meet_each_other_s_data(made):
    tables = [{"Co": 3.0, "Ni": nickel, "O": 3.0} for nickel in (2.0, 20.0)]
    campaigns = [at("haadf_tilts", 4, acquisition__chemical={"tilts": 3, "snr": table}) for table in tables]
    found = [data(campaign).chemical for campaign in (*campaigns, *campaigns)]
    for first, second, differ in zip(found[0], found[1], (False, True, False), strict=True):
        assert (first.counts != second.counts).any() == differ, first.name
    assert all(a is b for a, b in zip(found[:2], found[2:], strict=True))  # kept, each under its own settings
    assert made == {"made": 1, "simulate": 2}


def test_the_truth_and_the_data_of_an_element_without_maps():
    seen, hidden = at("unmapped", "none"), at("unmapped", "O")
    assert data(seen).elements == ("Co", "Ni", "O")
    assert data(hidden).elements == ("Co", "Ni")
    np.testing.assert_array_equal(data(hidden).haadf.counts, data(seen).haadf.counts)  # HAADF sees it all the same
    result = evaluate(Trial(hidden, *hidden.conditions(), 0, {}))
    assert result.ok, result.reason
    assert set(result.nrmse_by_element) == set(result.rmse_by_element) == {"Co", "Ni"}


def test_a_misalignment_moves_images_and_a_misfit_of_the_background_only_what_is_said_of_it():
    clean, moved, misfit = at("misalignment", 0.0), at("misalignment", 1.5), at("background_misfit", 0.2)
    assert (data(moved).haadf.counts != data(clean).haadf.counts).mean() > 0.1
    np.testing.assert_array_equal(data(misfit).haadf.counts, data(clean).haadf.counts)
    for series, same in zip(data(misfit).chemical, data(clean).chemical, strict=True):
        assert series.background == pytest.approx(1.2 * same.background)
    results = [evaluate(Trial(one, *one.conditions(), 0, {})).nrmse for one in (clean, moved, misfit)]
    assert len(set(results)) == 3


@pytest.mark.parametrize("name", ["haadf", "chemical"])
def test_a_total_dose_is_shared_by_the_tilts(name):
    few, many = (
        data(at(f"{name}_total_dose", 600.0, acquisition={**TILTS, name: {"tilts": tilts, "snr": 50.0}}))
        for tilts in (3, 12)
    )
    for dataset, tilts in ((few, 3), (many, 12)):
        series = dataset.haadf if name == "haadf" else dataset.chemical[0]
        assert series.counts.mean() == pytest.approx(600 / tilts, rel=0.02)
    assert data(at(f"{name}_dose", 200.0)).haadf.counts.shape == (4, 16, 16)  # in place of the file's SNR
