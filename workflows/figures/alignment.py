"""How were the images moved, and do they fit each other now? Shifts, sinograms, correlation from tilt to tilt."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusedtomo.alignment import Moves, neighbour_correlation
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN
from fusedtomo.tilts import TiltSeries


@dataclass(frozen=True, eq=False)
class AlignmentInfo:
    """A HAADF series before and after its alignment, and the moves between."""

    before: TiltSeries
    after: TiltSeries
    moves: Moves

    size_in = (DOUBLE_COLUMN_IN, 0.75 * DOUBLE_COLUMN_IN)

    @property
    def order(self) -> np.ndarray:
        """The tilts by angle."""
        return np.argsort(self.before.scheme.angles_deg)


def draw_alignment(info: AlignmentInfo, figure: Figure) -> None:
    """Four panels: shifts, correlation of neighbours, and the sinogram of the middle column before and after."""
    (shifts, correlation), sinograms = figure.subplots(2, 2)
    _draw_shifts(info, shifts)
    _draw_correlation(info, correlation)
    for ax, series, title in zip(sinograms, (info.before, info.after), ("before", "after"), strict=True):
        _draw_sinogram(info, series, ax, title)


def _draw_shifts(info: AlignmentInfo, ax: Axes) -> None:
    angles = np.array(info.moves.angles_deg)[info.order]
    for column, label in enumerate(("y, across the axis", "x, along it")):
        ax.plot(angles, info.moves.shifts_px[info.order, column], ".-", label=label)
    ax.set(xlabel="tilt (degrees)", ylabel="shift (pixels)", title=f"Shifts; axis {info.moves.axis_deg:+.2f}° from x")
    ax.legend()


def _draw_correlation(info: AlignmentInfo, ax: Axes) -> None:
    angles = np.array(info.before.scheme.angles_deg)[info.order]
    for series, label in ((info.before, "before"), (info.after, "after")):
        images = series.counts[info.order]
        pairs = [neighbour_correlation(images[i : i + 2]) for i in range(len(images) - 1)]
        ax.plot((angles[:-1] + angles[1:]) / 2, pairs, ".-", label=label)
    ax.set(xlabel="tilt (degrees)", ylabel="correlation", title="Neighbouring images")
    ax.legend()


def _draw_sinogram(info: AlignmentInfo, series: TiltSeries, ax: Axes, title: str) -> None:
    column = series.counts[info.order][:, :, series.counts.shape[2] // 2]
    angles = np.array(series.scheme.angles_deg)[info.order]
    y = np.arange(series.counts.shape[1])
    ax.pcolormesh(angles, y, column.T, cmap="gray", shading="nearest", rasterized=True)
    ax.set(xlabel="tilt (degrees)", ylabel="y (pixels)", title=f"Sinogram of the middle column, {title}")
