"""The product "concentrations": what do all methods find where the truth is full, over the axes (Supplement 11)?"""

from collections.abc import Iterator
from itertools import product

import pandas as pd

from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import to_figure
from fusedtomo.stoichiometry import Distribution, stoichiometry
from workflows.campaign import Condition, Value
from workflows.campaign.products import PRODUCTS
from workflows.figures.cells import subject_of
from workflows.figures.concentrations import ConcentrationsInfo, concentrations_info, draw_concentrations
from workflows.report.findings import Findings
from workflows.report.of_cells import conditions_of, with_results
from workflows.report.product import Drawn, Product, Subject


def concentrations(findings: Findings, _subject: Subject) -> Drawn | None:
    """Means and deviations of every element in the truth's full voxels, of every cell whose volume is kept."""
    table = pd.DataFrame([row for condition in conditions_of(findings) for row in _rows(findings, condition)])
    if table.empty:
        return None
    info = concentrations_info(findings.config, _over_all_axes(findings, table), subject_of(findings.config))
    figure = to_figure(draw_concentrations, info)
    told = table.assign(method=[METHODS[name].label for name in table.method])
    return Drawn("Concentrations", _caption(findings, info), figure, info.alt_text, told)


def _caption(findings: Findings, info: ConcentrationsInfo) -> str:
    main = findings.config.methods[0]
    own = f" {METHODS[main].label}: {info.told(main)}." if main in info.methods else ""
    shown = (
        "" if len(findings.config.axes) == 1 else " Panels are for some values of the other axes; the table has all."
    )
    return (
        "Mean and standard deviation of concentrations and of atomic fractions in the voxels that the truth fills with "
        f"the element (Supplement 11), for each method with its best weights.{shown}{own}"
    )


def _rows(findings: Findings, condition: Condition) -> Iterator[dict[str, Value]]:
    if not findings.is_kept(condition):
        return
    axes = {name: value for name, value in condition.at if name in findings.config.axes}
    for element, one in stoichiometry(findings.volume(condition), findings.truth(condition)).items():
        of = {**_numbers("", one.concentration), **_numbers("fraction_", one.fraction)}
        yield {
            "method": condition.method,
            **axes,
            "element": element,
            "voxels": one.voxels,
            **of,
            "in_vacuum": one.in_vacuum,
        }


def _numbers(before: str, of: Distribution) -> dict[str, float]:
    return {f"{before}{name}": getattr(of, name) for name in ("expected", "median", "mean", "deviation")}


def _over_all_axes(findings: Findings, table: pd.DataFrame) -> pd.DataFrame:
    """A row for every value of an axis that a method does not see, too: its results are the same all along it."""
    axes = findings.config.axes
    return pd.concat([_spread(table[table.method == name], axes) for name in table.method.unique()], ignore_index=True)


def _spread(rows: pd.DataFrame, axes: dict[str, tuple[Value, ...]]) -> pd.DataFrame:
    unseen = {name: values for name, values in axes.items() if name not in rows or rows[name].isna().all()}
    return pd.concat([rows.assign(**dict(zip(unseen, values, strict=True))) for values in product(*unseen.values())])


PRODUCTS.register(Product("concentrations", concentrations, volumes=with_results, usual=False))
