"""Does every module import only what stands below it? The tables of docs/house.py, read from the source."""

import re

import pytest

from docs.house import ANY, FIGURE, ROOMS, ROOT, faults, layer, our_sources, room, room_imports, svg


def test_imports_point_downwards_everywhere():
    assert faults(our_sources()) == []


def test_every_module_of_fusedtomo_has_a_layer():
    missing = [module for module in our_sources() if module.startswith("fusedtomo") and layer(module) is None]
    assert missing == [], "add these modules to LAYERS of docs/house.py"


def test_every_room_of_workflows_is_in_the_table_in_an_order_without_circles():
    rooms = {room(module) for module in our_sources() if module.startswith("workflows.")}
    assert rooms == set(ROOMS), "keep ROOMS of docs/house.py with the folders of workflows/"
    names = list(ROOMS)
    for name, allowed in ROOMS.items():
        assert allowed is ANY or allowed <= set(names[: names.index(name)]), f"{name} may import what stands above it"


def test_the_table_of_rooms_allows_no_more_than_the_code_needs():
    found = room_imports(our_sources())
    spare = {name: allowed - found[name] for name, allowed in ROOMS.items() if allowed is not ANY}
    assert {name: rooms for name, rooms in spare.items() if rooms} == {}


def test_the_figure_of_the_house_is_that_of_the_code():
    assert FIGURE.read_text() == svg(room_imports(our_sources())), "draw it anew: python -m docs.house"
    assert "images/house.svg" in (ROOT / "docs/architecture.md").read_text()


@pytest.mark.parametrize(
    ("module", "line", "message"),
    [
        ("fusedtomo.score", "from phantoms.registry import make_phantom", "stands above it"),
        ("fusedtomo.io", "import workflows.campaign.config", "stands above it"),
        ("phantoms.spec", "from workflows import campaign", "stands above it"),
        ("phantoms.spec", "from fusedtomo.settings import Settings", "phantoms may import only"),
        ("phantoms.spec", "from fusedtomo import settings", "phantoms may import only"),
        ("fusedtomo.reconstruct", "def f():\n    import parsl.app", "only workflows may"),
        ("phantoms.spec", "from skopt import Optimizer", "only workflows may"),
        (
            "fusedtomo.tilts",
            "from fusedtomo.operators.projector import Projector",
            r"\(base\) imports .* \(operators\)",
        ),
        ("fusedtomo.operators.projector", "from fusedtomo.losses import Loss", r"\(operators\) imports .* \(terms\)"),
        ("fusedtomo.operators.projector", "from ..losses import Loss", r"\(operators\) imports .* \(terms\)"),
        ("fusedtomo.operators.projector", "from .. import losses", r"\(operators\) imports .* \(terms\)"),
        ("fusedtomo.losses", "def f():\n    from fusedtomo.solvers import fused", r"\(terms\) imports .* \(solvers\)"),
        ("fusedtomo.solvers.fused", "from fusedtomo.reconstruct import reconstruct", r"\(solvers\) imports"),
        ("fusedtomo.solvers.fused", "from fusedtomo import score", r"\(solvers\) imports .* \(edges\)"),
        ("fusedtomo.score", "from fusedtomo.solvers.fused import fused", r"\(edges\) imports .* \(solvers\)"),
        ("fusedtomo.simulate", "import fusedtomo.reconstruct", r"\(edges\) imports .* \(reconstruct\)"),
        ("fusedtomo.kernels.numba.tv", "from fusedtomo import proximal", r"\(base\) imports .* \(terms\)"),
        ("fusedtomo.arrays", "import cupy as cp", "import it inside the function"),
        ("workflows.control.run", "from mpi4py import MPI", "import it inside the function"),
        ("fusedtomo.operators._astra", "try:\n    import astra\nexcept ImportError:\n    astra = None", "inside the"),
    ],
)
def test_a_fabricated_violation_is_found(module, line, message):
    sources = our_sources()
    source, is_package = sources.get(module, ("", False))
    sources[module] = (source + "\n" + line + "\n", is_package)
    (found,) = faults(sources, [module])
    assert found.startswith(module + ":")
    assert re.search(message, found)


def test_an_import_inside_a_function_is_allowed_for_optional_packages():
    lazy = {"fusedtomo.arrays": ("def f():\n    import cupy\n", False)}
    assert faults(lazy) == []
