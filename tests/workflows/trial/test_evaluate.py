"""A trial is a result, never an exception, and the same wherever it runs."""

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest

from fusedtomo import memory
from fusedtomo.errors import TryAgain
from fusedtomo.io import read_attributes, read_history, read_volume
from fusedtomo.methods import METHODS
from fusedtomo.outcomes import outcome_of
from fusedtomo.reconstruct import reconstruct
from fusedtomo.score import score
from fusedtomo.settings import Weights
from fusedtomo.slabs import cut, in_units_of
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.terms import terms_at
from tests.workflows.tiny import baseline, config, fused, write_toml
from workflows.campaign import Trial
from workflows.record.journal import TrialResult
from workflows.trial import evaluate as module
from workflows.trial.bench import bench_of, truth_of
from workflows.trial.evaluate import evaluate

FUSED = fused(4, 3)
POINT = {"haadf": 0.05, "tv": 0.7}


def trial(condition=FUSED, point=POINT, **changes):
    return Trial(config(**changes), condition, 5, dict(point))


def scores(result):
    """What must not depend on when and where a trial ran."""
    return replace(result, seconds=0.0, started=0.0, worker="")


def test_a_result_says_everything_about_its_trial():
    result = evaluate(trial())
    assert (result.status, result.reason) == ("ok", "")
    assert (result.condition, result.trial, result.point) == ("fused-h4-c3", 5, POINT)
    assert result.weights == {"haadf": 0.05, "chemical": 1.0, "tv": 0.7}
    assert list(result.nrmse_by_element) == list(result.rmse_by_element) == ["Co", "Ni", "O"]
    assert result.nrmse == pytest.approx(sum(result.nrmse_by_element.values()) / 3)
    assert set(result.terms) == {"haadf", "chemical", "tv"}
    assert (result.iterations, result.stopped) == (2, "max_iterations")
    assert set(result.snr) == {"HAADF", "Co", "Ni", "O"}
    assert result.snr["HAADF"] == pytest.approx(100, rel=0.08)  # 1024 Poisson counts: a few per cent
    assert result.seconds > 0
    assert result.started > 1.5e9
    assert (result.device, result.ranks) == ("cpu", 1)
    assert TrialResult.from_line(result.line()) == result


@pytest.mark.parametrize("method", ["poisson", "poisson-tv"])
def test_a_baseline_does_not_see_the_haadf_series(method):
    few, many = (
        evaluate(trial(baseline(method, 3), {"tv": 1.0}, axes={"haadf_tilts": [tilts], "chemical_tilts": [3]}))
        for tilts in (2, 4)
    )
    assert few.ok
    assert scores(few) == scores(many)
    assert "HAADF" not in few.snr
    assert set(few.terms) == {"chemical", "tv"}


def test_terms_are_those_of_the_reconstruction_without_their_weights(tmp_path):
    result, volume = kept(trial(), tmp_path / "kept.h5")
    settings = config().parameters(FUSED, POINT)[1]
    other_weights = Problem(dataset_of(), Weights(haadf=3.0, tv=0.0), settings)
    assert result.terms == terms_at(other_weights, volume.data)
    recorded = {name: values[-1] for name, values in read_history(tmp_path / "kept.h5").items()}
    assert result.terms["haadf"] == pytest.approx(recorded["haadf"] / 0.05, rel=1e-5)
    assert result.terms["tv"] == pytest.approx(recorded["tv"] / 0.7, rel=1e-5)


def test_a_term_that_is_no_number_is_left_out(monkeypatch):
    monkeypatch.setattr(module, "terms_at", lambda *_, **__: {"haadf": float("inf"), "tv": float("nan"), "chemical": 2})
    result = evaluate(trial())
    assert result.terms == {"chemical": 2}
    assert TrialResult.from_line(result.line()) == result


def test_every_searched_parameter_reaches_the_solver():
    base = evaluate(trial(point={})).nrmse
    for name, value in (("haadf", 0.9), ("chemical", 0.2), ("tv", 4.0), ("gamma", 1.3), ("eps", 3.0)):
        assert evaluate(trial(point={name: value})).nrmse != base, name


@pytest.mark.parametrize("error", [RuntimeError("no room"), MemoryError(), ZeroDivisionError("x")], ids=repr)
def test_an_error_is_a_failed_result_with_its_reason_and_place(monkeypatch, error):
    def broken(*_arguments, **_settings):
        raise error

    monkeypatch.setitem(METHODS._values, "fused", replace(METHODS["fused"], solve=broken))
    result = evaluate(trial())
    assert (result.status, result.nrmse, result.point) == ("failed", None, POINT)
    assert result.reason.startswith(f"{type(error).__name__}: {error}")
    assert "test_evaluate.py:" in result.reason
    assert TrialResult.from_line(result.line()) == result


def test_nan_is_a_failure_not_a_number(monkeypatch):
    class Nan:
        nrmse = float("nan")

    monkeypatch.setattr(module, "score", lambda *_, **__: Nan)
    result = evaluate(trial())
    assert (result.status, result.nrmse) == ("failed", None)
    assert "NRMSE is nan" in result.reason


def test_an_infinite_cost_is_a_failure(monkeypatch):
    solve = module.solve
    monkeypatch.setattr(module, "solve", lambda *a, **k: replace(solve(*a, **k), stopped="not finite"))
    result = evaluate(trial())
    assert result.status == "failed"
    assert "not finite after 2 iterations" in result.reason


def dataset_of(condition=FUSED, **changes):
    """What a trial of the condition is made from."""
    return bench_of(config(**changes), condition).data(config(**changes).acquisition_of(condition))


def kept(one, path):
    """A trial's result and its reconstruction."""
    result = evaluate(replace(one, keep=str(path)))
    return result, read_volume(path)


def test_a_warm_trial_starts_where_another_ended_and_says_so(tmp_path):
    other = {"haadf": 0.3, "tv": 2.0}
    result, warm = kept(Trial(config(), FUSED, 5, POINT, other), tmp_path / "warm.h5")
    assert result.start == other
    assert result.nrmse != evaluate(trial()).nrmse
    _, first = kept(Trial(config(), FUSED, 0, other), tmp_path / "first.h5")
    weights, settings = config().parameters(FUSED, POINT)
    again = reconstruct(dataset_of(), "fused", weights, settings, initial=first.data)
    np.testing.assert_array_equal(warm.data, again.volume.data)
    assert TrialResult.from_line(result.line()) == result


def test_a_trial_does_not_depend_on_those_before_it():
    first = evaluate(trial())
    for other in (trial(fused(2, 2)), trial(seed=9), trial(point={"eps": 2.0}), trial(phantom__seed=2)):
        evaluate(other)
    assert scores(evaluate(trial())) == scores(first)


def test_a_trial_sees_the_tilts_of_its_condition():
    dataset = dataset_of()
    assert (len(dataset.haadf.scheme), len(dataset.chemical_scheme)) == (4, 3)
    assert len({evaluate(trial(condition)).nrmse for condition in config().conditions()}) == 8


def test_seeds_decide():
    assert evaluate(trial(seed=9)).nrmse != evaluate(trial()).nrmse
    assert evaluate(trial(phantom__seed=2)).nrmse != evaluate(trial()).nrmse


def test_the_truth_of_a_fine_simulation_is_on_the_reconstruction_s_grid():
    assert truth_of(config(acquisition__grid="fine"), FUSED).shape == (16, 16, 16)
    assert evaluate(trial(acquisition__grid="fine")).ok


def by_hand(columns):
    """The reconstruction of some columns of the data of the whole, weighed as in the whole."""
    whole = dataset_of()
    slab = cut(whole, columns)
    return reconstruct(slab, "fused", *in_units_of(whole, slab, *config().parameters(FUSED, POINT))).volume


def truth_at(columns):
    truth = truth_of(config(), FUSED)
    return replace(truth, data=truth.data[..., columns].copy())


def test_a_cheap_trial_is_the_middle_slab_of_the_same_data(tmp_path):
    columns = np.arange(6, 10)
    expected = by_hand(columns)
    errors = score(expected, truth_at(columns))
    result, volume = kept(replace(trial(), fidelity=0.25), tmp_path / "slab.h5")
    assert volume.shape == (16, 16, 4)
    np.testing.assert_array_equal(volume.data, expected.data)
    assert (result.nrmse, result.nrmse_by_element) == (errors.nrmse, errors.nrmse_by_element)
    assert (result.fidelity, result.whole, result.ok) == (0.25, False, True)
    assert TrialResult.from_line(result.line()) == result


def test_margins_are_computed_and_not_scored():
    cheap = trial(search__strategy="map", search__fidelity={"slab": 4, "margin": 2, "slabs": 1})
    result = evaluate(replace(cheap, fidelity=cheap.config.cheap(FUSED)))
    volume = by_hand(np.arange(4, 12))
    inner = replace(volume, data=volume.data[..., 2:6].copy())
    assert result.fidelity == 0.5
    assert result.nrmse == score(inner, truth_at(np.arange(6, 10))).nrmse


@pytest.mark.parametrize("fidelity", [0.0, -0.5, 1.5, float("nan")])
def test_a_share_that_is_none_is_a_failed_trial(fidelity):
    result = evaluate(replace(trial(), fidelity=fidelity))
    assert result.status == "failed"
    assert "is not in (0, 1]" in result.reason


def test_what_is_kept_is_what_was_scored_and_says_what_it_is_of(tmp_path):
    result, volume = kept(trial(), tmp_path / "new" / "folder" / "kept.h5")
    assert score(volume, truth_of(config(), FUSED)).nrmse == result.nrmse
    assert scores(result) == scores(evaluate(trial()))
    facts = read_attributes(tmp_path / "new" / "folder" / "kept.h5")
    expected = {"condition": FUSED.key, "trial": 5, "point": json.dumps(POINT), "fingerprint": config().fingerprint()}
    assert {name: facts[name] for name in expected} == expected
    history = read_history(tmp_path / "new" / "folder" / "kept.h5")
    assert {"haadf", "chemical", "tv"} <= set(history)
    assert {len(values) for values in history.values()} == {result.iterations + 1}


def as_command(path):
    command = [sys.executable, "-m", "workflows.trial.evaluate", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_as_a_command_it_prints_the_same_line_in_a_fresh_process(tmp_path):
    campaign = write_toml(tmp_path / "tiny.toml")
    path = tmp_path / "trial.json"
    path.write_text(json.dumps({"campaign": str(campaign), "condition": FUSED.key, "trial": 5, "point": POINT}))
    done = as_command(path)
    assert done.stdout.count("\n") == 1
    assert scores(TrialResult.from_line(done.stdout)) == scores(evaluate(trial()))  # bit by bit


@pytest.mark.nightly
def test_compiled_on_the_spot_or_loaded_from_the_cache_a_trial_is_the_same_bit_by_bit(tmp_path, monkeypatch):
    """Fast-math once let the two differ: numba compiles a cached kernel's parts together, and others apart."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "trial.json"
    path.write_text(
        json.dumps({"campaign": str(write_toml(tmp_path / "tiny.toml")), "condition": FUSED.key, "point": {}})
    )
    compiled, loaded = (scores(TrialResult.from_line(as_command(path).stdout)) for _ in range(2))
    assert compiled == loaded
    assert list((tmp_path / "cache").rglob("*.nbi"))  # or both compiled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "trial.json: not valid JSON"),
        ('{"condition": "fused-h4-c3", "point": {}}', "'campaign' is missing"),
        ('{"campaign": "none.toml", "condition": "fused-h4-c3", "point": {}}', "none.toml: cannot be read"),
    ],
    ids=["torn", "missing", "campaign"],
)
def test_it_refuses_bad_input_with_one_message(tmp_path, capsys, text, message):
    path = tmp_path / "trial.json"
    path.write_text(text)
    with pytest.raises(SystemExit) as ended:
        module.main(path)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.err.count("\n"), said.out) == (1, "")


@pytest.mark.parametrize(
    ("error", "code"),
    [(TryAgain("make room"), 75), (KeyboardInterrupt(), 130), (RuntimeError("odd"), 70), (MemoryError(), 75)],
)
def test_its_exit_codes_are_those_of_every_command(tmp_path, capsys, monkeypatch, error, code):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "_read_trial", Mock(side_effect=error))
    with pytest.raises(SystemExit) as ended:
        module.main("trial.json")
    assert ended.value.code == code == outcome_of(error).code
    said = capsys.readouterr()
    assert (said.err.count("\n"), said.out) == (1, "")


def test_a_failed_trial_is_a_line_and_exit_code_1(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "score", Mock(side_effect=FloatingPointError("NRMSE is nan")))
    with pytest.raises(SystemExit) as ended:
        module.main(str(trial_file(tmp_path)))
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert TrialResult.from_line(said.out).status == "failed"
    assert said.err.splitlines()[-1].startswith("the trial failed: FloatingPointError: NRMSE is nan")


def test_a_trial_that_does_not_fit_is_refused_before_any_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(memory, "available_gb", lambda: 1e-4)
    monkeypatch.setattr(module, "evaluate", Mock(side_effect=AssertionError("work")))
    with pytest.raises(SystemExit) as ended:
        module.main(str(trial_file(tmp_path)))
    assert ended.value.code == 2
    assert f"a trial of {FUSED.key} at 16^3 needs about 0.3" in capsys.readouterr().err


def trial_file(folder):
    path = folder / "trial.json"
    campaign = str(write_toml(folder / "tiny.toml"))
    path.write_text(json.dumps({"campaign": campaign, "condition": FUSED.key, "trial": 5, "point": POINT}))
    return path


def test_a_trial_on_a_gpu_scores_there_what_it_scores_on_the_cpu(place_for_long):
    here, there = evaluate(trial()), evaluate(trial(), place_for_long)
    assert there.ok, there.reason
    assert there.device == place_for_long.device
    assert there.nrmse == pytest.approx(here.nrmse, rel=1e-3)  # another rounding, another iterate
    assert there.stoichiometry_error == pytest.approx(here.stoichiometry_error, rel=1e-2)
