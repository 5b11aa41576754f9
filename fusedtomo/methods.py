"""Which reconstruction methods are there, and what does each of them use?

A method is one value: whatever names, draws or searches methods asks it. Add one by `METHODS.register(Method(...))`
(docs/adding.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from fusedtomo.elements import HAADF
from fusedtomo.registry import Registry

if TYPE_CHECKING:
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
    solve: Callable[..., "Solution"]
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


def _late(place: str) -> Callable[..., "Solution"]:
    """The function of a module of fusedtomo.solvers, imported at its first call: most commands only name methods."""
    module, name = place.split(".")

    def solve(*arguments: Any, **options: Any) -> "Solution":
        solution: Solution = getattr(import_module(f"fusedtomo.solvers.{module}"), name)(*arguments, **options)
        return solution

    return solve


_EQ_1: frozenset[Term] = frozenset({"haadf", "chemical", "tv"})
_CHEMICAL_TV: frozenset[Term] = frozenset({"chemical", "tv"})
_DATA: frozenset[Term] = frozenset({"haadf", "chemical"})
_ALL = ("haadf", "chemical", "tv", "gamma", "eps")
_OF_DATA = ("haadf", "chemical", "gamma", "eps")
_OF_CHEMICAL_TV = ("chemical", "tv", "eps")
for _method in (
    Method("fused", "fused", _late("fused.fused"), _EQ_1, _ALL, "#0072B2", "o"),
    Method(
        "fused-weighted", "fused, edge-weighted", _late("reweighted.fused_weighted"), _EQ_1, _ALL, "#332288", "*", 3
    ),
    Method("gradient-descent", "Algorithm 1", _late("gradient_descent.gradient_descent"), _EQ_1, _ALL, "#56B4E9", "P"),
    Method("fused-without-tv", "fused without TV", _late("fused.fused_without_tv"), _DATA, _OF_DATA, "#882255", "<"),
    Method("poisson-tv", "Poisson + TV", _late("fused.poisson_tv"), _CHEMICAL_TV, _OF_CHEMICAL_TV, "#E69F00", "s"),
    Method("poisson", "Poisson", _late("fused.poisson"), frozenset({"chemical"}), (), "#7F7F7F", "^"),
    Method("sirt", "SIRT", _late("sirt.sirt"), frozenset({"chemical"}), (), "#CC79A7", "v"),
    Method("haadf-sirt", "HAADF, SIRT", _late("sirt.haadf_sirt"), frozenset({"haadf"}), (), "#999933", "H"),
    Method("haadf-tv", "HAADF + TV", _late("haadf_tv.haadf_tv"), frozenset({"haadf", "tv"}), ("tv",), "#AA4499", "d"),
    Method("fista-tv", "FISTA + TV", _late("fused.fista_tv"), _CHEMICAL_TV, ("chemical", "tv"), "#009E73", "D"),
):
    METHODS.register(_method)
