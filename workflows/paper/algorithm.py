"""Supplement 24: the paper's own algorithm beside this code's, each with three weights searched by GP-Hedge."""

from collections.abc import Sequence
from statistics import median

from workflows.campaign import Condition
from workflows.paper.claims import Claim, Find, Found, Runs
from workflows.paper.figure import PAPER, PaperFigure
from workflows.record.journal import TrialResult, by_condition
from workflows.report.findings import Findings

_CAMPAIGN = "paper-algorithm1"
_NAMES = ("fused", "gradient-descent")


def _cells(findings: Findings) -> list[tuple[Condition, list[TrialResult]]]:
    """The conditions of both methods with their whole trials, in the order of the axis, ours first."""
    groups = by_condition(findings.trials)
    pairs = zip(*(findings.config.cells(name) for name in _NAMES), strict=True)
    return [(cell, [t for t in groups.get(cell.key, []) if t.whole]) for pair in pairs for cell in pair]


def _compared(say: str, of: str, number: str = "{:.2f}") -> Find:
    """A number of both methods in every cell: of the best trial, or the median of all."""

    def find(runs: Runs) -> Found | None:
        cells = _cells(runs[_CAMPAIGN])
        if not all(trials for _, trials in cells):
            return None
        found = [number.format(_number(trials, of)) for _, trials in cells]
        texts = (
            f"{own} and {other} ({cell.words.split(', ', 1)[1]})"
            for (cell, _), own, other in zip(cells[::2], found[::2], found[1::2], strict=True)
        )
        return Found(f"{say}, fused and Algorithm 1: {'; '.join(texts)}")

    return find


def _number(trials: Sequence[TrialResult], of: str) -> float:
    best = min(trials, key=lambda trial: trial.measure("nrmse"))
    return {
        "nrmse": best.measure("nrmse"),
        "seconds": median(trial.seconds for trial in trials),
        "iterations": best.iterations,
        "evaluations": 1
        + next(k for k, trial in enumerate(trials) if trial.measure("nrmse") <= 1.02 * best.measure("nrmse")),
    }[of]


PAPER.register(
    PaperFigure(
        name="algorithm1",
        title="Algorithm 1 as printed, beside fused",
        paper="Supplement 24",
        campaigns=(_CAMPAIGN,),
        shows=("sampling_map", "slices"),
        claims=(
            Claim(
                "(what Algorithm 1 reaches)", _compared("lowest NRMSE", "nrmse", "{:.3f}"), "same trials, same space"
            ),
            Claim("100 iterations", _compared("iterations of the best trial", "iterations", "{:.0f}")),
            Claim(
                "some 50 evaluations a cell", _compared("evaluations to 2 % above its best", "evaluations", "{:.0f}")
            ),
            Claim(
                "(time)",
                _compared("median seconds of a trial", "seconds", "{:.1f}"),
                "one core each, simulation included",
            ),
        ),
    )
)
