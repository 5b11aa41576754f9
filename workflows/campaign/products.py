"""By which names may a campaign file ask for products? Their values stand in the room of the report, above this one."""

from typing import Any

from fusedtomo.registry import Registry

_FILES = ("of_the_map", "of_cells", "pareto", "bodies", "resolution", "concentrations", "resolutions", "views")

# values: workflows.report.product.Product
PRODUCTS: Registry[Any] = Registry("product", built_in=tuple(f"workflows.report.{name}" for name in _FILES))
