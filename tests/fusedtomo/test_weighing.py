"""Weights without truth: are the parts independent, is a prediction judged rightly, does the rule what it says?"""

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from fusedtomo import slabs, weighing
from fusedtomo.errors import InputError
from fusedtomo.held_out import prediction, tilts_predicted
from fusedtomo.io import read_attributes, write_dataset
from fusedtomo.operators.projector import Projector
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers.problem import Problem
from fusedtomo.thinning import thinned
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries
from fusedtomo.weighing import read_weighed, weigh
from workflows.command.cli import app

QUICK = SolverSettings(max_iterations=5, tolerance=0.0)


def test_every_count_and_every_haadf_tilt_is_held_out_once(tiny_dataset, rng):
    folds = thinned(tiny_dataset, 4, rng)
    for number, series in enumerate(tiny_dataset.chemical):
        np.testing.assert_array_equal(sum(fold.maps[number].counts for fold in folds), series.counts)
        for fold in folds:
            fitted, held = fold.fitted.chemical[number], fold.maps[number]
            np.testing.assert_array_equal(fitted.counts + held.counts, series.counts)
            assert (fitted.gain, held.gain) == pytest.approx((0.75 * series.gain, 0.25 * series.gain))
            assert (fitted.background, held.background) == pytest.approx(
                (0.75 * series.background, 0.25 * series.background)
            )
    angles = tiny_dataset.haadf.scheme.angles_deg
    assert sorted(angle for fold in folds for angle in fold.haadf_angles_deg) == sorted(angles)
    for fold in folds:
        assert sorted((*fold.haadf_angles_deg, *fold.fitted.haadf.scheme.angles_deg)) == sorted(angles)
        index = angles.index(fold.haadf_angles_deg[0])
        expected = tiny_dataset.haadf.counts[index] - tiny_dataset.haadf.background
        np.testing.assert_allclose(fold.haadf_signal[0], expected, rtol=1e-6)


def test_parts_of_poisson_counts_are_independent_poisson_counts():
    rng, scheme = np.random.default_rng(1), TiltScheme((-30.0, 40.0))
    maps = TiltSeries("Co", rng.poisson(2.0, (2, 200, 200)).astype(np.float32), scheme, 1.0)
    data = FusedDataset(TiltSeries("HAADF", np.ones((2, 200, 200), np.float32), scheme), (maps,), 1.0)
    fold = thinned(data, 5, rng)[2]
    held, fitted = fold.maps[0].counts, fold.fitted.chemical[0].counts
    n = held.size
    for part, level in ((held, 0.4), (fitted, 1.6)):  # the scatter of a mean of n, and of their variance
        assert part.mean() == pytest.approx(level, abs=4 * np.sqrt(level / n))
        assert part.var() == pytest.approx(level, abs=5 * np.sqrt(2 * level**2 / n + level / n))
    assert abs(np.corrcoef(held.ravel(), fitted.ravel())[0, 1]) < 4 / np.sqrt(n)


def test_two_haadf_tilts_are_both_fitted(tiny_dataset, rng):
    haadf = replace(tiny_dataset.haadf, counts=tiny_dataset.haadf.counts[:2], scheme=TiltScheme((-30.0, 40.0)))
    for fold in thinned(replace(tiny_dataset, haadf=haadf), 2, rng):
        assert len(fold.fitted.haadf.scheme) == 2
        assert fold.haadf_angles_deg == ()


def test_counts_that_were_interpolated_are_refused(tiny_dataset, rng):
    broken = replace(tiny_dataset.chemical[1], counts=tiny_dataset.chemical[1].counts * np.float32(0.3))
    data = replace(tiny_dataset, chemical=(tiny_dataset.chemical[0], broken, tiny_dataset.chemical[2]))
    with pytest.raises(InputError, match=r"counts of 'O' such as .* are no whole numbers.*raw counts"):
        thinned(data, 5, rng)
    with pytest.raises(InputError, match="1 folds leave nothing to judge by"):
        thinned(tiny_dataset, 1, rng)


def test_a_prediction_is_half_the_deviance_of_what_was_held_out(tiny_dataset, tiny_phantom, rng):
    fold = thinned(tiny_dataset, 4, rng)[1]
    problem = Problem(fold.fitted, Weights(), QUICK)
    found = prediction(problem, fold, tiny_phantom.data)
    projected = Projector(tiny_dataset.chemical_scheme.angles_deg, 8, 8).forward(tiny_phantom.data)
    series = fold.maps[0]
    model, counts = series.gain * projected[0] + series.background, series.counts.astype(float)
    logs = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / model), 0)
    np.testing.assert_allclose(found.maps[0], (model - counts + logs).sum(axis=(1, 2)), rtol=1e-4)
    assert 0 < found.maps.sum() < 0.8 * sum(held.counts.size for held in fold.maps)  # of the truth 0.5 a pixel or so
    assert found.haadf.sum() < 0.8 * fold.haadf_signal.size  # its noise, which is overestimated rather
    worse = prediction(problem, fold, np.roll(tiny_phantom.data, 2, axis=2))
    assert worse.maps.sum() > found.maps.sum()
    assert worse.haadf.sum() > found.haadf.sum()


def _of_landscape(monkeypatch, error, least=(2, -1), ties=0.0):
    """`weigh` where a solve is replaced by a bowl with its least value at some place of the lattice."""

    def solve(trials, place, number):
        trials.solves += 1
        trials.maps[place][number] = (
            1000 + 7 * number + 10 * sum((a - b) ** 2 for a, b in zip(place, least, strict=True))
        )
        trials.haadf.setdefault(place, {})[number] = -ties * place[0]
        trials.errors[place] = error

    monkeypatch.setattr(weighing._Trials, "_solve", solve)


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (0.0, (2, -1)),  # the least itself
        (25.0, (1, -1)),  # an error of 11 over five folds: one step towards the prior, as near as (2, 0)
        (1000.0, (0, 0)),  # the counts say nothing, the prior stands
    ],
)
def test_within_the_error_the_nearest_to_the_prior_is_taken(monkeypatch, tiny_dataset, error, place):
    _of_landscape(monkeypatch, error)
    found = weigh(tiny_dataset, prior=Weights(haadf=0.01, tv=0.5))
    assert found.weights.haadf == pytest.approx(0.01 * 10 ** (place[0] / 2), rel=1e-3)
    assert found.weights.tv == pytest.approx(0.5 * 2.0 ** place[1], rel=1e-3)
    assert found.ended
    assert found.solves <= 25
    assert found.tried[0].deviance == 0
    assert found.tried[0].folds == 5
    assert found.standard_error == pytest.approx(error / np.sqrt(5))


def test_of_two_as_near_the_one_that_predicts_haadf_is_taken(monkeypatch, tiny_dataset):
    for ties, haadf in ((1.0, 1.0), (-1.0, 0.1**0.5)):
        _of_landscape(monkeypatch, 25.0, least=(1, 1), ties=ties)
        assert weigh(tiny_dataset, prior=Weights(haadf=0.1**0.5)).weights.haadf == pytest.approx(haadf, rel=1e-3)


def test_a_valley_that_lies_far_off_is_found(monkeypatch, tiny_dataset):
    """From the prior every step leads upwards, as where HAADF contradicts the maps."""

    def solve(trials, place, number):
        trials.solves += 1
        near, far = 20 * sum(step**2 for step in place), 40 * (place[0] + 5) ** 2 + 20 * place[1] ** 2 - 200
        trials.maps[place][number] = 1000.0 + min(near, far)
        trials.haadf.setdefault(place, {})[number] = 0.0
        trials.errors[place] = 0.0

    monkeypatch.setattr(weighing._Trials, "_solve", solve)
    assert weigh(tiny_dataset).weights == Weights(haadf=float(f"{0.1 * 10**-2.5:.4g}"), tv=1.0)


def test_a_search_that_runs_out_of_solves_says_so(monkeypatch, tiny_dataset):
    _of_landscape(monkeypatch, 0.0, least=(-11, 0))
    found = weigh(tiny_dataset, solves=21)
    assert not found.ended
    assert found.solves <= 21
    with pytest.raises(InputError, match="19 solves are too few for 5 folds; give 20 or more"):
        weigh(tiny_dataset, solves=19)


def test_methods_without_weights_have_none_to_find(tiny_dataset):
    with pytest.raises(InputError, match="poisson has no weight to find"):
        weigh(tiny_dataset, "poisson")


def test_wide_data_are_searched_in_their_middle(monkeypatch, tiny_dataset):
    monkeypatch.setattr(slabs, "_MOST_VALUES", 3 * 8 * 8 * 4)
    monkeypatch.setattr(slabs, "_LEAST_COLUMNS", 2)
    _of_landscape(monkeypatch, 0.0)
    assert weigh(tiny_dataset).columns == (1, 5)


def test_the_commands_find_and_take_weights(tiny_dataset, tmp_path):
    data, out = tmp_path / "data.h5", tmp_path / "weights.json"
    write_dataset(tiny_dataset, data)
    options = ["--folds", "2", "--solves", "8", "--iterations", "4", "--method", "poisson-tv", "--out", str(out)]
    told = CliRunner().invoke(app, ["weights", str(data), *options])
    assert told.exit_code == 0, told.output
    found = read_weighed(out)
    again = weigh(tiny_dataset, "poisson-tv", None, SolverSettings(max_iterations=4), folds=2, solves=8)
    assert found == again
    assert "taken (*): haadf 0.1, chemical 1, tv" in told.output
    volume = str(tmp_path / "volume.h5")
    asked = ["reconstruct", str(data), "--weights", str(out), "--no-picture", "--iterations", "2", "--out", volume]
    told = CliRunner().invoke(app, [*asked, "--method", "poisson-tv"])
    assert told.exit_code == 0, told.output
    assert read_attributes(volume)["weights"] == found.weights.model_dump_json()
    other = CliRunner().invoke(app, [*asked, "--overwrite"])
    assert "holds weights of poisson-tv, not of fused" in str(other.exception)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.json"
    path.write_text("[1]")
    with pytest.raises(InputError, match="holds no weights; give the path of a file of `fusedtomo weights`"):
        read_weighed(path)


def test_tilts_are_predicted_by_reconstructions_that_did_not_see_them(tiny_dataset):
    found = tilts_predicted(tiny_dataset, "poisson-tv", Weights(), QUICK, 3)
    assert found.shape == (3, 5)
    assert (found > 0).all()
    spoilt = tuple(replace(s, counts=s.counts * (np.arange(5) != 1)[:, None, None]) for s in tiny_dataset.chemical)
    other = tilts_predicted(replace(tiny_dataset, chemical=spoilt), "poisson-tv", Weights(), QUICK, 3)
    # tilts 1 and 4 are in one fold: that tilt 1 is spoilt now does not change what is said of tilt 4, but of the rest
    np.testing.assert_allclose(other[:, 4], found[:, 4], rtol=1e-5)
    assert (np.abs(other[:, [0, 2, 3]] / found[:, [0, 2, 3]] - 1) > 1e-3).all()
