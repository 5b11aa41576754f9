"""Weights by the model of the trials that an atlas carries, what they may lose, and what the atlas was not made for."""

from dataclasses import replace

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.snr import snr_of_map, snr_of_maps
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries
from tests.workflows.values import PROVENANCE, campaign, trial
from workflows.maps.atlas import build_atlas, read_atlas, write_atlas
from workflows.maps.carried import experience_of, with_trials
from workflows.maps.likeness import against
from workflows.maps.lookup import lookups, weights_for
from workflows.maps.sampling_map import sampling_map

BEST = {"haadf": 0.1, "tv": 1.0}  # of every cell: the middle of both ranges
ELEMENTS = ("Co", "Au")


def error(h, c, haadf, tv):
    """A bowl of log error about the best point, shared by all cells."""
    return (0.2 + 1 / (h + c)) * np.exp(0.03 * np.log(haadf / BEST["haadf"]) ** 2 + 0.05 * np.log(tv / BEST["tv"]) ** 2)


def searched(config, best=BEST, n=9, seed=0):
    """Trials at random points of every fused cell."""
    rng = np.random.default_rng(seed)
    for h in config.axes["haadf_tilts"]:
        for c in config.axes["chemical_tilts"]:
            for number in range(n):
                point = {k: v * float(np.exp(rng.uniform(-3, 3))) for k, v in best.items()}
                shifted = {k: point[k] * BEST[k] / best[k] for k in point}
                yield trial(f"fused-h{h}-c{c}", number, float(error(h, c, **shifted)), **point)


def made(config, trials):
    trials = list(trials)
    carrying = with_trials(sampling_map(config, trials), config, trials)
    return build_atlas(carrying, {**PROVENANCE, "configuration": config.model_dump_json()})


@pytest.fixture(scope="module")
def atlas():
    config = campaign((5, 20), (3, 27))
    return made(config, searched(config))


def at(h, c):
    return {"haadf_tilts": h, "chemical_tilts": c}


def test_the_model_finds_the_best_weights_where_no_trial_was(atlas):
    found = weights_for(atlas, at(10, 9))
    for name, best in BEST.items():
        assert found.weights[name] == pytest.approx(best, rel=0.25)  # the ranges are of four decades
        assert found.likely[name][0] <= found.weights[name] <= found.likely[name][1]
    assert 0 <= found.loss < found.loss_bound < 0.1
    assert error(10, 9, **{name: found.weights[name] for name in BEST}) < 1.01 * error(10, 9, **BEST)


def test_what_may_be_lost_is_more_where_less_is_known():
    config = campaign((5, 20), (3, 27))
    few, many = (made(config, searched(config, n=n)) for n in (2, 12))
    assert weights_for(few, at(10, 9)).loss > 2 * weights_for(many, at(10, 9)).loss


def test_several_places_are_answered_as_each_alone(atlas):
    one, other = lookups(atlas, [at(5, 3), at(20, 27)])
    assert one.weights == pytest.approx(weights_for(atlas, at(5, 3)).weights)
    assert other.loss == pytest.approx(weights_for(atlas, at(20, 27)).loss)


def test_the_file_carries_the_trials(atlas, tmp_path):
    write_atlas(atlas, tmp_path / "atlas.h5")
    again = read_atlas(tmp_path / "atlas.h5")
    assert weights_for(again, at(10, 9)) == weights_for(atlas, at(10, 9))
    assert len(experience_of(again).trials) == 4 * 9
    assert set(again.trial.values[:2]) == {"fused-h5-c3/0", "fused-h5-c3/1"}


def test_a_damaged_trial_is_refused(atlas):
    names = atlas.trial.values.tolist()
    with pytest.raises(InputError, match="has a trial of 'fused-h7-c3', which its campaign does not have; write it ag"):
        weights_for(atlas.assign_coords(trial=["fused-h7-c3/0", *names[1:]]), at(5, 3))
    with pytest.raises(InputError, match="has a trial with the error 0"):
        weights_for(atlas.assign(trial_error=0 * atlas.trial_error), at(5, 3))


def test_a_weight_on_the_end_of_its_range_is_said():
    config = campaign((5, 20), (3, 27))
    edge = {"haadf": 0.1, "tv": 100.0}
    trials = [one for one in searched(config, edge, n=24) if one.point["tv"] <= 100]
    said = weights_for(made(config, trials), at(5, 3)).warning
    assert "tv 100 lies on the end of what was searched, 0.01 to 100: widen search.space" in said
    assert "haadf" not in said


def data(elements=ELEMENTS, mean=1.5, low=-70, high=70, gamma=2.0, snr=None):
    """Maps of Poisson counts, as an import gives them."""
    scheme, rng = TiltScheme.from_count(low, high, 9), np.random.default_rng(0)
    maps = [TiltSeries(e, rng.poisson(mean, (9, 8, 8)).astype("f4"), scheme, snr=snr) for e in elements]
    return FusedDataset(TiltSeries("HAADF", np.ones((9, 8, 8), "f4"), scheme), tuple(maps), 1.0, gamma)


def test_data_like_the_atlas_has_no_warning(atlas):
    assert against(atlas, data()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"elements": ("Co", "Ni", "O")}, "the data maps Co, Ni, O, the atlas was made for Co, Au: search the"),
        ({"low": -60, "high": 60}, "haadf tilts go from -60 to 60 degrees, the atlas's from -70 to 70"),
        ({"low": -60, "high": 70}, "chemical tilts go from -60 to 70 degrees"),
        ({"gamma": None}, "gamma 1.7 is assumed, the atlas was made with 2: give --gamma 2"),
    ],
)
def test_what_differs_from_what_the_atlas_was_made_for_is_said(atlas, changes, said):
    assert said in " ".join(against(atlas, data(**changes)))


def test_a_gamma_that_is_given_and_another_specimen(atlas):
    assert against(atlas, data(gamma=None), gamma=2.0) == []
    assert "the data is of 'other', the atlas was made for 'nanocubes'" in against(atlas, data(), specimen="other")[0]


def test_an_atlas_that_says_nothing_of_itself_is_said(atlas):
    silent = atlas.copy()
    del silent.attrs["configuration"]
    assert "does not say what it was made for" in against(silent, data())[0]
    assert weights_for(silent, at(5, 3)).likely == {}  # its cells alone are interpolated


def test_the_snr_of_measured_maps_comes_from_their_counts(atlas):
    """Poisson counts: 1 + the mean, within four standard errors of two series of 576 pixels."""
    snr, estimated = snr_of_maps(data(mean=4.0))
    assert estimated
    assert snr == pytest.approx(5.0, abs=4 * (4 / (2 * 576)) ** 0.5)
    assert snr_of_maps(data(snr=3.0)) == (3.0, False)
    assert snr_of_map(replace(data().chemical[0], snr=7.0)) == 7.0
    said = weights_for(atlas, at(5, 3), 15.0, estimated=True).warning
    assert "the data's chemical SNR 15 (estimated from the counts) differs more than 2-fold" in said
