"""What of the sampling map and the atlas is drawn over two or three axes (paper, Fig. 4a, Supplement 9a and 22a)?"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from fusedtomo.methods import METHODS
from fusedtomo.plot.heat_map import GAP, CellsInfo, HeatMaps, Limits, Scale, color_limits
from workflows.campaign import CampaignConfig, Condition
from workflows.campaign.axes import text
from workflows.campaign.config import sizes_of
from workflows.campaign.layout import Block, Layout, Panel, Row, layout_of
from workflows.campaign.setup import SeriesConfig, Setup
from workflows.maps.sampling_map import METHOD, axes_of, marks

Texts = tuple[tuple[str, ...], ...]  # of every row and column

SYMBOLS = {
    "haadf": r"$\lambda_1$ (HAADF)",
    "chemical": r"$\lambda_2$ (chemical)",
    "tv": r"$\lambda_3$ (TV)",
    "gamma": r"$\gamma$",
    "eps": r"$\epsilon$ (counts)",
}


def sampling_map_info(config: CampaignConfig, sampling: xr.Dataset) -> HeatMaps:
    """A heat map for each panel and each method that sees the axis upwards.

    The methods that do not see it stand below the first one of a panel, as rows on a colour scale of their own.
    """
    layout = layout_of(config)
    several = len({block.method for panel in layout.panels for block in _maps(panel)}) > 1
    infos = [_error_maps(sampling, layout, panel, several) for panel in layout.panels]
    maps = tuple(info for group in infos for info in group)
    method = "" if several else METHODS[_maps(layout.panels[0])[0].method].label
    return HeatMaps(": ".join(filter(None, [method, subject_of(config)])), maps)


def _error_maps(sampling: xr.Dataset, layout: Layout, panel: Panel, several: bool) -> list[CellsInfo]:
    below = [row for block in reversed(panel.blocks) if not block.is_map for row in block.rows]
    infos = []
    for number, block in enumerate(_maps(panel)):
        title = ", ".join(filter(None, [METHODS[block.method].label if several else "", panel.title]))
        infos.append(_error_map(sampling, layout, title, block, below if number == 0 else []))
    return infos


def _error_map(sampling: xr.Dataset, layout: Layout, title: str, block: Block, below: list[Row]) -> CellsInfo:
    rows = [*below, *block.rows]
    values = _grid(sampling, "error", rows)
    return CellsInfo(
        title=title,
        values=values,
        texts=_with_deviations(_texts(values, "{:.2f}"), sampling, rows),
        marks=tuple(tuple(_marks(sampling, cell) for cell in row.cells) for row in rows),
        row_centres=np.array([*(-1.0 - GAP - k for k in reversed(range(len(below)))), *range(len(block.rows))], float),
        limits=_limits_of(sampling, layout, lambda one: one.is_map and _alike(one, block)),
        below_limits=_limits_of(sampling, layout, lambda one: not one.is_map) if below else None,
        scale="linear",
        label=str(sampling.error.attrs["symbol"]),
        boundary=_boundary(layout, block),
        **_labels(layout, rows),
    )


def _alike(one: Block, other: Block) -> bool:
    """Whether errors of two methods share a scale: those of others are so much larger that they would hide them."""
    return METHODS[one.method].terms == METHODS[other.method].terms


def _labels(layout: Layout, rows: Iterable[Row]) -> dict[str, Any]:
    return {
        "row_labels": tuple(row.label for row in rows),
        "column_labels": tuple(map(text, layout.columns)),
        "across": layout.across.label,
        "upwards": layout.upwards.label if layout.upwards else "",
    }


def subject_of(config: CampaignConfig) -> str:
    """Specimen, size and noise, as far as they are the same in all cells, for titles."""
    setups = [config.setup(cell) for cell in config.cells(config.methods[0])]
    sizes = sizes_of(config)
    parts = [config.phantom.name, f"{sizes[0]}³" if len(sizes) == 1 else ""]
    parts += [_one(setups, lambda setup: _noise("HAADF", setup.acquisition.haadf))]
    parts += [_one(setups, lambda setup: _noise("chemical", setup.acquisition.chemical))]
    return ", ".join(filter(None, parts))


def _one(setups: Iterable[Setup], said: Callable[[Setup], str]) -> str:
    """What is said of all of them; "" where they differ."""
    found = {said(setup) for setup in setups}
    return found.pop() if len(found) == 1 else ""


def _noise(label: str, series: SeriesConfig) -> str:
    if isinstance(series.snr, dict):
        low, high = (f"{one(series.snr.values()):.3g}" for one in (min, max))
        return f"{label} SNR {low}" + (f" to {high}" if high != low else "")
    if series.snr is not None:
        return f"{label} SNR {series.snr:.4g}"
    if series.dose_counts:
        return f"{label} {series.dose_counts:g} counts a pixel"
    return f"{label} {series.total_dose_counts:g} counts a pixel in all" if series.total_dose_counts else ""


def _maps(panel: Panel) -> list[Block]:
    return [block for block in panel.blocks if block.is_map]


def _value(sampling: xr.Dataset, name: str, cell: Condition) -> Any:
    """The value of a cell; an axis that its method does not see stands at its first value."""
    first = {axis: sampling[axis].values[0] for axis in axes_of(sampling)}
    return sampling[name].sel({METHOD: cell.method, **first, **dict(cell.at)}).item()


def _grid(sampling: xr.Dataset, name: str, rows: Iterable[Row]) -> np.ndarray:
    return np.array([[_value(sampling, name, cell) for cell in row.cells] for row in rows], float)


def _limits_of(sampling: xr.Dataset, layout: Layout, wanted: Callable[[Block], bool]) -> Limits:
    """The colour scale of some blocks, the same in all panels."""
    rows = [row for panel in layout.panels for block in panel.blocks if wanted(block) for row in block.rows]
    return color_limits(_grid(sampling, "error", rows), "linear")


def _marks(sampling: xr.Dataset, cell: Condition) -> str:
    known = (name for name in ("at_cap", "on_bound", "regret_bound") if name in sampling)
    return marks(*(_value(sampling, name, cell) for name in known))


def _boundary(layout: Layout, block: Block) -> np.ndarray:
    """Where both axes count the same, the height above which there is at least as much upwards as across."""
    up = layout.upwards
    if up is None or up.unit != layout.across.unit or up.unit == "1":
        return np.array([])
    rows = [float(dict(row.cells[0].at)[up.name]) for row in block.rows]
    return np.array([sum(value < float(column) for value in rows) - 0.5 for column in layout.columns])


def atlas_info(config: CampaignConfig, sampling: xr.Dataset) -> HeatMaps | None:
    """Heat maps of every parameter of the first method that has a map; None where nothing varies.

    A parameter that is the same everywhere is left out. Weights and eps have logarithmic colours, gamma linear ones.
    """
    layout = layout_of(config)
    blocks = [(panel.title, _maps(panel)[0]) for panel in layout.panels if _maps(panel)]
    if not blocks or not (names := varied_parameters(sampling, blocks[0][1].method)):
        return None
    maps = [info for name in names for info in _parameter_maps(sampling, layout, name, blocks)]
    return HeatMaps(f"{METHODS[blocks[0][1].method].label}: {subject_of(config)}", tuple(maps))


def varied_parameters(sampling: xr.Dataset, method: str) -> list[str]:
    """Parameters of a method that are not the same in all cells."""
    own = sampling.sel({METHOD: method})
    spread = {name: own[name].values[np.isfinite(own[name].values)] for name in SYMBOLS if name in own}
    return [name for name, values in spread.items() if values.size and np.ptp(values) > 0]


def _parameter_maps(
    sampling: xr.Dataset, layout: Layout, name: str, blocks: Sequence[tuple[str, Block]]
) -> list[CellsInfo]:
    scale: Scale = "linear" if name == "gamma" else "log"
    grids = [_grid(sampling, name, block.rows) for _, block in blocks]
    limits = color_limits(np.stack(grids), scale)
    return [
        CellsInfo(
            title=", ".join(filter(None, [SYMBOLS[name], title])),
            values=values,
            texts=_texts(values, "{:.2g}"),
            marks=tuple(("",) * values.shape[1] for _ in values),
            row_centres=np.arange(len(values), dtype=float),
            limits=limits,
            below_limits=None,
            scale=scale,
            label="",
            boundary=np.array([]),
            **_labels(layout, block.rows),
        )
        for values, (title, block) in zip(grids, blocks, strict=True)
    ]


def _texts(values: np.ndarray, form: str) -> Texts:
    return tuple(tuple("" if np.isnan(value) else _short(value, form) for value in row) for row in values)


def _with_deviations(texts: Texts, sampling: xr.Dataset, rows: Sequence[Row]) -> Texts:
    """The texts with a second line for the deviation over the repeats, where it is known."""
    if "error_deviation" not in sampling:
        return texts
    deviations = _grid(sampling, "error_deviation", rows)
    pairs = (zip(*row, strict=True) for row in zip(texts, deviations, strict=True))
    return tuple(tuple(said if np.isnan(spread) else f"{said}\n±{spread:.3f}" for said, spread in row) for row in pairs)


def _short(value: float, form: str) -> str:
    """Two significant digits that fit a cell: 1e-05 becomes 1e-5."""
    return form.format(value).replace("e-0", "e-").replace("e+0", "e")
