"""The product "views": what do the truth and every method look like in three dimensions (Fig. 4b, Supplement 19)?"""

import pandas as pd

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import to_figure
from workflows.campaign.products import PRODUCTS
from workflows.figures.cells import subject_of
from workflows.figures.views import draw_views, views_info
from workflows.report.findings import Findings
from workflows.report.of_cells import kept, of_every_method, slices_asked
from workflows.report.product import Drawn, Product, Subject


def views(findings: Findings, cell: Subject) -> Drawn | None:
    """Isosurfaces and orthogonal cuts; without PyVista the cuts, and what is missing."""
    assert cell is not None
    rows = kept(findings, cell)
    if not rows:
        return None
    volumes = {"Truth": findings.truth(findings.first(cell))}
    volumes |= {
        METHODS[method].label: findings.volume(one).only(volumes["Truth"].elements) for method, one in rows.items()
    }
    info = views_info(volumes, subject_of(findings.config))
    words = ", ".join(cell.words.split(", ")[1:])
    caption = (
        f"Isosurfaces and cuts of the reconstructions from {words}, each method with its best weights (Fig. 4b, "
        "Supplements 9b, 10b and 19). The z axis, which is the beam at 0 degrees, points up; one camera sees all. An "
        "isosurface encloses as many voxels as the truth's, at half of the highest concentration; in the view of all "
        "elements the one that fills most is transparent. Cuts go through the fullest slice of the truth."
    )
    told = f" {info.reason}." if info.reason else ""
    return Drawn(
        f"Views of {cell.key}", caption + told, to_figure(draw_views, info), info.alt_text, pd.DataFrame(info.table)
    )


PRODUCTS.register(Product("views", views, slices_asked, of_every_method, usual=False, plain=False))
