"""Supplement 11: is the stoichiometry that a reconstruction shows the true one?"""

from statistics import fmean

from fusedtomo.stoichiometry import Distribution, stoichiometry
from workflows.paper.claims import Claim, Find, Found, Runs
from workflows.paper.figure import PAPER, PaperFigure
from workflows.report.of_cells import kept

_CAMPAIGN = "paper-s11"
_PURE = 0.99  # expected fraction of what the paper gives no deviation for: gold


def _fractions(runs: Runs) -> dict[str, dict[str, Distribution]]:
    """Atomic fractions of the compounds' elements in the cell that is shown, by method; empty without it."""
    findings = runs[_CAMPAIGN]
    cell = findings.cells(findings.config.report.slices)[0]
    truth = findings.truth(findings.first(cell))
    found = {method: stoichiometry(findings.volume(one), truth) for method, one in kept(findings, cell).items()}
    return {
        method: {element: one.fraction for element, one in elements.items() if one.fraction.expected < _PURE}
        for method, elements in found.items()
    }


def means_within(method: str, most: float) -> Find:
    """Whether the mean fraction of every element is that near to the truth."""

    def find(runs: Runs) -> Found | None:
        found = _fractions(runs).get(method)
        if not found:
            return None
        words = ", ".join(f"{element} {{:.3f}} of {one.expected:.2f}" for element, one in found.items())
        near = all(abs(one.mean - one.expected) <= most for one in found.values())
        return Found(words, near, tuple(one.mean for one in found.values()))

    return find


def precision_gain(method: str, over: str, least: float) -> Find:
    """How many times smaller the deviation of fractions is than another method's; it holds from `least` on."""

    def find(runs: Runs) -> Found | None:
        found = _fractions(runs)
        if not (found.get(method) and found.get(over)):
            return None
        own, other = (fmean(one.deviation for one in found[name].values()) for name in (method, over))
        return Found("{:.3f} against {:.3f}: {:.1f} times", other >= least * own, (own, other, other / own))

    return find


PAPER.register(
    PaperFigure(
        name="s11",
        title="Stoichiometry over tilts and SNR",
        paper="Supplement 11",
        campaigns=(_CAMPAIGN,),
        shows=("stoichiometry", "concentrations", "sampling_map"),
        claims=(
            Claim(
                "mean concentrations within ± 0.03 of the expected 0.5",
                means_within("fused", 0.03),
                "atomic fractions at 14 chemical tilts and an SNR of 5; concentrations come out lower",
            ),
            Claim(
                "the deviation of 0.04 is four times better than the 0.17 of conventional tomography",
                precision_gain("fused", "poisson", 4),
            ),
        ),
    )
)
