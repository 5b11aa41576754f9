"""How do reconstructions compare slice by slice (paper, Fig. 4b)?"""

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fusedtomo.arrays import kernels
from fusedtomo.errors import InputError
from fusedtomo.parallel import SERIAL, Comm
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, SINGLE_COLUMN_IN
from fusedtomo.plot.elements import RGB, element_color, mixed
from fusedtomo.volume import ChemicalVolume

_SCALE_BAR_SHARE = 0.3
_SHALLOW = 0.3  # height of an image over its width
_LABEL_LETTERS = 12  # of a line beside the images
# inches; constrained layout would give images of fixed shape uneven gaps
_LABEL_IN = 0.84
_GAP_IN = 0.06
_LINE_IN = 0.15
_BAR_IN = 0.07
_BELOW_IN = _GAP_IN + _BAR_IN + 2 * _LINE_IN + 0.02  # colour bars, their numbers and what these are
_LEAST_ROW_IN = 3 * _LINE_IN  # the lines of a label
_LETTER_IN = 0.064  # mean width at 8 points, with some reserve
_EDGE_IN = 0.03  # saving adds as much
_PLANES = {  # axis of the cut, what the cut is across, and which way its own axes are drawn
    "zy": ("x", "across the tilt axis", "y to the right, z (the beam at 0°) up"),
    "yx": ("z", "across the beam at 0°", "x (the tilt axis) to the right, y up"),
}


@dataclass(frozen=True, eq=False)
class SlicesInfo:
    """One slice of every method and element, and their composite.

    Attributes:
        title: specimen, size and noise, or "".
        labels: of the rows, with the NRMSE where it was given.
        elements, colors: of the columns; RGB in 0..1.
        plane: axes of the slice, down and across: "zy", across the tilt axis, or "yx", across the beam.
        index, n_slices: voxel index of the slice along the third axis, counted from 0, and how many there are.
        voxel_nm: edge of a voxel in nanometres.
        images: (row, element, down, across) float32 over each element's limit, clipped to 0..1.
        limits: concentration that is drawn brightest, by element.
        highest: (row, element) float64, the largest concentration in the slice; above its limit it is clipped.
        composite: (row, down, across, rgb) float32, the mixture of the coloured images.
        scale_bar_nm, scale_bar_voxels: length of the scale bar.
    """

    title: str
    labels: tuple[str, ...]
    elements: tuple[str, ...]
    colors: tuple[RGB, ...]
    plane: str
    index: int
    n_slices: int
    voxel_nm: float
    images: np.ndarray
    limits: tuple[float, ...]
    highest: np.ndarray
    composite: np.ndarray
    scale_bar_nm: float
    scale_bar_voxels: float

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of a figure of square voxels, as wide as one column of a journal or two."""
        rows, columns, down, across = self.images.shape
        width = SINGLE_COLUMN_IN if columns == 1 else DOUBLE_COLUMN_IN
        row = max(_panel_in(self, width) * down / across + 2 * _LINE_IN * self.shallow, _LEAST_ROW_IN)
        return width, _above_in(self, width) + rows * (row + _GAP_IN) - _GAP_IN + _BELOW_IN

    @property
    def shallow(self) -> bool:
        """Whether an image is too shallow to hold a scale bar."""
        return bool(self.images.shape[2] < _SHALLOW * self.images.shape[3])

    @property
    def place(self) -> str:
        """Where the cut is: "slice across the tilt axis, voxel x = 12 of 40 (80 of 256 nm)"."""
        axis, across, _ = _PLANES[self.plane]
        depth, whole = ((self.index + 0.5) * self.voxel_nm, self.n_slices * self.voxel_nm)
        return f"slice {across}, voxel {axis} = {self.index} of {self.n_slices} ({depth:.3g} of {whole:.3g} nm)"

    @property
    def alt_text(self) -> str:
        """What is seen, in numbers: for readers who do not see the figure."""
        rows = "; ".join(label.replace("\n", ", ") for label in self.labels)
        bright = ", ".join(f"{limit:.2g} of {name}" for name, limit in zip(self.elements, self.limits, strict=True))
        over = ", ".join(
            f"{name} up to {peak:.2g}"
            for name, peak, limit in zip(self.elements, self.highest.max(axis=0), self.limits, strict=True)
            if _exceeds(peak, limit)
        )
        return (
            f"{f'{self.title}: ' if self.title else ''}{self.place}. Columns: {', '.join(self.elements)} and their "
            f"composite. Rows: {rows}. Brightest are concentrations of {bright}, black is none"
            f"{f'; higher ones are clipped ({over})' if over else ''}."
        )


def slices_info(
    volumes: Mapping[str, ChemicalVolume],
    *,
    title: str = "",
    nrmse: Mapping[str, float] | None = None,
    plane: str = "zy",
    index: int | None = None,
    scaled_by: str | None = None,
    brightest: float = 1.0,
    comm: Comm = SERIAL,
) -> SlicesInfo:
    """Cut every volume at one place. Of several ranks, each gives its columns, and only the cut is brought together.

    Args:
        volumes: by row label, the truth first, where there is one. All of one grid and elements.
        title: what the volumes are of, for the figure's first line: specimen, size and noise.
        nrmse: mean NRMSE by row label, where there is one.
        plane: "zy" cuts across the tilt axis (Fig. 4b), "yx" across the beam: for slabs, and few tilts.
        index: voxel index of the cut; default: the slice with most in the scaling volume, elements counting alike.
        scaled_by: label of the volume that sets slice and brightness; default: the first.
        brightest: quantile of its slice that is drawn brightest; below 1 where edges or noise stand out.
        comm: the ranks.

    Raises:
        InputError: no volume, volumes that differ in grid or elements, or an index outside of them.
    """
    first = next(iter(volumes), None)
    if first is None:
        raise InputError("no volume to draw; give the truth and at least one reconstruction")
    scale = volumes[scaled_by or first]
    for label, volume in volumes.items():
        _check(label, volume, first, volumes[first])
    axis = {"zy": 3, "yx": 1}[plane]
    index = _fullest(scale, axis, comm) if index is None else index
    n_slices = sum(comm.widths(scale.shape[2])) if plane == "zy" else scale.shape[0]
    if not 0 <= index < n_slices:
        raise InputError(f"slice {index} is outside the volume; give one from 0 to {n_slices - 1}")
    cut = {label: _cut(volume.data, index, axis, comm) for label, volume in volumes.items()}
    peaks = comm.gather(scale.data.max(axis=(1, 2, 3))[:, None]).max(axis=1)
    limits = tuple(_brightest(*pair, brightest) for pair in zip(cut[scaled_by or first], peaks, strict=True))
    cuts = np.stack(list(cut.values()))
    images = np.clip(cuts / np.reshape(limits, (-1, 1, 1)), 0, 1).astype(np.float32)
    colors = tuple(map(element_color, scale.elements))
    scale_bar_nm = round_length(_SCALE_BAR_SHARE * images.shape[3] * scale.voxel_nm)
    return SlicesInfo(
        title=title,
        labels=tuple(_label(label, (nrmse or {}).get(label)) for label in volumes),
        elements=scale.elements,
        colors=colors,
        plane=plane,
        index=index,
        n_slices=n_slices,
        voxel_nm=scale.voxel_nm,
        images=images,
        limits=limits,
        highest=cuts.max(axis=(2, 3)).astype(float),
        composite=mixed(images, colors),
        scale_bar_nm=scale_bar_nm,
        scale_bar_voxels=scale_bar_nm / scale.voxel_nm,
    )


def _check(label: str, volume: ChemicalVolume, first: str, truth: ChemicalVolume) -> None:
    if (volume.shape, volume.elements) != (truth.shape, truth.elements):
        raise InputError(
            f"volume '{label}' is {volume.shape} of {', '.join(volume.elements)}, but '{first}' is "
            f"{truth.shape} of {', '.join(truth.elements)}; give volumes of one grid and the same elements"
        )


def _cut(data: np.ndarray, index: int, axis: int, comm: Comm) -> np.ndarray:
    """One slice of the columns (element, z, y, x) of all ranks."""
    if axis == 1:
        return comm.gather(data[:, index])
    place = index - sum(comm.widths(data.shape[3])[: comm.rank])  # among this rank's columns, if it is one of them
    return comm.gather(data[..., max(place, 0) : max(place + 1, 0)])[..., 0]


def _fullest(volume: ChemicalVolume, axis: int, comm: Comm) -> int:
    along = _sums_along(volume.data, axis, comm)
    totals = along.sum(axis=1, keepdims=True)
    signal = (along / np.where(totals > 0, totals, 1)).sum(axis=0)
    # a specimen that does not vary along the axis has many such slices: take the one nearest to the centre
    candidates = np.flatnonzero(signal >= 0.999 * signal.max())
    return int(candidates[np.abs(candidates - (len(signal) - 1) / 2).argmin()])


def _sums_along(data: np.ndarray, axis: int, comm: Comm) -> np.ndarray:
    """The sum of every slice across the x or z axis, (element, slice), over the columns of all ranks."""
    if axis == 3:
        return comm.gather(kernels(data).sums.totals(data))
    n_elements, n_slices, *plane = data.shape
    return comm.total(kernels(data).sums.totals(data.reshape(-1, *plane))).reshape(n_elements, n_slices)


def _brightest(cut: np.ndarray, peak: float, quantile: float) -> float:
    """That quantile of the slice, the peak of the volume where it is 0, or 1."""
    return float(np.quantile(cut, quantile)) or float(peak) or 1.0


def round_length(target: float) -> float:
    """The largest of 1, 2, 5, 10, ... that does not exceed the target."""
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target * (1 + 1e-9))


def _label(label: str, nrmse: float | None) -> str:
    return label if nrmse is None else f"{label}\nNRMSE {nrmse:.3f}"


def _exceeds(peak: float, limit: float) -> bool:
    return peak > limit * 1.005  # less would not show in two digits


def draw_slices(info: SlicesInfo, figure: Figure) -> None:
    """Draw a row a method and a column an element, then their composite; the first axis of the plane points up."""
    if isinstance(figure, Figure):  # a part of a figure has no layout of its own
        figure.set_layout_engine("none")
    axes, bars = _axes(info, figure)
    _write_around(info, figure)
    for column, element in enumerate(info.elements):
        _draw_element(info, column, axes[:, column], bars[column])
        axes[0, column].set_title(element, fontweight="bold", pad=3)
    axes[0, -1].set_title("composite", pad=3)
    for row, label in enumerate(info.labels):
        axes[row, -1].imshow(info.composite[row], origin="lower", interpolation="none")
        _draw_scale_bar(info, axes[row, -1])
        axes[row, 0].set_ylabel(_broken(label), rotation=0, ha="right", va="center", fontsize="medium")
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


def _axes(info: SlicesInfo, figure: Figure) -> tuple[np.ndarray, list[Axes]]:
    """Axes (row, column) of the images, and those of the colour bars."""
    width, height = figure.bbox.size / figure.dpi
    rows, columns = info.images.shape[:2]
    top = height - _above_in(info, width)
    across_in = _panel_in(info, width)
    down_in = (top - _BELOW_IN + _GAP_IN) / rows - _GAP_IN

    def place(left: float, bottom: float, wide: float, high: float) -> Axes:
        return figure.add_axes((left / width, bottom / height, wide / width, high / height))

    lefts = [_LABEL_IN + column * (across_in + _GAP_IN) for column in range(columns + 1)]
    bottoms = [top - down_in - row * (down_in + _GAP_IN) for row in range(rows)]
    axes = np.array([[place(left, bottom, across_in, down_in) for left in lefts] for bottom in bottoms])
    below = bottoms[-1] - _GAP_IN - _BAR_IN
    bars = [place(left, below, across_in, _BAR_IN) for left in lefts[:-1]]
    return axes, bars


def _panel_in(info: SlicesInfo, width_in: float) -> float:
    """Width of an image."""
    columns = len(info.elements) + 1
    return (width_in - _EDGE_IN - _LABEL_IN + _GAP_IN) / columns - _GAP_IN


def _above_in(info: SlicesInfo, width_in: float) -> float:
    """Height of the heading and the names of the columns."""
    return (len(_heading(info, width_in)) + 1) * _LINE_IN + 0.08


def _heading(info: SlicesInfo, width_in: float) -> list[str]:
    """The title and the place of the slice, in lines that fit."""
    place = f"{info.place}; {_PLANES[info.plane][2]}"
    parts = (info.title, place[0].upper() + place[1:])
    return [line for part in parts for line in textwrap.wrap(part, int((width_in - 2 * _EDGE_IN) / _LETTER_IN))]


def _write_around(info: SlicesInfo, figure: Figure) -> None:
    """The heading above, and below the unit of the scales."""
    width, height = figure.bbox.size / figure.dpi
    heading = "\n".join(_heading(info, width))
    figure.text(_EDGE_IN / width, 1 - _EDGE_IN / height, heading, va="top", fontsize="medium")
    unit = "concentration: 1 is a voxel filled with the element"
    figure.text(_LABEL_IN / width, _EDGE_IN / height, unit, va="bottom", fontsize="small")


def _draw_element(info: SlicesInfo, column: int, axes: np.ndarray, bar: Axes) -> None:
    """One column of images with its scale of concentrations below."""
    colors = LinearSegmentedColormap.from_list(info.elements[column], ["black", info.colors[column]])
    look = {"cmap": colors, "vmin": 0, "vmax": 1, "origin": "lower", "interpolation": "none"}
    drawn = [ax.imshow(image, **look) for ax, image in zip(axes, info.images[:, column], strict=True)]
    clipped = _exceeds(info.highest[:, column].max(), info.limits[column])
    bar.figure.colorbar(drawn[0], cax=bar, orientation="horizontal", ticks=[0, 1]).outline.set_visible(False)
    bar.set_xticklabels(["0", f"{'≥ ' if clipped else ''}{info.limits[column]:.2g}"])
    bar.tick_params(length=0, pad=2)
    for label, side in zip(bar.get_xticklabels(), ("left", "right"), strict=True):  # within the column
        label.set_horizontalalignment(side)


def _broken(label: str) -> str:
    """The label in lines that fit beside the images."""
    return "\n".join(line for part in label.split("\n") for line in textwrap.wrap(part, _LABEL_LETTERS))


def _draw_scale_bar(info: SlicesInfo, ax: Axes) -> None:
    """White in the image, its length above it; below a shallow image, which it would hide, black, its length beside."""
    across, length = info.images.shape[3], info.scale_bar_voxels
    left, thick = 0.05 * across - 0.5, 0.02 * across
    if info.shallow:
        bottom, color, edge = -0.5 - 0.09 * across, "black", "none"
        end, look = (left + length, bottom + thick / 2), {"xytext": (2, 0), "va": "center"}
    else:
        bottom, color, edge = 0.05 * across - 0.5, "white", "black"
        shade = {"facecolor": "black", "alpha": 0.55, "linewidth": 0, "pad": 0.6}
        end, look = (left, bottom + thick), {"xytext": (0, 1.5), "va": "bottom", "bbox": shade}
    bar = Rectangle((left, bottom), length, thick, facecolor=color, edgecolor=edge, lw=0.4, clip_on=False)
    ax.add_patch(bar)
    look |= {"textcoords": "offset points", "annotation_clip": False, "color": color, "fontsize": "small"}
    ax.annotate(f"{info.scale_bar_nm:g} nm", end, **look)
