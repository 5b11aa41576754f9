"""Twins of the experimental figures: specimens like the measured ones, simulated with the same tilts.

The paper's measured data of Figs. 1 and 2 and of Supplements 1, 4, 5, 14 and 19 is not used here. Its twins have a
truth, so that what the paper reads off its reconstructions can be held against it. The paper gives doses, and no SNR:
those of the twins are chosen (HAADF 100, maps 3).
"""

from collections.abc import Iterable

import numpy as np

from fusedtomo.bodies import Bodies, bodies
from fusedtomo.methods import METHODS
from workflows.paper.claims import Claim, Find, Found, Runs
from workflows.paper.figure import PAPER, PaperFigure
from workflows.report.of_cells import kept

_NEAR = 0.15  # relative: of a size read off a reconstruction that is called right


def size_is_true(campaign: str, element: str, what: str) -> Find:
    """Whether a size read off the fused reconstruction is the truth's, read off in the same way; Poisson's beside it.

    Args:
        campaign: whose first cell that is shown is taken.
        element: of the bodies.
        what: "diameter" for the mean of all bodies, or "thickness".
    """

    def find(runs: Runs) -> Found | None:
        findings = runs[campaign]
        cell = findings.cells(findings.config.report.slices)[0]
        rows = kept(findings, cell)
        if "fused" not in rows:
            return None
        truth = findings.truth(findings.first(cell))
        true = _size(bodies(truth, truth)[element], what)
        sizes = {method: _size(bodies(findings.volume(one), truth)[element], what) for method, one in rows.items()}
        told = ", ".join(f"{METHODS[method].label} {{:.1f}}" for method in sizes)
        words, numbers = f"{element} {what} in nm: truth {true:.1f}, {told}", tuple(sizes.values())
        if np.isnan(true):
            return Found(f"{words}; the voxels are too coarse for the truth's bodies", None, numbers)
        return Found(words, bool(abs(sizes["fused"] - true) <= _NEAR * true), numbers)

    return find


def _size(found: Bodies, what: str) -> float:
    if what == "thickness":
        return found.thickness_nm
    return float(found.diameters_nm.mean()) if found.diameters_nm.size else float("nan")


def error_of_element(campaign: str, element: str) -> Find:
    """The NRMSE of one element's map in the first cell that is shown, of every method."""

    def find(runs: Runs) -> Found | None:
        findings = runs[campaign]
        cell = findings.cells(findings.config.report.slices)[0]
        found = {method: findings.best(one) for method, one in findings.beside(cell).items()}
        errors = {METHODS[method].label: best.nrmse_by_element[element] for method, best in found.items() if best}
        words = f"NRMSE of {element}: {', '.join(f'{label} {{:.2f}}' for label in errors)}"
        return Found(words, None, tuple(errors.values())) if errors else None

    return find


def _twin(name: str, campaign: str, title: str, paper: str, claims: Iterable[Claim]) -> None:
    shows = ("views", "slices", "bodies", "resolution", "stoichiometry")
    PAPER.register(PaperFigure(name, title, paper, (campaign,), shows, tuple(claims)))


_NOTE = (
    "Sizes of the truth are read off on the same grid in the same way, so that what is lost is the reconstruction's."
)

_twin(
    "fig1",
    "paper-fig1",
    "Twin of the Au-Fe3O4 superlattice",
    "Figs. 1 and 3, Supplement 19",
    (
        Claim("Fe3O4 particles of 10.2 ± 1.1 nm", size_is_true("paper-fig1", "Fe", "diameter"), _NOTE),
        Claim(
            "Au particles of 3.9 ± 0.4 nm", size_is_true("paper-fig1", "Au", "diameter"), "less than 2 voxels at 40³"
        ),
    ),
)
_twin(
    "s1",
    "paper-s1",
    "Twin of the Au-Fe3O4 superlattice inside a carbon matrix",
    "Supplement 1",
    (
        Claim(
            "the carbon matrix is reconstructed together with the particles",
            error_of_element("paper-s1", "C"),
            "The paper shows the matrix and has no number of it; how far it reaches is chosen here.",
        ),
        Claim("Fe3O4 particles of 10.2 ± 1.1 nm", size_is_true("paper-s1", "Fe", "diameter"), _NOTE),
    ),
)
_twin(
    "fig2",
    "paper-fig2",
    "Twin of the Co3O4-Mn3O4 core-shell nanocrystals",
    "Fig. 2, Supplement 19",
    (Claim("cross-sections quantify the shell thickness", size_is_true("paper-fig2", "Mn", "thickness"), _NOTE),),
)
_twin(
    "s4",
    "paper-s4",
    "Twin of the ZnS-Cu0.64S0.36 heterostructures",
    "Supplement 4",
    (Claim("ZnS and copper sulfide are told apart", size_is_true("paper-s4", "Cu", "thickness"), _NOTE),),
)
_twin(
    "s5",
    "paper-s5",
    "Twin of the Cu-SiC catalyst",
    "Supplement 5",
    (Claim("Cu nanoparticles embedded inside the SiC support", size_is_true("paper-s5", "Cu", "diameter"), _NOTE),),
)
_twin(
    "s14",
    "paper-s14",
    "Twin of the thick C-TiO2 particle",
    "Supplement 14",
    (Claim("(a TiO2 particle of 280 nm)", size_is_true("paper-s14", "Ti", "diameter"), _NOTE),),
)
