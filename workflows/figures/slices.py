"""How do reconstructions compare slice by slice (paper, Fig. 4b), and did they converge (Supplement 13b)?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from fusedtomo.arrays import kernels
from fusedtomo.errors import InputError
from fusedtomo.parallel import SERIAL, Comm
from fusedtomo.volume import ChemicalVolume

# told apart by people with colour blindness, bright on black, and near white when all of them add up
ELEMENT_COLORS = ("#ffb000", "#2f7bff", "#ff3c5a", "#00c98d", "#c86bff", "#9ad1ff", "#ffe08a", "#b0b0b0")
_SCALE_BAR_SHARE = 0.3
_PANEL_IN = 1.45


@dataclass(frozen=True, eq=False)
class SlicesInfo:
    """One slice of every method and element, and their composite.

    Attributes:
        labels: of the rows, with the NRMSE where it was given.
        elements, colors: of the columns; RGB in 0..1.
        plane: axes of the slice, down and across: "zy", across the tilt axis, or "yx", across the beam.
        index: voxel index of the slice along the third axis.
        images: (row, element, down, across) float32 over each element's limit, clipped to 0..1.
        limits: concentration that is drawn brightest, by element.
        composite: (row, down, across, rgb) float32, the sum of the coloured images.
        scale_bar_nm, scale_bar_voxels: length of the scale bar.
    """

    labels: tuple[str, ...]
    elements: tuple[str, ...]
    colors: tuple[tuple[float, float, float], ...]
    plane: str
    index: int
    images: np.ndarray
    limits: tuple[float, ...]
    composite: np.ndarray
    scale_bar_nm: float
    scale_bar_voxels: float

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of a figure of square voxels."""
        rows, columns, down, across = self.images.shape
        return (columns + 1) * _PANEL_IN + 1.7, rows * max(_PANEL_IN * down / across, 1.0) + 0.45


def slices_info(
    volumes: Mapping[str, ChemicalVolume],
    *,
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
        nrmse: mean NRMSE by row label, where there is one.
        plane: "zy" cuts across the tilt axis (Fig. 4b), "yx" across the beam: for slabs, and few tilts.
        index: voxel index of the cut; default: the slice with most in the scaling volume, elements counting alike.
        scaled_by: label of the volume that sets slice and brightness; default: the first.
        brightest: quantile of its slice that is drawn brightest; below 1 where edges or noise stand out.
        comm: the ranks.
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
    images = np.clip(np.stack(list(cut.values())) / np.reshape(limits, (-1, 1, 1)), 0, 1).astype(np.float32)
    colors = tuple(to_rgb(ELEMENT_COLORS[i % len(ELEMENT_COLORS)]) for i in range(len(scale.elements)))
    scale_bar_nm = _round_length(_SCALE_BAR_SHARE * images.shape[3] * scale.voxel_nm)
    return SlicesInfo(
        labels=tuple(_label(label, (nrmse or {}).get(label)) for label in volumes),
        elements=scale.elements,
        colors=colors,
        plane=plane,
        index=index,
        images=images,
        limits=limits,
        composite=np.clip(np.einsum("reij,ec->rijc", images, np.array(colors)), 0, 1).astype(np.float32),
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


def _round_length(target: float) -> float:
    """The largest of 1, 2, 5, 10, ... that does not exceed the target."""
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target * (1 + 1e-9))


def _label(label: str, nrmse: float | None) -> str:
    return label if nrmse is None else f"{label}\nNRMSE {nrmse:.3f}"


def draw_slices(info: SlicesInfo, figure: Figure) -> None:
    """Draw a row a method and a column an element, then their composite; the first axis of the plane points up."""
    axes = figure.subplots(len(info.labels), len(info.elements) + 1, squeeze=False)
    for row, label in enumerate(info.labels):
        for column, (element, color) in enumerate(zip(info.elements, info.colors, strict=True)):
            colors = LinearSegmentedColormap.from_list(element, ["black", color])
            axes[row, column].imshow(info.images[row, column], cmap=colors, vmin=0, vmax=1, origin="lower")
        axes[row, -1].imshow(info.composite[row], origin="lower")
        axes[row, 0].set_ylabel(label, fontsize=9, rotation=0, ha="right", va="center")
    for ax, element in zip(axes[0], (*info.elements, "composite"), strict=True):
        ax.set_title(element, fontsize=10)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    _draw_scale_bar(info, axes[0, -1])


def _draw_scale_bar(info: SlicesInfo, ax) -> None:
    down, across = info.images.shape[2:]
    left, height = 0.06 * across - 0.5, 0.07 * down
    ax.plot([left, left + info.scale_bar_voxels], [height] * 2, color="white", lw=2.5, solid_capstyle="butt")
    ax.text(left, height + 0.04 * down, f"{info.scale_bar_nm:g} nm", color="white", fontsize=7, va="bottom")


@dataclass(frozen=True, eq=False)
class HistoryInfo:
    """What a solver recorded: terms of the cost by name, and the NRMSE when known; each (iteration,)."""

    terms: dict[str, np.ndarray]
    nrmse: np.ndarray | None

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of a figure with one panel, or two."""
        return (4.6, 3.3) if self.nrmse is None else (8.6, 3.3)


def history_info(histories: Mapping[str, Sequence[float]]) -> HistoryInfo:
    """Sort recorded values into cost terms and "nrmse"; values not above 0 become NaN, for the log axis."""
    values = {name: np.asarray(values, float) for name, values in histories.items()}
    nrmse = values.pop("nrmse", None)
    terms = {name: np.where(term > 0, term, np.nan) for name, term in values.items()}
    return HistoryInfo(terms, nrmse)


def draw_history(info: HistoryInfo, figure: Figure) -> None:
    """Draw the cost terms against iterations on a log axis, and the NRMSE beside them."""
    panels = figure.subplots(1, 1 if info.nrmse is None else 2, squeeze=False)[0]
    for name, term in info.terms.items():
        panels[0].plot(np.arange(1, len(term) + 1), term, label=name, marker="." if len(term) < 30 else None)
    if any(np.isfinite(term).any() for term in info.terms.values()):
        panels[0].set_yscale("log")
    if info.terms:
        panels[0].legend(frameon=False)
    panels[0].set_ylabel("cost")
    if info.nrmse is not None:
        panels[1].plot(np.arange(1, len(info.nrmse) + 1), info.nrmse, color="black")
        panels[1].set_ylabel(r"$\langle$NRMSE$\rangle$")
    for panel in panels:
        panel.set_xlabel("iteration")
        panel.spines[["top", "right"]].set_visible(False)
