"""Supplements 13, 22 and 23: weights over the maps, landscapes and Pareto fronts of single cells, convergence."""

import math

from fusedtomo.methods import METHODS
from workflows.figures.pareto import pareto_info
from workflows.paper.claims import Claim, Find, Found, Runs
from workflows.paper.figure import PAPER, PaperFigure
from workflows.record.journal import CAP, by_condition

_TOLERABLE = 0.05  # of the NRMSE that a choice without the truth may cost, to be called good


def knee_is_good(campaign: str) -> Find:
    """What the inflection point of the Pareto front, found without the truth, costs beside the best trial."""

    def find(runs: Runs) -> Found | None:
        findings = runs[campaign]
        (cell,) = findings.cells(findings.config.report.landscapes)
        own = by_condition(findings.trials).get(findings.first(cell).key, [])
        info = pareto_info(own)
        if info is None or info.knee is None:
            return None
        lost = info.nrmse[info.knee] / info.nrmse[info.best] - 1
        numbers = f"NRMSE {info.nrmse[info.knee]:.3f} at the inflection point, {info.nrmse[info.best]:.3f} at best"
        return Found(f"{numbers}: {lost:+.0%}", bool(lost <= _TOLERABLE))

    return find


def most_converge(campaign: str) -> Find:
    """The share of trials that stopped because they had converged, before the cap of iterations."""

    def find(runs: Runs) -> Found | None:
        trials = [trial for trial in runs[campaign].trials if trial.whole]
        if not trials:
            return None
        converged = sum(trial.stopped != CAP for trial in trials)
        cap = runs[campaign].config.solver.max_iterations
        return Found(f"{converged} of {len(trials)} within {cap} iterations", converged > len(trials) / 2)

    return find


def weights_move_little(campaign: str, method: str = "fused") -> Find:
    """How far the best weights of the cells lie apart, beside how far one may be off before the error grows by 5 %."""

    def find(runs: Runs) -> Found | None:
        cells, texts = runs[campaign].map.sel(method_name=method), []
        for name in METHODS[method].searched:
            if f"{name}_low" not in cells or not math.isfinite(float(cells[name].max())):
                continue
            low, high = (float(cells[name].quantile(q)) for q in (0.1, 0.9))
            tolerated = float((cells[f"{name}_high"] / cells[f"{name}_low"]).median())
            texts.append(f"{name} {low:.2g} to {high:.2g} in 80 % of cells, of which each tolerates {tolerated:.1f} x")
        return Found("; ".join(texts)) if texts else None

    return find


_VARY = Claim(
    "the weights can vary with the number of tilts, yet do not change significantly between datasets",
    weights_move_little("paper-fig4"),
    "Few trials a cell scatter the best weights within what costs less than 5 %: the tolerated range is a lower bound.",
)

PAPER.register(
    PaperFigure(
        name="s13",
        title="Pareto front and convergence",
        paper="Supplement 13",
        campaigns=("paper-s13",),
        shows=("pareto", "cost", "landscape"),
        claims=(
            Claim(
                "the highest quality occurs around the inflection point of the Pareto front",
                knee_is_good("paper-s13"),
                "It holds where the blind choice costs at most 5 % of NRMSE.",
            ),
            Claim("all terms decay smoothly and asymptotically", most_converge("paper-s13")),
        ),
    )
)
PAPER.register(
    PaperFigure(
        name="s22",
        title="Weights of the nanocubes: atlas and landscape",
        paper="Supplement 22",
        campaigns=("paper-fig4", "paper-s13"),
        shows=("atlas", "landscape"),
        claims=(_VARY,),
    )
)
PAPER.register(
    PaperFigure(
        name="s23",
        title="Weights of the nanotube: atlas, landscape and Pareto front",
        paper="Supplement 23",
        campaigns=("paper-s10", "paper-s23"),
        shows=("atlas", "landscape", "pareto"),
        claims=(
            Claim(_VARY.says, weights_move_little("paper-s10"), _VARY.note),
            Claim("the inflection point serves here as well", knee_is_good("paper-s23")),
        ),
    )
)
