"""The product "bodies": diameters of particles, thickness of shells and profiles of surfaces beside the truth's."""

from fusedtomo.bodies import bodies
from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import to_figure
from workflows.campaign.products import PRODUCTS
from workflows.figures.bodies import BodiesInfo, draw_bodies
from workflows.figures.cells import subject_of
from workflows.report.findings import Findings
from workflows.report.of_cells import kept, of_every_method, slices_asked
from workflows.report.product import Drawn, Product, Subject


def bodies_of(findings: Findings, cell: Subject) -> Drawn | None:
    """What every method's best reconstruction shows of each element's bodies."""
    assert cell is not None
    rows = kept(findings, cell)
    if not rows:
        return None
    truth = findings.truth(findings.first(cell))
    found = {method: bodies(findings.volume(one), truth) for method, one in rows.items()}
    info = BodiesInfo(subject_of(findings.config), bodies(truth, truth), found)
    method = list(found)[-1]  # that of the campaign's map, where it is kept
    caption = (
        "The mean concentration of each element by the distance from the true surface of its bodies, below 0 inside, "
        "over its level where the truth is full. The table has diameters of balls of the same volume, thickness (4 "
        "times the mean distance to the surface, which is that of slabs and shells) and the width of the edge from 90 "
        f"to 10 %. {METHODS[method].label}: {info.told(method)}."
    )
    return Drawn(f"Bodies of {cell.key}", caption, to_figure(draw_bodies, info), info.alt_text, info.table)


PRODUCTS.register(Product("bodies", bodies_of, slices_asked, of_every_method, usual=False))
