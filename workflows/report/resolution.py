"""The products "resolution" and "resolutions": how fine is what each method resolves, in one cell and over the axes?"""

import pandas as pd

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import to_figure
from fusedtomo.resolution import Resolution, resolution
from fusedtomo.volume import ChemicalVolume
from workflows.campaign import Condition
from workflows.campaign.products import PRODUCTS
from workflows.figures.cells import subject_of
from workflows.figures.resolution_of_methods import MethodsInfo, draw_resolution_of_methods
from workflows.report.findings import Findings
from workflows.report.of_cells import kept, of_every_method, slices_asked, with_results
from workflows.report.product import Drawn, Product, Subject
from workflows.report.resolutions import resolutions


def resolution_of_methods(findings: Findings, cell: Subject) -> Drawn | None:
    """The resolution of every method's best reconstruction, against the truth, and its loss in the wedge (Fig. 3)."""
    assert cell is not None
    rows = kept(findings, cell)
    if not rows:
        return None
    truth, tilts = findings.truth(findings.first(cell)), _measured_between(findings, findings.first(cell))
    found = {method: _of(findings.volume(one), truth, tilts) for method, one in rows.items()}
    info = MethodsInfo(subject_of(findings.config), truth.voxel_nm, found)
    caption = (
        "Above, the Fourier shell correlation of every method's best reconstruction with the truth, in directions that "
        f"the chemical tilts ({tilts[0]:g} to {tilts[1]:g} degrees) measured and in those that they missed, and the "
        "power spectra; below, the half-pitch of edges that face the axes: x is the tilt axis, and the missing wedge "
        "lies about z. Where the table has no length, agreement reaches the last frequency, the spectrum has no noise "
        f"floor, or no edge faces the axis. {_of_last(info)}"
    )
    figure = to_figure(draw_resolution_of_methods, info)
    return Drawn(f"Resolution of {cell.key}", caption, figure, info.alt_text, pd.DataFrame(info.table))


def _of(volume: ChemicalVolume, truth: ChemicalVolume, tilts: tuple[float, float]) -> dict[str, Resolution]:
    return {name: resolution(volume[name], truth.voxel_nm, truth[name], tilts) for name in truth.elements}


def _measured_between(findings: Findings, condition: Condition) -> tuple[float, float]:
    """First and last angle of the chemical tilts: what they missed, HAADF images alone may have seen."""
    tilts = findings.config.acquisition_of(condition).chemical.tilts
    return tilts.min_deg, tilts.max_deg


def _of_last(info: MethodsInfo) -> str:
    """The numbers of the method of the campaign's map, where it is kept."""
    method = list(info.methods)[-1]
    return f"{METHODS[method].label}: {info.told(method)}."


PRODUCTS.register(Product("resolution", resolution_of_methods, slices_asked, of_every_method, usual=False))
PRODUCTS.register(Product("resolutions", resolutions, volumes=with_results, usual=False))
