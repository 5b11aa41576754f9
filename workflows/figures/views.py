"""What do the reconstructions look like in three dimensions, and in cuts along all axes (paper, Fig. 4b, Suppl. 19)?"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN
from fusedtomo.plot.elements import RGB, element_color, mixed
from fusedtomo.plot.heat_map import title_lines
from fusedtomo.plot.slices import round_length
from fusedtomo.volume import ChemicalVolume
from workflows.figures.rendering import CannotRender, Scene, render

PLANES = {"yz": 3, "xz": 2, "xy": 1}  # across and upwards; the axis of (element, z, y, x) that is cut
_MOST_VOXELS = 128  # along an edge: finer isosurfaces than pixels cost minutes and show nothing
_FULL = 0.5  # of the truth's highest concentration: what its isosurface encloses
_BAR_SHARE = 0.35
_LABEL_IN, _GAP_IN, _HEAD_IN, _FOOT_IN = 0.8, 0.03, 0.2, 0.3


@dataclass(frozen=True, eq=False)
class ViewsInfo:
    """Pictures of the truth and every method.

    Attributes:
        title: specimen, size and noise, or "".
        labels: of the rows, the truth first.
        elements, colors: of the isosurfaces.
        levels: (row, element) concentration of each isosurface; NaN where a volume has none.
        overlap: (row, element) share of the enclosed voxels that the truth's isosurface encloses as well.
        images: (row, 1 + element, down, across, rgb) uint8; None where they could not be drawn, and `reason` says why.
        image_nm: height and width of such an image in nanometres.
        cuts: by plane (row, down, across, rgb) float32, the mixture of the elements' colours.
        places: by plane the voxel index of the cut.
        voxel_nm: edge of a voxel of the cuts.
    """

    title: str
    labels: tuple[str, ...]
    elements: tuple[str, ...]
    colors: tuple[RGB, ...]
    levels: np.ndarray
    overlap: np.ndarray
    images: np.ndarray | None
    reason: str
    image_nm: float
    cuts: Mapping[str, np.ndarray]
    places: Mapping[str, int]
    voxel_nm: float

    @property
    def panel_in(self) -> float:
        """Edge of a panel."""
        columns = 1 + len(self.elements) + len(PLANES)
        return (DOUBLE_COLUMN_IN - _LABEL_IN) / columns - _GAP_IN

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height."""
        lines = len(title_lines(self.title, DOUBLE_COLUMN_IN)) if self.title else 0
        rows = len(self.labels) * (self.panel_in + _GAP_IN)
        return DOUBLE_COLUMN_IN, rows + _HEAD_IN * (1 + lines) + _FOOT_IN

    @property
    def alt_text(self) -> str:
        """What is seen, in words and numbers."""
        cuts = ", ".join(f"{plane} at voxel {self.places[plane]}" for plane in PLANES)
        what = (
            f"Isosurfaces of {', '.join(self.elements)}"
            if self.images is not None
            else f"No isosurfaces ({self.reason})"
        )
        return f"{what}, and cuts in {cuts}. Rows: {'; '.join(self.told(row) for row in range(len(self.labels)))}."

    def told(self, row: int) -> str:
        """How much of each isosurface lies where the truth's does."""
        shares = zip(self.elements, self.overlap[row], strict=True)
        said = ", ".join(f"{element} {100 * share:.0f} %" for element, share in shares if np.isfinite(share))
        return f"{self.labels[row]}{f' ({said} in place)' if row and said else ''}"

    @property
    def table(self) -> list[dict[str, str | float]]:
        """One row a label and element."""
        return [
            {"row": label, "element": element, "level": self.levels[r, e], "overlap": self.overlap[r, e]}
            for r, label in enumerate(self.labels)
            for e, element in enumerate(self.elements)
        ]


def views_info(volumes: Mapping[str, ChemicalVolume], title: str = "") -> ViewsInfo:
    """Make all pictures.

    An isosurface encloses as many voxels as the truth's, which lies at half of its highest concentration: so a gain
    that a method gets wrong does not change its shape, as it does not change the NRMSE.

    Args:
        volumes: by label, the truth first; all of one grid and elements.
        title: what they are of.
    """
    small = [coarse(volume, _MOST_VOXELS) for volume in volumes.values()]
    data, elements = np.stack([one.data for one in small]), small[0].elements
    colors = tuple(map(element_color, elements))
    levels, overlap = _levels(data)
    scene = Scene(data, levels, colors)
    images, reason = _rendered(scene)
    whole = list(volumes.values())
    places = {plane: _fullest(whole[0].data, axis) for plane, axis in PLANES.items()}
    cuts = {plane: _cuts([one.data for one in whole], axis, places[plane], colors) for plane, axis in PLANES.items()}
    image_nm = scene.height_voxels * small[0].voxel_nm
    labels = tuple(volumes)
    return ViewsInfo(
        title, labels, elements, colors, levels, overlap, images, reason, image_nm, cuts, places, whole[0].voxel_nm
    )


def coarse(volume: ChemicalVolume, most_voxels: int) -> ChemicalVolume:
    """The volume, averaged until no edge has more voxels than are needed; what does not divide is cut off."""
    factor = -(-max(volume.shape) // most_voxels)
    z, y, x = (n - n % factor for n in volume.shape)
    return ChemicalVolume(volume.data[:, :z, :y, :x], volume.elements, volume.voxel_nm).binned(factor)


def _levels(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level and overlap of every isosurface, (row, element), of volumes (row, element, z, y, x), the truth first."""
    levels, overlap = np.full(data.shape[:2], np.nan), np.full(data.shape[:2], np.nan)
    for e, truth in enumerate(data[0]):
        inside = (truth > 0) & (truth >= _FULL * truth.max())
        n = int(inside.sum())
        for r, volume in enumerate(data[:, e]) if n else ():
            level = _FULL * truth.max() if r == 0 else np.partition(volume.ravel(), -n)[-n]
            if level > 0:
                levels[r, e], overlap[r, e] = level, (inside & (volume >= level)).sum() / (volume >= level).sum()
    return levels, overlap


def _rendered(scene: Scene) -> tuple[np.ndarray | None, str]:
    try:
        return render(scene), ""
    except CannotRender as missing:
        return None, str(missing)


def _fullest(truth: np.ndarray, axis: int) -> int:
    """The slice with most in it, elements counting alike."""
    along = truth.sum(axis=tuple({1, 2, 3} - {axis}), dtype=np.float64)
    return int((along / np.maximum(along.sum(axis=1, keepdims=True), 1e-30)).sum(axis=0).argmax())


def _cuts(volumes: list[np.ndarray], axis: int, index: int, colors: tuple[RGB, ...]) -> np.ndarray:
    """(row, down, across, rgb): brightest is the truth's highest concentration there."""
    cut = np.stack([volume.take(index, axis) for volume in volumes])
    limits = cut[0].max(axis=(1, 2), keepdims=True)
    return mixed(np.clip(cut / np.where(limits > 0, limits, 1), 0, 1).astype(np.float32), colors)


def draw_views(info: ViewsInfo, figure: Figure) -> None:
    """Draw a row a volume: its isosurfaces together and element by element, then its cuts."""
    figure.set_layout_engine("none")
    axes = _axes(info, figure)
    n = 1 + len(info.elements)
    for title, ax in zip(("all", *info.elements, *PLANES), axes[0], strict=True):
        ax.set_title(title, fontsize=8, fontweight="bold" if title in info.elements else "normal", pad=3)
    if info.images is None:
        _say_why(info, figure, axes[:, :n])
    for r, row in enumerate(axes):
        row[0].set_ylabel(textwrap.fill(info.labels[r], 12), rotation=0, ha="right", va="center", fontsize=8)
        if info.images is not None:
            for ax, image in zip(row[:n], info.images[r], strict=True):
                ax.imshow(image, interpolation="none")
        for ax, plane in zip(row[n:], PLANES, strict=True):
            ax.imshow(info.cuts[plane][r], origin="lower", interpolation="none")
        for ax in row:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
    if info.images is not None:
        _scale_bar(info.image_nm, axes[-1, 0])
    _scale_bar(info.voxel_nm * info.cuts["yz"].shape[2], axes[-1, n])
    if info.title:
        lines = "\n".join(title_lines(info.title, info.size_in[0]))
        figure.text(0.5, 1 - 0.03 / info.size_in[1], lines, ha="center", va="top", fontsize=8)


def _axes(info: ViewsInfo, figure: Figure) -> np.ndarray:
    """Axes (row, column)."""
    width, height = info.size_in
    edge, step = info.panel_in, info.panel_in + _GAP_IN
    columns = 1 + len(info.elements) + len(PLANES)
    bottoms = [_FOOT_IN + step * row for row in reversed(range(len(info.labels)))]
    lefts = [_LABEL_IN + step * column for column in range(columns)]
    return np.array(
        [
            [figure.add_axes((left / width, bottom / height, edge / width, edge / height)) for left in lefts]
            for bottom in bottoms
        ]
    )


def _say_why(info: ViewsInfo, figure: Figure, axes: np.ndarray) -> None:
    """What is missing, in the place of the isosurfaces."""
    first, last = axes[-1, 0].get_position(), axes[0, -1].get_position()
    x, y = (first.x0 + last.x1) / 2, (first.y0 + last.y1) / 2
    letters = int((last.x1 - first.x0) * info.size_in[0] / 0.07)
    said = textwrap.fill(f"No views in three dimensions. {info.reason}", letters)
    figure.text(x, y, said, ha="center", va="center", fontsize=8)


def _scale_bar(width_nm: float, ax: Axes) -> None:
    """Below a panel that is so wide, its length beside it."""
    length = round_length(_BAR_SHARE * width_nm)
    bar = Rectangle((0.05, -0.12), length / width_nm, 0.04, transform=ax.transAxes, color="black", clip_on=False)
    ax.add_patch(bar)
    ax.text(0.08 + length / width_nm, -0.1, f"{length:g} nm", transform=ax.transAxes, va="center", fontsize=7)
