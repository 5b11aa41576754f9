"""How do reconstructions compare slice by slice (paper, Fig. 4b), and did they converge (Supplement 13b)?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from fusedtomo.errors import InputError
from fusedtomo.volume import ChemicalVolume

# told apart by people with colour blindness, bright on black, and near white when all of them add up
ELEMENT_COLORS = ("#ffb000", "#2f7bff", "#ff3c5a", "#00c98d", "#c86bff", "#9ad1ff", "#ffe08a", "#b0b0b0")
_SCALE_BAR_SHARE = 0.3
_PANEL_IN = 1.45


@dataclass(frozen=True, eq=False)
class SlicesInfo:
    """One (z, y) slice of every method and element, and their composite.

    Attributes:
        labels: of the rows, with the NRMSE where it was given.
        elements, colors: of the columns; RGB in 0..1.
        x_index: voxel index of the slice.
        images: (row, element, z, y) float32 over the truth's maximum of each element, clipped to 0..1.
        limits: concentration that is drawn brightest, by element.
        composite: (row, z, y, rgb) float32, the sum of the coloured images.
        scale_bar_nm, scale_bar_voxels: length of the scale bar.
    """

    labels: tuple[str, ...]
    elements: tuple[str, ...]
    colors: tuple[tuple[float, float, float], ...]
    x_index: int
    images: np.ndarray
    limits: tuple[float, ...]
    composite: np.ndarray
    scale_bar_nm: float
    scale_bar_voxels: float

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of a figure of square voxels."""
        rows, columns, z, y = self.images.shape
        return (columns + 1) * _PANEL_IN + 1.1, rows * _PANEL_IN * z / y + 0.45


def slices_info(
    volumes: Mapping[str, ChemicalVolume],
    *,
    nrmse: Mapping[str, float] | None = None,
    x_index: int | None = None,
) -> SlicesInfo:
    """Cut every volume at one x.

    Args:
        volumes: by row label, the truth first: it sets slice and scales. All of one grid and elements.
        nrmse: mean NRMSE by row label, where there is one.
        x_index: voxel index along x; default: the slice with most of the truth, elements counting alike.
    """
    first, truth = next(iter(volumes.items()), (None, None))
    if truth is None:
        raise InputError("no volume to draw; give the truth and at least one reconstruction")
    for label, volume in volumes.items():
        _check(label, volume, first, truth)
    x_index = _fullest(truth) if x_index is None else x_index
    if not 0 <= x_index < truth.shape[2]:
        raise InputError(f"x_index is {x_index}; give one from 0 to {truth.shape[2] - 1}")
    limits = tuple(_brightest(truth[element], x_index) for element in truth.elements)
    cut = np.stack([volume.data[..., x_index] for volume in volumes.values()])
    images = np.clip(cut / np.reshape(limits, (-1, 1, 1)), 0, 1).astype(np.float32)
    colors = tuple(to_rgb(ELEMENT_COLORS[i % len(ELEMENT_COLORS)]) for i in range(len(truth.elements)))
    scale_bar_nm = _round_length(_SCALE_BAR_SHARE * truth.shape[1] * truth.voxel_nm)
    return SlicesInfo(
        labels=tuple(_label(label, (nrmse or {}).get(label)) for label in volumes),
        elements=truth.elements,
        colors=colors,
        x_index=x_index,
        images=images,
        limits=limits,
        composite=np.clip(np.einsum("rezy,ec->rzyc", images, np.array(colors)), 0, 1).astype(np.float32),
        scale_bar_nm=scale_bar_nm,
        scale_bar_voxels=scale_bar_nm / truth.voxel_nm,
    )


def _check(label: str, volume: ChemicalVolume, first: str, truth: ChemicalVolume) -> None:
    if (volume.shape, volume.elements) != (truth.shape, truth.elements):
        raise InputError(
            f"volume '{label}' is {volume.shape} of {', '.join(volume.elements)}, but '{first}' is "
            f"{truth.shape} of {', '.join(truth.elements)}; give volumes of one grid and the same elements"
        )


def _fullest(truth: ChemicalVolume) -> int:
    by_x = truth.data.sum(axis=(1, 2), dtype=np.float64)
    totals = by_x.sum(axis=1, keepdims=True)
    signal = (by_x / np.where(totals > 0, totals, 1)).sum(axis=0)
    # a specimen that does not vary along x has many such slices: take the one nearest to the centre
    candidates = np.flatnonzero(signal >= 0.999 * signal.max())
    return int(candidates[np.abs(candidates - (len(signal) - 1) / 2).argmin()])


def _brightest(element: np.ndarray, x_index: int) -> float:
    """Maximum of the slice, of the volume where the slice is empty, or 1."""
    return float(element[..., x_index].max()) or float(element.max()) or 1.0


def _round_length(target: float) -> float:
    """The largest of 1, 2, 5, 10, ... that does not exceed the target."""
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target * (1 + 1e-9))


def _label(label: str, nrmse: float | None) -> str:
    return label if nrmse is None else f"{label}\nNRMSE {nrmse:.3f}"


def draw_slices(info: SlicesInfo, figure: Figure) -> None:
    """Draw a row a method and a column an element, then their composite; y points right and z up."""
    axes = figure.subplots(len(info.labels), len(info.elements) + 1, squeeze=False)
    for row, label in enumerate(info.labels):
        for column, (element, color) in enumerate(zip(info.elements, info.colors, strict=True)):
            colors = LinearSegmentedColormap.from_list(element, ["black", color])
            axes[row, column].imshow(info.images[row, column], cmap=colors, vmin=0, vmax=1, origin="lower")
        axes[row, -1].imshow(info.composite[row], origin="lower")
        axes[row, 0].set_ylabel(label, fontsize=9)
    for ax, element in zip(axes[0], (*info.elements, "composite"), strict=True):
        ax.set_title(element, fontsize=10)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    _draw_scale_bar(info, axes[0, -1])


def _draw_scale_bar(info: SlicesInfo, ax) -> None:
    z, y = info.images.shape[2:]
    left, height = 0.06 * y - 0.5, 0.07 * z
    ax.plot([left, left + info.scale_bar_voxels], [height] * 2, color="white", lw=2.5, solid_capstyle="butt")
    ax.text(left, height + 0.04 * z, f"{info.scale_bar_nm:g} nm", color="white", fontsize=7, va="bottom")


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
