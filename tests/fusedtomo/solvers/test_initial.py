"""The initial volume: expectation maximisation on the chemistry alone, and its lift for the fused solver."""

from itertools import pairwise

import numpy as np
import pytest

from fusedtomo.losses import ChemicalPoisson
from fusedtomo.operators.projector import Projector
from fusedtomo.solvers.initial import lifted, maximum_likelihood

GAIN, EPS = np.array([8.0, 20.0]), np.array([0.5, 2.0])


@pytest.fixture
def loss(rng):
    projector = Projector([-60.0, -20.0, 15.0, 50.0], 6, 7)
    truth = rng.uniform(0, 1, (2, 6, 7, 3)).astype(np.float32)
    expected = GAIN[:, None, None, None] * projector.forward(truth) + EPS[:, None, None, None]
    return ChemicalPoisson(projector, rng.poisson(expected).astype(np.float32), GAIN, EPS)


def test_every_iteration_raises_the_likelihood(loss):
    """What expectation maximisation promises (Shepp and Vardi 1982)."""
    costs = [loss.value(loss.project(maximum_likelihood(loss, (6, 7, 3), n))) for n in range(12)]
    assert all(after < before for before, after in pairwise(costs))


def test_initial_volumes_are_positive_and_right_in_scale(loss):
    volume = maximum_likelihood(loss, (6, 7, 3), 5)
    assert volume.dtype == np.float32
    assert (volume > 0).all()
    np.testing.assert_allclose(volume.mean(axis=(1, 2, 3)), 0.5, rtol=0.15)  # the mean of the truth


def test_empty_series_give_finite_volumes(loss):
    empty = ChemicalPoisson(loss.projector, np.zeros_like(loss.counts), GAIN, EPS)
    volume = maximum_likelihood(empty, (6, 7, 3), 5)
    assert np.isfinite(volume).all()
    assert volume.max() < 0.01  # no counts, no matter


def test_lift_raises_the_lowest_voxels_to_a_fifth_of_the_peak(rng):
    volume = rng.random((2, 6, 7, 3), dtype=np.float32) * np.array([1, 30], np.float32)[:, None, None, None]
    before = volume.copy()
    high = lifted(volume)
    peak = np.quantile(volume, 0.999, axis=(1, 2, 3), keepdims=True)
    np.testing.assert_array_equal(high, np.maximum(volume, np.float32(0.2) * peak).astype(np.float32))
    np.testing.assert_array_equal(volume, before)
