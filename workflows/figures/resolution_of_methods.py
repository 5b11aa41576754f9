"""Which method resolves finer details, along which axis, and inside the missing wedge (paper, Fig. 3)?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN
from fusedtomo.plot.heat_map import title_lines
from fusedtomo.resolution import AXES, FIXED, Region, Resolution, Shells, half_bit
from workflows.figures.resolution import regions_of

_CURVES_IN, _LINE_IN, _AROUND_IN = 1.35, 0.12, 1.5
_DASHES = {"measured": "-", "all": "-", "missing": (0, (2, 1.2))}
_AXIS_MARKERS = {"x": ">", "y": "^", "z": "o"}


@dataclass(frozen=True, eq=False)
class MethodsInfo:
    """The resolution of every method's reconstruction, against the truth.

    Attributes:
        title: specimen, size and noise, or "".
        voxel_nm: edge of a voxel.
        methods: by name, in the order drawn: by element.
    """

    title: str
    voxel_nm: float
    methods: Mapping[str, Mapping[str, Resolution]]

    @property
    def elements(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(next(iter(self.methods.values())))

    @property
    def lines_in(self) -> float:
        """Height of the row of half-pitches: a line for each method."""
        return 0.2 + _LINE_IN * len(self.methods)

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height."""
        return DOUBLE_COLUMN_IN, 2 * _CURVES_IN + self.lines_in + _AROUND_IN

    @property
    def table(self) -> list[dict[str, str | float]]:
        """One row a method and element; what is not found is NaN."""
        return [_row(name, element, one) for name, found in self.methods.items() for element, one in found.items()]

    def told(self, method: str) -> str:
        """Half-pitches and the loss along the missing wedge of a method, in words and numbers."""
        return "; ".join(f"{element} {_told(one)}" for element, one in self.methods[method].items())

    @property
    def alt_text(self) -> str:
        """What is seen, in numbers."""
        said = " ".join(f"{METHODS[name].label}: {self.told(name)}." for name in self.methods)
        return f"Shell correlation with the truth, power spectra, and half-pitch of edges. {said}"


def _all(info: MethodsInfo) -> list[Resolution]:
    return [one for found in info.methods.values() for one in found.values()]


def wedge_loss(one: Resolution) -> float:
    """The half-pitch along z, in the missing wedge, over the mean of those along x and y; NaN without all three."""
    x, y, z = (one.edges[axis].half_pitch_nm if axis in one.edges else np.nan for axis in AXES)
    return float(2 * z / (x + y))


def _told(one: Resolution) -> str:
    if not one.edges:
        return "has no edge along an axis"
    found = ", ".join(f"{axis} {edge.half_pitch_nm:.2f}" for axis, edge in one.edges.items())
    loss = wedge_loss(one)
    return f"half-pitch along {found} nm" + ("" if np.isnan(loss) else f" (z over x and y: {loss:.2f})")


def _row(method: str, element: str, one: Resolution) -> dict[str, str | float]:
    pitches = {f"half_pitch_{axis}_nm": _pitch(one, axis) for axis in AXES}
    counts = {f"edges_{axis}": one.edges[axis].count if axis in one.edges else 0 for axis in AXES}
    outside = regions_of(one)[0]
    return {
        "method": METHODS[method].label,
        "element": element,
        **pitches,
        **counts,
        "wedge_loss": wedge_loss(one),
        "noise_floor_measured_nm": _number(one.cutoff_nm(outside)),
        "half_bit_measured_nm": _agrees(one, outside),
        "half_bit_missing_nm": _agrees(one, "missing"),
        "fsc_0143_measured_nm": _agrees(one, outside, fixed=True),
        "fsc_0143_missing_nm": _agrees(one, "missing", fixed=True),
    }


def _pitch(one: Resolution, axis: str) -> float:
    return next((edge.half_pitch_nm for name, edge in one.edges.items() if name == axis), np.nan)


def _agrees(one: Resolution, region: Region, *, fixed: bool = False) -> float:
    return _number(one.agrees_to_nm(region, fixed=fixed)) if region in one.correlations else np.nan


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def draw_resolution_of_methods(info: MethodsInfo, figure: Figure) -> None:
    """Draw a column an element: shell correlation, power spectrum, and the half-pitch of edges along the axes."""
    heights = (_CURVES_IN, _CURVES_IN, info.lines_in)
    panels = figure.subplots(3, len(info.elements), squeeze=False, sharex="row", sharey="row", height_ratios=heights)
    for column, element in zip(panels.T, info.elements, strict=True):
        own = {name: found[element] for name, found in info.methods.items()}
        column[0].set_title(element)
        _draw_curves(own, lambda one: one.correlations, column[0])
        _draw_thresholds(next(iter(own.values())), column[0])
        _draw_curves(own, lambda one: one.spectra, column[1])
        _draw_pitches(own, info.voxel_nm, column[2])
    panels[0, 0].set(ylabel="shell correlation", ylim=(-0.1, 1.05))
    some = any((shells.value > 0).any() for one in _all(info) for shells in one.spectra.values())
    panels[1, 0].set(ylabel="power", yscale="log" if some else "linear")
    for ax in panels.flat:
        ax.spines[["top", "right"]].set_visible(False)
    if info.title:
        figure.suptitle("\n".join(title_lines(info.title, info.size_in[0])), fontsize=8)
    figure.legend(handles=_legend(info), loc="outside lower center", ncols=6, frameon=False, handlelength=2.2)


def _draw_curves(
    methods: Mapping[str, Resolution], curves_of: Callable[[Resolution], Mapping[Region, Shells]], ax: Axes
) -> None:
    for name, one in methods.items():
        for region in regions_of(one):
            shells = curves_of(one)[region]
            ax.plot(shells.frequency, shells.value, linestyle=_DASHES[region], color=METHODS[name].color)
    ax.set_xlabel("frequency (1/nm)")


def _draw_thresholds(one: Resolution, ax: Axes) -> None:
    shells = one.correlations[regions_of(one)[0]]
    ax.plot(shells.frequency, half_bit(shells), color="black", linewidth=0.7, linestyle=":")
    ax.axhline(FIXED, color="0.5", linewidth=0.7)


def _draw_pitches(methods: Mapping[str, Resolution], voxel_nm: float, ax: Axes) -> None:
    """A line for each method: how wide its edges along x, y and z are; dotted, the width of a perfect one."""
    for line, (name, one) in enumerate(methods.items()):
        color = METHODS[name].color
        pitches = {axis: edge.half_pitch_nm for axis, edge in one.edges.items()}
        if pitches:
            ax.hlines(line, min(pitches.values()), max(pitches.values()), color=color, linewidth=0.8)
        for axis, pitch in pitches.items():
            ax.plot(pitch, line, _AXIS_MARKERS[axis], color=color)
    ax.axvline(voxel_nm, color="0.5", linewidth=0.7, linestyle=":")
    ax.set(xlabel="edge half-pitch (nm)", yticks=[], ylim=(len(methods) - 0.4, -0.6))
    ax.set_xlim(left=0)


def _legend(info: MethodsInfo) -> list[Line2D]:
    wedge = any("missing" in regions_of(one) for one in _all(info))
    regions = {"measured": "measured directions", "missing": "missing wedge"} if wedge else {"all": "all directions"}
    look = {"color": "black", "markersize": 4}
    return [
        *(Line2D([], [], color=METHODS[name].color, label=METHODS[name].label) for name in info.methods),
        *(Line2D([], [], color="black", linestyle=_DASHES[region], label=words) for region, words in regions.items()),
        Line2D([], [], color="black", linewidth=0.7, linestyle=":", label="half-bit; one voxel"),
        Line2D([], [], color="0.5", linewidth=0.7, label=f"{FIXED}"),
        *(
            Line2D([], [], marker=marker, linestyle="", label=f"along {axis}", **look)
            for axis, marker in _AXIS_MARKERS.items()
        ),
    ]
