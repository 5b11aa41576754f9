"""Supplement 21: how good must the images be?"""

from collections.abc import Sequence

import numpy as np

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import to_figure
from workflows.campaign.axes import text
from workflows.figures.along import over_last_axis
from workflows.figures.curves import draw_curves
from workflows.maps.sampling_map import METHOD
from workflows.paper.claims import Claim, Find, Found, Runs, error_at, errors
from workflows.paper.figure import PAPER, PaperFigure
from workflows.report.product import Drawn

_CONVERGED = 1.1  # times the error at the highest SNR


def levels_off(campaign: str, which: int, at: float) -> Find:
    """Whether along one of two axes, the other at its end, the error at a value is at most a tenth above the end's."""

    def find(runs: Runs) -> Found | None:
        findings = runs[campaign]
        ends = [values[-1] for values in findings.config.axes.values()]
        there = tuple(at if index == which else end for index, end in enumerate(ends))
        here, last = (error_at(findings, "fused", cell) for cell in (there, tuple(ends)))
        if not np.isfinite([here, last]).all():
            return None
        return Found(f"{{:.3f}} at {at:g}, {{:.3f}} at {ends[which]:g}", here <= _CONVERGED * last, (here, last))

    return find


def beats_at(campaign: str, haadf: float) -> Find:
    """Whether fusion beats conventional tomography at a poor HAADF SNR, for every chemical SNR."""

    def find(runs: Runs) -> Found | None:
        findings = runs[campaign]
        first = next(iter(findings.config.axes))
        own = findings.map.error.sel({first: haadf})
        ratios = (own.sel({METHOD: "poisson"}) / own.sel({METHOD: "fused"})).values
        if not np.isfinite(ratios).all():
            return None
        lowest, highest = float(ratios.min()), float(ratios.max())
        return Found("{:.1f} to {:.1f} times lower", lowest > 1, (lowest, highest))

    return find


def overtaken(campaign: str, by: Sequence[str]) -> Find:
    """From which value of the only axis on another method's error is below that of fusion."""

    def find(runs: Runs) -> Found | None:
        findings = runs[campaign]
        (values,) = findings.config.axes.values()
        fused = errors(findings, "fused")
        texts, overtaking = [], False
        for method in by:
            ahead = errors(findings, method) < fused
            overtaking |= bool(ahead[-1])
            start = len(values) - int(np.argmin(ahead[::-1])) if not ahead.all() else 0
            word = f"from {text(values[start])} on" if ahead[-1] else "nowhere"
            texts.append(f"{METHODS[method].label}: {word}")
        return Found("; ".join(texts), overtaking) if np.isfinite(fused).all() else None

    return find


def along_chemical_snr(runs: Runs) -> Drawn | None:
    """The error of each method over the chemical SNR, at the best HAADF images (Supplement 21c)."""
    findings = runs["paper-s21"]
    best = next(iter(findings.config.axes.values()))[-1]
    wanted = [(method, best) for method in findings.config.methods]
    info = over_last_axis(findings.config, findings.map.error, wanted, "NRMSE")
    if info is None:
        return None
    caption = "The lowest error of every method over the SNR of the chemical maps, at the best HAADF images (21c)."
    return Drawn("NRMSE over chemical SNR", caption, to_figure(draw_curves, info), info.alt_text)


PAPER.register(
    PaperFigure(
        name="s21",
        title="How good must the images be?",
        paper="Supplement 21",
        campaigns=("paper-s21", "paper-s21d"),
        shows=("sampling_map", "slices"),
        draw=(along_chemical_snr,),
        claims=(
            Claim("NRMSE converges above a HAADF SNR of 50", levels_off("paper-s21", 0, 50)),
            Claim("data fusion converges when the chemical SNR is above 6", levels_off("paper-s21", 1, 6)),
            Claim("fusion outperforms conventional tomography even at a HAADF SNR of 10", beats_at("paper-s21", 10)),
            Claim(
                "at equal sampling and high chemical SNR regularised tomography outperforms fusion",
                overtaken("paper-s21d", ("poisson-tv", "fista-tv")),
                "Where the solver's HAADF model is exact, as in simulations, fusion loses less than in an experiment.",
            ),
        ),
    )
)
