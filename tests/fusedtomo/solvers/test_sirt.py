"""SIRT: its promise of a falling residual, and one iteration by hand."""

from itertools import pairwise

import numpy as np

from fusedtomo.operators.projector import Projector
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.sirt import sirt
from tests.fusedtomo.reference import dense, project


def _problem(dataset, iterations):
    return Problem(dataset, Weights(), SolverSettings(max_iterations=iterations, tolerance=0.0))


def test_weighted_residual_falls_in_every_iteration(tiny_dataset):
    """A projected gradient step in the metric of the column sums, which majorises A'RA."""
    costs = sirt(_problem(tiny_dataset, 60)).history["chemical"]
    # 1e-6 is the rounding of a float32 residual
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(costs))
    assert costs[-1] < 0.5 * costs[0]


def test_one_iteration_from_nothing_is_the_scaled_back_projection(tiny_dataset):
    matrix = dense(Projector(tiny_dataset.chemical_scheme.angles_deg, 8, 8))
    found = sirt(_problem(tiny_dataset, 1)).volume
    for channel, series in enumerate(tiny_dataset.chemical):
        b = (series.counts.reshape(-1, 6) - series.background) / series.gain
        rows, columns = np.maximum(matrix.sum(axis=1), 1e-3), np.maximum(matrix.sum(axis=0), 1e-3)
        expected = np.maximum((matrix.T @ (b / rows[:, None])) / columns[:, None], 0)
        np.testing.assert_allclose(found[channel].reshape(-1, 6), expected, atol=1e-5)


def test_noise_free_data_is_fitted(tiny_phantom, tiny_dataset):
    """Counts without noise and background are met by the phantom, and SIRT comes near it in the projections."""
    from fusedtomo.tilts import FusedDataset, TiltSeries

    angles = tiny_dataset.chemical_scheme
    clean = Projector(angles.angles_deg, 8, 8).forward(tiny_phantom.data)
    series = tuple(TiltSeries(e, 9 * s, angles, gain=9.0) for e, s in zip(tiny_phantom.elements, clean, strict=True))
    dataset = FusedDataset(tiny_dataset.haadf, series, 2.0)
    x = sirt(_problem(dataset, 300)).volume
    matrix = dense(Projector(angles.angles_deg, 8, 8))
    misfit = project(matrix, x) - clean.reshape(3, -1, 6)
    assert np.linalg.norm(misfit) < 0.05 * np.linalg.norm(clean)
