"""FISTA with least squares and TV on the chemical data (Supplement 21d)."""

import numpy as np

from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers import terms
from fusedtomo.solvers.accelerated import minimise
from fusedtomo.solvers.fused import initial_volume
from fusedtomo.solvers.objective import Objective, Term
from fusedtomo.solvers.solution import Callback, Solution
from fusedtomo.tilts import FusedDataset


def fista_tv(
    dataset: FusedDataset,
    weights: Weights,
    settings: SolverSettings,
    *,
    initial: np.ndarray | None = None,
    callback: Callback | None = None,
) -> Solution:
    """Minimise the least-squares chemistry term and TV; suits high counts."""
    start = initial_volume(dataset, settings) if initial is None else initial
    chemical = Term(terms.chemical_least_squares(dataset, settings), weights.chemical)
    objective = Objective({"chemical": chemical}, terms.total_variation(dataset, weights.tv, settings))
    return minimise(objective, start, settings, callback=callback)
