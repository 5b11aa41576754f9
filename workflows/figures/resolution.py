"""How fine are the details of a volume? Its spectra, its agreement with another one and its edges (paper, Fig. 3)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN
from fusedtomo.resolution import FIXED, REGIONS, Region, Resolution, half_bit

_ROW_IN = 1.75
_WORDS = {"all": "all directions", "measured": "measured", "missing": "missing wedge"}
_DASHES = {"measured": "-", "missing": "--", "all": "-", "x": "-", "y": "--", "z": ":"}


@dataclass(frozen=True)
class ResolutionInfo:
    """The resolution of every element."""

    elements: Mapping[str, Resolution]

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of a figure with a column an element."""
        return DOUBLE_COLUMN_IN, _ROW_IN * len(self.rows)

    @property
    def rows(self) -> tuple[str, ...]:
        """What is drawn below each other."""
        compared = any(one.correlations for one in self.elements.values())
        return ("spectra", *(["correlations"] if compared else []), "edges")

    @property
    def alt_text(self) -> str:
        """What is seen, in numbers."""
        parts = [f"{name}: {_told(one)}" for name, one in self.elements.items()]
        return f"Power spectra, agreement and edges of {len(parts)} elements. {'; '.join(parts)}."


def _told(one: Resolution) -> str:
    edges = ", ".join(f"{axis} {found.half_pitch_nm:.2f} nm" for axis, found in one.edges.items())
    return f"half-pitch along {edges}" if edges else "without an edge along an axis"


def regions_of(one: Resolution) -> tuple[Region, ...]:
    """The regions whose curves are drawn: measured and missing where there is a wedge, else all."""
    return ("measured", "missing") if "missing" in one.spectra else ("all",)


def draw_resolution(info: ResolutionInfo, figure: Figure) -> None:
    """Draw a column an element: power spectrum, shell correlation where there is one, edge profiles."""
    panels = figure.subplots(len(info.rows), len(info.elements), squeeze=False, sharey="row", sharex="row")
    draw = {"spectra": _draw_spectra, "correlations": _draw_correlations, "edges": _draw_edges}
    for column, (name, one) in enumerate(info.elements.items()):
        panels[0, column].set_title(name)
        for panel, row in zip(panels[:, column], info.rows, strict=True):
            draw[row](one, panel)
            panel.spines[["top", "right"]].set_visible(False)
    for row in panels:
        row[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        for panel in row[1:]:
            panel.set_ylabel("")


def _draw_spectra(one: Resolution, ax: Axes) -> None:
    for region in regions_of(one):
        shells = one.spectra[region]
        ax.plot(shells.frequency, shells.value, _DASHES[region], label=_WORDS[region])
    ax.set(yscale="log", xlabel="frequency (1/nm)", ylabel="power")


def _draw_correlations(one: Resolution, ax: Axes) -> None:
    for region in regions_of(one):
        shells = one.correlations[region]
        ax.plot(shells.frequency, shells.value, _DASHES[region], label=_WORDS[region])
    shells = one.correlations[regions_of(one)[0]]
    ax.plot(shells.frequency, half_bit(shells), ":", color="black", label="half-bit")
    ax.axhline(FIXED, color="gray", linewidth=0.6, label=f"{FIXED}")
    ax.set(ylim=(-0.1, 1.05), xlabel="frequency (1/nm)", ylabel="shell correlation")


def _draw_edges(one: Resolution, ax: Axes) -> None:
    for axis, found in one.edges.items():
        ax.plot(found.distance_nm, found.profile, _DASHES[axis], label=f"{axis}")
    ax.set(xlabel="distance (nm)", ylabel="mean edge")


def table(info: ResolutionInfo) -> list[dict[str, str | float]]:
    """One row an element and region; what is not found is NaN."""
    return [
        {
            "element": name,
            "region": region,
            "half_pitch_nm": next((e.half_pitch_nm for axis, e in one.edges.items() if axis == region), np.nan),
            "noise_floor_nm": _number(one.cutoff_nm(region)),
            "half_bit_nm": _number(one.agrees_to_nm(region)) if one.correlations else np.nan,
            "fsc_0143_nm": _number(one.agrees_to_nm(region, fixed=True)) if one.correlations else np.nan,
        }
        for name, one in info.elements.items()
        for region in REGIONS
        if region in one.spectra
    ]


def _number(value: float | None) -> float:
    return np.nan if value is None else value
