"""The product "pareto": what does a choice of weights without the truth cost (Supplement 13a)?"""

from fusedtomo.plot.drawing import to_figure
from workflows.campaign.products import PRODUCTS
from workflows.figures.cells import subject_of
from workflows.figures.pareto import draw_pareto, pareto_info
from workflows.record.journal import by_condition
from workflows.report.findings import Findings
from workflows.report.of_cells import landscapes_asked
from workflows.report.product import Drawn, Product, Subject


def pareto(findings: Findings, cell: Subject) -> Drawn | None:
    """The data terms of all trials of a cell; None where the journal has none, as those of earlier versions."""
    assert cell is not None
    own = by_condition(findings.trials).get(findings.first(cell).key, [])
    info = pareto_info(own, cell.words, subject_of(findings.config))
    if info is None:
        return None
    caption = (
        "The HAADF term against the chemical term of every trial, both without their weights (Supplement 13a). The "
        "line is the Pareto front: trials that no other trial beats in one term without losing in the other. Its "
        f"inflection point lies furthest below the chord between its ends. Here {info.told}."
    )
    return Drawn(f"Pareto front of {cell.key}", caption, to_figure(draw_pareto, info), info.alt_text, info.table)


PRODUCTS.register(Product("pareto", pareto, landscapes_asked, usual=False))
