"""By which names may a campaign file ask for products? Their values stand in the room of the report, above this one."""

from typing import Any

from fusedtomo.registry import Registry

# values: workflows.report.product.Product
PRODUCTS: Registry[Any] = Registry(
    "product",
    built_in=(
        "workflows.report.of_the_map",
        "workflows.report.of_cells",
        "workflows.report.pareto",
        "workflows.report.resolution",
        "workflows.report.concentrations",
        "workflows.report.views",
    ),
)
