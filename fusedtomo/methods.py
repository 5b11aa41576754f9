"""Which reconstruction methods are there, and what does each of them use?

A method is one value: whatever names, draws or searches methods asks it. Add one by `METHODS.register(Method(...))`
(docs/adding.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fusedtomo.elements import HAADF
from fusedtomo.registry import Registry
from fusedtomo.solvers.fused import fista_tv, fused, fused_without_tv, poisson, poisson_tv
from fusedtomo.solvers.gradient_descent import gradient_descent
from fusedtomo.solvers.haadf_tv import haadf_tv
from fusedtomo.solvers.reweighted import SOLVES, fused_weighted
from fusedtomo.solvers.sirt import haadf_sirt, sirt
from fusedtomo.solvers.solution import Solution

Term = Literal["haadf", "chemical", "tv"]


@dataclass(frozen=True)
class Method:
    """One way to reconstruct a data set.

    Attributes:
        name: as written in campaigns, keys and commands.
        label: what people read, in every table and figure.
        solve: (problem, *, initial, callback) -> Solution.
        terms: what its cost function holds of Eq. 1. A method without the term "haadf" does not see the HAADF series,
            so whatever alters that series alone does not alter its result. One without the term "chemical" sees HAADF
            alone: it finds brightness and no elements, and no error against a specimen can be told.
        searched: parameters that change its result, in the order of a search.
        color, marker: in every figure (Okabe and Ito 2008, and a dark red and an indigo of Paul Tol's: colour-blind
            readers tell them apart).
        solves: how many times it may take as many iterations as `SolverSettings.max_iterations` says.
    """

    name: str
    label: str
    solve: Callable[..., Solution]
    terms: frozenset[Term]
    searched: tuple[str, ...]
    color: str
    marker: str
    solves: int = 1

    def uses(self, term: Term | None) -> bool:
        """Whether it has a term; None stands for what every method sees."""
        return term is None or term in self.terms

    def channels(self, elements: tuple[str, ...]) -> tuple[str, ...]:
        """What its volume holds of a data set with maps of these elements."""
        return elements if self.uses("chemical") else (HAADF,)


METHODS: Registry[Method] = Registry("method")

_EQ_1: frozenset[Term] = frozenset({"haadf", "chemical", "tv"})
_TWO_TERMS: frozenset[Term] = frozenset({"chemical", "tv"})
_DATA_TERMS: frozenset[Term] = frozenset({"haadf", "chemical"})
_PARAMETERS = ("haadf", "chemical", "tv", "gamma", "eps")
_OF_DATA = ("haadf", "chemical", "gamma", "eps")
for _method in (
    Method("fused", "fused", fused, _EQ_1, _PARAMETERS, "#0072B2", "o"),
    Method("fused-weighted", "fused, edge-weighted", fused_weighted, _EQ_1, _PARAMETERS, "#332288", "*", SOLVES),
    Method("gradient-descent", "Algorithm 1", gradient_descent, _EQ_1, _PARAMETERS, "#56B4E9", "P"),
    Method("fused-without-tv", "fused without TV", fused_without_tv, _DATA_TERMS, _OF_DATA, "#882255", "<"),
    Method("poisson-tv", "Poisson + TV", poisson_tv, _TWO_TERMS, ("chemical", "tv", "eps"), "#E69F00", "s"),
    Method("poisson", "Poisson", poisson, frozenset({"chemical"}), (), "#7F7F7F", "^"),
    Method("sirt", "SIRT", sirt, frozenset({"chemical"}), (), "#CC79A7", "v"),
    Method("haadf-sirt", "HAADF, SIRT", haadf_sirt, frozenset({"haadf"}), (), "#999933", "H"),
    Method("haadf-tv", "HAADF + TV", haadf_tv, frozenset({"haadf", "tv"}), ("tv",), "#AA4499", "d"),
    Method("fista-tv", "FISTA + TV", fista_tv, _TWO_TERMS, ("chemical", "tv"), "#009E73", "D"),
):
    METHODS.register(_method)
