"""Fused multi-modal reconstruction (Eq. 1) and the two rows below it: Poisson + TV, and Poisson alone."""

import numpy as np

from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers import terms
from fusedtomo.solvers.accelerated import minimise
from fusedtomo.solvers.initial import lifted, maximum_likelihood
from fusedtomo.solvers.objective import Objective, Term
from fusedtomo.solvers.solution import Callback, Solution
from fusedtomo.tilts import FusedDataset


def initial_volume(dataset: FusedDataset, settings: SolverSettings) -> np.ndarray:
    """A few maximum-likelihood iterations on the chemical data, (element, z, y, x)."""
    loss = terms.chemical_poisson(dataset, settings)
    return maximum_likelihood(loss, terms.volume_shape(dataset, settings), settings.initial_iterations)


def fused(
    dataset: FusedDataset,
    weights: Weights,
    settings: SolverSettings,
    *,
    initial: np.ndarray | None = None,
    callback: Callback | None = None,
) -> Solution:
    """Minimise all three terms of Eq. 1."""
    start = initial_volume(dataset, settings) if initial is None else initial
    objective = Objective(
        {
            "haadf": Term(terms.haadf_least_squares(dataset, settings), weights.haadf),
            "chemical": Term(terms.chemical_poisson(dataset, settings), weights.chemical),
        },
        terms.total_variation(dataset, weights.tv, settings),
    )
    return minimise(objective, lifted(start), settings, callback=callback)


def poisson_tv(
    dataset: FusedDataset,
    weights: Weights,
    settings: SolverSettings,
    *,
    initial: np.ndarray | None = None,
    callback: Callback | None = None,
) -> Solution:
    """Compressed sensing: Poisson likelihood and TV, without the HAADF term (Supplement 9)."""
    start = initial_volume(dataset, settings) if initial is None else initial
    chemical = Term(terms.chemical_poisson(dataset, settings), weights.chemical)
    objective = Objective({"chemical": chemical}, terms.total_variation(dataset, weights.tv, settings))
    return minimise(objective, start, settings, callback=callback)


def poisson(
    dataset: FusedDataset,
    weights: Weights,
    settings: SolverSettings,
    *,
    initial: np.ndarray | None = None,
    callback: Callback | None = None,
) -> Solution:
    """Conventional chemical tomography: Poisson maximum likelihood, element by element; needs no weight."""
    without = weights.model_copy(update={"chemical": 1.0, "tv": 0.0})
    return poisson_tv(dataset, without, settings, initial=initial, callback=callback)
