"""Fused multi-modal reconstruction (Eq. 1) and what is left of it without one term, or without two."""

from dataclasses import replace

from fusedtomo.arrays import Array
from fusedtomo.solvers.accelerated import minimise
from fusedtomo.solvers.initial import initial_volume, lifted
from fusedtomo.solvers.objective import Objective, Term
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.solution import Callback, Solution


def fused(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """Minimise all three terms of Eq. 1."""
    start = initial_volume(problem) if initial is None else initial
    return _minimise(problem, terms_of_eq_1(problem), lifted(start, problem.place.comm), callback)


def terms_of_eq_1(problem: Problem) -> dict[str, Term]:
    """Both data terms."""
    return {
        "chemical": Term(problem.chemical(), problem.weights.chemical),
        "haadf": Term(problem.haadf(), problem.weights.haadf),
    }


def fused_without_tv(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """Minimise both data terms of Eq. 1, without total variation (Supplements 2c and 3c)."""
    no_tv = problem.weights.model_copy(update={"tv": 0.0})
    return fused(replace(problem, weights=no_tv), initial=initial, callback=callback)


def poisson_tv(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """Compressed sensing: chemical likelihood and TV, without the HAADF term (Supplement 9)."""
    terms = {"chemical": Term(problem.chemical(), problem.weights.chemical)}
    return _minimise(problem, terms, initial_volume(problem) if initial is None else initial, callback)


def poisson(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """Conventional chemical tomography: maximum likelihood, element by element; needs no weight."""
    alone = problem.weights.model_copy(update={"chemical": 1.0, "tv": 0.0})
    return poisson_tv(replace(problem, weights=alone), initial=initial, callback=callback)


def fista_tv(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """FISTA with least squares and TV on the chemical data (Supplement 21d); suits high counts."""
    settings = problem.settings.model_copy(update={"chemical_term": "least-squares"})
    return poisson_tv(replace(problem, settings=settings), initial=initial, callback=callback)


def _minimise(problem: Problem, terms: dict[str, Term], start: Array, callback: Callback | None) -> Solution:
    objective = Objective(terms, problem.total_variation(), problem.place, problem.support)
    return minimise(objective, start, problem.settings, callback=callback)
