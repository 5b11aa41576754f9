"""How does the resolution of all methods change over the axes (paper, Supplement 7)?"""

from itertools import product
from statistics import fmean
from typing import Any

import numpy as np
import xarray as xr

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import to_figure
from fusedtomo.resolution import agreement_nm
from fusedtomo.volume import ChemicalVolume
from workflows.campaign import AXES, CampaignConfig, Value
from workflows.figures.along import over_last_axis
from workflows.figures.curves import draw_curves
from workflows.maps.sampling_map import METHOD
from workflows.report.findings import Findings
from workflows.report.of_cells import conditions_of
from workflows.report.product import Drawn, Subject


def resolutions_of(findings: Findings) -> xr.DataArray:
    """The length in nm down to which reconstructions agree with the truth by half a bit, mean over the elements.

    Over (method_name, axes), NaN where no reconstruction is kept. What agrees down to the last frequency has its
    length, two voxels.
    """
    config = findings.config
    kept = [condition for condition in conditions_of(findings) if findings.is_kept(condition)]
    known = {one: _agreement_nm(findings.volume(one), findings.truth(one)) for one in kept}
    cells = [config.cell(method, at) for method in config.methods for at in product(*config.axes.values())]
    axes = {name: list(values) for name, values in config.axes.items()}
    coordinates: dict[str, list[Any]] = {METHOD: list(config.methods), **axes}
    found = np.array([known.get(findings.first(cell), np.nan) for cell in cells])
    shape = tuple(len(values) for values in coordinates.values())
    return xr.DataArray(found.reshape(shape), coordinates, name="resolution_nm")


def _agreement_nm(volume: ChemicalVolume, truth: ChemicalVolume) -> float:
    return fmean(agreement_nm(volume[element], truth[element], truth.voxel_nm) for element in truth.elements)


def resolutions(findings: Findings, _subject: Subject) -> Drawn | None:
    """The resolution of every cell's best reconstruction, over a campaign of one axis or two."""
    config, found = findings.config, resolutions_of(findings)
    if len(config.axes) > 2:
        return None
    info = over_last_axis(config, found, _curves(config), "resolution (nm)")
    if info is None:
        return None
    caption = (
        "The length down to which the best reconstruction of every method agrees with the truth by half a bit (Fourier "
        "shell correlation in all directions, mean over the elements): the shorter, the finer. What agrees down to two "
        "voxels may be finer than that."
    )
    table = found.to_dataframe().reset_index().rename(columns={METHOD: "method"})
    return Drawn("Resolution over the axes", caption, to_figure(draw_curves, info), info.alt_text, table)


def _curves(config: CampaignConfig) -> list[tuple[str, Value]]:
    """The methods at both ends of the first axis, those that do not see it once."""
    name, values = next(iter(config.axes.items()))
    ends = (values[0], values[-1]) if len(config.axes) > 1 else values[:1]
    blind = {method for method in config.methods if not METHODS[method].uses(AXES[name].term)}
    return [(method, end) for end in ends for method in config.methods if end == values[0] or method not in blind]
