"""HAADF alone: is its brightness found without any chemistry, in numbers that slow code finds too?"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from typer.testing import CliRunner

from fusedtomo.arrays import to_host
from fusedtomo.errors import InputError
from fusedtomo.io import read_attributes, read_volume, write_dataset
from fusedtomo.losses import noise_variance
from fusedtomo.operators.projector import Projector
from fusedtomo.reconstruct import reconstruct
from fusedtomo.settings import SolverSettings, Weights
from tests.fusedtomo.reference import dense, project, total_variation
from workflows.campaign.config import CampaignConfig
from workflows.command.cli import app

METHODS = pytest.mark.parametrize("method", ["haadf-sirt", "haadf-tv"])


def _signal(dataset):
    return dataset.haadf.counts - np.float32(dataset.haadf.background)


@METHODS
def test_brightness_explains_the_images(place_for_long, tiny_dataset, method):
    settings = SolverSettings(max_iterations=300, tolerance=0.0)
    found = reconstruct(tiny_dataset, method, Weights(tv=0.05), settings, place=place_for_long)
    assert found.volume.elements == ("HAADF",)
    assert found.volume.shape == (8, 8, 6)
    assert set(found.history) == {"haadf", "total"} | ({"tv"} if method == "haadf-tv" else set())
    projected = Projector(tiny_dataset.haadf.scheme.angles_deg, 8, 8).forward(found.volume["HAADF"])
    signal = _signal(tiny_dataset)
    assert np.linalg.norm(projected - signal) < 0.1 * np.linalg.norm(signal)


@METHODS
def test_chemistry_does_not_enter(place, tiny_dataset, method):
    settings = SolverSettings(max_iterations=3, tolerance=0.0)
    other = replace(tiny_dataset, chemical=tuple(replace(s, counts=s.counts + 5) for s in tiny_dataset.chemical))
    one, two = (
        reconstruct(data, method, Weights(haadf=w), settings, place=place).volume
        for data, w in ((tiny_dataset, 0.1), (other, 7.0))
    )
    np.testing.assert_array_equal(one.data, two.data)


@METHODS
def test_start_mask_and_depth_are_those_of_the_caller(place, tiny_dataset, method):
    mask, first = np.zeros((5, 8, 6), bool), []
    mask[1:4] = True
    start = np.full((1, 5, 8, 6), 40, np.float32)
    data = reconstruct(
        tiny_dataset,
        method,
        settings=SolverSettings(max_iterations=2, depth=5),
        initial=start,
        mask=mask,
        place=place,
        callback=lambda _, volume: first.append(to_host(volume).copy()) or {},
    ).volume.data
    np.testing.assert_array_equal(first[0], start * mask)
    assert not data[:, ~mask].any()
    with pytest.raises(InputError, match=r"shape \(3, 8, 8, 6\), but the data set's is \(1, 8, 8, 6\)"):
        reconstruct(tiny_dataset, method, initial=np.zeros((3, 8, 8, 6), np.float32), place=place)


def test_sirt_from_nothing_is_the_scaled_back_projection(place, tiny_dataset):
    matrix, signal = dense(Projector(tiny_dataset.haadf.scheme.angles_deg, 8, 8)), _signal(tiny_dataset)
    found = reconstruct(tiny_dataset, "haadf-sirt", settings=SolverSettings(max_iterations=1), place=place).volume
    rows, columns = np.maximum(matrix.sum(axis=1), 1e-3), np.maximum(matrix.sum(axis=0), 1e-3)
    expected = np.maximum((matrix.T @ (signal.reshape(-1, 6) / rows[:, None])) / columns[:, None], 0)
    np.testing.assert_allclose(found.data.reshape(-1, 6), expected, rtol=1e-4, atol=1e-3)


def test_tv_reaches_the_cost_that_l_bfgs_b_finds_with_smoothed_gradients(place_for_long, tiny_dataset):
    matrix, signal = dense(Projector(tiny_dataset.haadf.scheme.angles_deg, 8, 8)), _signal(tiny_dataset)
    variance = noise_variance(signal)
    weight, scale = 0.3 * np.sqrt(len(signal) / variance), float(signal.max()) / 8

    def data_term(x):
        misfit = project(matrix, x[None])[0] - signal.reshape(-1, 6)
        return float((misfit**2).sum()) / (2 * variance), (matrix.T @ misfit).reshape(x.shape) / variance

    def smoothed(flat):  # sqrt(|grad x|^2 + d^2) with a small d, whose gradient is plain
        x = flat.reshape(8, 8, 6)
        value, gradient = data_term(x)
        steps = [np.diff(x, axis=axis, append=np.take(x, [-1], axis)) for axis in range(3)]
        length = np.sqrt(sum(step**2 for step in steps) + (1e-3 * scale) ** 2)
        for axis, step in enumerate(steps):
            flow = np.moveaxis(weight * step / length, axis, 0)
            out = np.moveaxis(gradient, axis, 0)
            out[:-1] -= flow[:-1]
            out[1:] += flow[:-1]
        return value + weight * float(length.sum()), gradient.ravel()

    best = minimize(
        smoothed,
        np.full(8 * 8 * 6, scale),
        jac=True,
        bounds=[(0, None)] * 384,
        method="L-BFGS-B",
        options={"maxiter": 3000, "maxfun": 6000, "ftol": 1e-12},
    )
    settings = SolverSettings(max_iterations=400, tolerance=0.0, tv_iterations=20)
    found = reconstruct(tiny_dataset, "haadf-tv", Weights(tv=0.3), settings, place=place_for_long)
    x = best.x.reshape(8, 8, 6)
    reached = data_term(x)[0] + weight * total_variation(x)
    assert found.history["total"][-1] <= reached * (1 + 1e-3)


def test_a_campaign_cannot_score_it():
    with pytest.raises(ValueError, match=r"haadf-tv finds no elements.*--method haadf-tv"):
        CampaignConfig.model_validate({"name": "x", "methods": ["fused", "haadf-tv"]})


def test_the_command_writes_a_volume_of_brightness(tiny_dataset, tiny_phantom, tmp_path):
    data, out = tmp_path / "data.h5", tmp_path / "haadf.h5"
    write_dataset(tiny_dataset, data, tiny_phantom)
    told = CliRunner().invoke(
        app, ["reconstruct", str(data), "--method", "haadf-tv", "--iterations", "4", "--compare", "--out", str(out)]
    )
    assert told.exit_code == 0, told.output
    assert "weights: tv 1\n" in told.output
    assert "NRMSE" not in told.output
    assert read_volume(out).elements == ("HAADF",)
    assert read_attributes(out)["method"] == "haadf-tv"
    assert (tmp_path / "haadf.slices.png").exists()
