"""The paper's Discussion and Supplement 14: what makes fusion fail, and how soon?"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fusedtomo.methods import METHODS, Method
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, to_figure
from workflows.campaign import AXES
from workflows.campaign.axes import Axis, text
from workflows.campaign.measures import MEASURES
from workflows.maps.sampling_map import METHOD
from workflows.paper.claims import Claim, Find, Found, Runs
from workflows.paper.figure import PAPER, PaperFigure
from workflows.report.findings import Findings
from workflows.report.product import Drawn

CAMPAIGNS = (
    "paper-fails-thickness",
    "paper-fails-unmapped",
    "paper-fails-gamma",
    "paper-fails-background",
    "paper-fails-misalignment",
    "paper-fails-range",
    "paper-fails-grid",
)
_MEASURES = ("nrmse", "stoichiometry_error")
_COLUMNS = 4
_ROW_IN = 1.55


@dataclass(frozen=True, eq=False)
class Panel:
    """One measure over one axis: a curve for each method.

    Attributes:
        axis: that is varied.
        values: of the axis.
        measure: name of what is drawn.
        curves: method and its (value,) float64.
    """

    axis: Axis
    values: tuple[str, ...]
    measure: str
    curves: tuple[tuple[Method, np.ndarray], ...]


@dataclass(frozen=True, eq=False)
class FailuresInfo:
    """All panels, those of one axis beside each other in `_MEASURES`' order."""

    panels: tuple[Panel, ...]

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of the figure."""
        return DOUBLE_COLUMN_IN, _ROW_IN * -(-len(self.panels) // _COLUMNS) + 0.3

    @property
    def alt_text(self) -> str:
        """What is seen, in numbers: the first and the worst value of each curve."""
        told = (
            f"{MEASURES[panel.measure].label} over {panel.axis.label}: "
            + ", ".join(f"{method.label} {np.nanmin(y):.2f} to {np.nanmax(y):.2f}" for method, y in panel.curves)
            for panel in self.panels
        )
        return f"{'; '.join(told)}."

    @property
    def table(self) -> pd.DataFrame:
        """One row a value, method and measure."""
        rows = [
            {"axis": panel.axis.name, "value": value, "method": method.label, "measure": panel.measure, "error": error}
            for panel in self.panels
            for method, curve in panel.curves
            for value, error in zip(panel.values, curve, strict=True)
        ]
        return pd.DataFrame(rows)


def failures_info(runs: Runs) -> FailuresInfo:
    """What campaigns of one axis each found, as far as they have results."""
    return FailuresInfo(tuple(panel for findings in runs.values() for panel in _panels(findings)))


def _panels(findings: Findings) -> Iterator[Panel]:
    ((name, values),) = findings.config.axes.items()
    for measure in _MEASURES:
        found = findings.map[measure]
        methods = [method for method in findings.config.methods if np.isfinite(found.sel({METHOD: method})).any()]
        if methods:
            curves = tuple((METHODS[method], found.sel({METHOD: method}).values) for method in methods)
            yield Panel(AXES[name], tuple(map(text, values)), measure, curves)


def draw_failures(info: FailuresInfo, figure: Figure) -> None:
    """Draw a small panel for each axis and measure; values stand at equal distances, as written."""
    rows = -(-len(info.panels) // _COLUMNS)
    grid = np.ravel(figure.subplots(rows, _COLUMNS, squeeze=False))
    for ax, panel in zip(grid, info.panels, strict=False):
        places = np.arange(len(panel.values))
        for method, curve in panel.curves:
            ax.plot(places, curve, color=method.color, marker=method.marker, label=method.label)
        ax.set_xticks(places, panel.values)
        ax.set_xlabel(panel.axis.label)
        ax.set_ylabel(MEASURES[panel.measure].label)
        ax.set_ylim(bottom=0)
    for ax in grid[len(info.panels) :]:
        ax.set_axis_off()
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)


def failures(runs: Runs) -> Drawn | None:
    """NRMSE and stoichiometry error against everything that goes wrong."""
    info = failures_info(runs)
    if not info.panels:
        return None
    caption = (
        "NRMSE and stoichiometry error against what goes wrong, each with its best weights: at 47 HAADF and 9 chemical "
        "tilts, the paper's SNR. Where the curve of fusion meets that of Poisson + TV, HAADF images no longer help. "
        "Poisson + TV does not see what alters the HAADF images alone."
    )
    figure = to_figure(draw_failures, info)
    return Drawn("Where it fails", caption, figure, info.alt_text, info.table)


def grows(campaign: str) -> Find:
    """By how much the error of fusion grows from its best value of the axis to its worst."""

    def find(runs: Runs) -> Found | None:
        findings = runs[campaign]
        ((_, values),) = findings.config.axes.items()
        found = findings.map.nrmse.sel({METHOD: "fused"}).values
        if not np.isfinite(found).all():
            return None
        low, high = int(found.argmin()), int(found.argmax())
        told = f"{found[low]:.3f} at {text(values[low])}, {found[high]:.3f} at {text(values[high])}"
        return Found(f"{told}: {found[high] / found[low] - 1:+.0%}")

    return find


def fails(campaign: str) -> Find:
    """Whether the worst value of the axis takes away all that fusion gains over Poisson + TV."""

    def find(runs: Runs) -> Found | None:
        error = runs[campaign].map.nrmse
        fused, other = (error.sel({METHOD: name}).values for name in ("fused", "poisson-tv"))
        if not np.isfinite([fused.max(), other.max()]).all():
            return None
        return Found(f"at worst {fused.max():.3f}, Poisson + TV {other.max():.3f}", bool(fused.max() >= other.max()))

    return find


PAPER.register(
    PaperFigure(
        name="fails",
        title="Where it fails",
        paper="Discussion, Supplement 14",
        campaigns=CAMPAIGNS,
        shows=(),
        draw=(failures,),
        claims=(
            Claim(
                "thick specimens with inverted contrast make multi-modal tomography fail",
                fails("paper-fails-thickness"),
                "It fails where the best weights of fusion are no better than Poisson + TV.",
            ),
            Claim(
                "it works best when all elements have been imaged",
                grows("paper-fails-unmapped"),
                "NRMSE of the elements that are mapped.",
            ),
            Claim("a wrong background causes inaccurate quantification", grows("paper-fails-background")),
            Claim("gamma is typically around 1.7, between 4/3 and 2", grows("paper-fails-gamma"), "2 is true here"),
            Claim(
                "(misaligned tilts)", grows("paper-fails-misalignment"), "random shifts, standard deviation in pixels"
            ),
            Claim("(tilt range of the chemical maps)", grows("paper-fails-range")),
            Claim("(the inverse crime)", grows("paper-fails-grid"), "the paper simulates on the same grid"),
        ),
    )
)
