"""Does every module import only what stands below it? The architecture as a table, read from the source."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("fusedtomo", "phantoms", "workflows")

# Each layer and the layers that its modules may import; a module's layer is that of its longest prefix below.
MAY_IMPORT = {
    "base": {"base"},
    "operators": {"base", "operators"},
    "terms": {"base", "operators", "terms"},
    "solvers": {"base", "operators", "terms", "solvers"},
    "edges": {"base", "operators", "terms", "edges"},  # read, write, simulate, score: no solver
    "reconstruct": {"base", "operators", "terms", "solvers", "edges", "reconstruct"},
}
LAYERS = {
    "base": (
        "fusedtomo",  # the package itself, which holds the version
        "fusedtomo.__main__",  # looks the command up among what is installed, and imports nothing of ours
        "fusedtomo.arrays",
        "fusedtomo.elements",
        "fusedtomo.errors",
        "fusedtomo.files",
        "fusedtomo.kernels",
        "fusedtomo.parallel",
        "fusedtomo.placement",
        "fusedtomo.settings",
        "fusedtomo.tilts",
        "fusedtomo.toml",
        "fusedtomo.volume",
    ),
    "operators": ("fusedtomo.operators",),
    "terms": ("fusedtomo.losses", "fusedtomo.proximal"),
    "solvers": ("fusedtomo.solvers",),
    "edges": ("fusedtomo.hdf5", "fusedtomo.importing", "fusedtomo.io", "fusedtomo.score", "fusedtomo.simulate"),
    "reconstruct": ("fusedtomo.reconstruct",),
}
FOR_PHANTOMS = {"fusedtomo.volume", "fusedtomo.errors"}
ONLY_IN_WORKFLOWS = {"parsl", "skopt"}
ONLY_IN_FUNCTIONS = {"astra", "cupy", "mpi4py"}  # importing the package never initialises MPI or CUDA


@dataclass(frozen=True)
class Import:
    """One imported module, and whether importing the file imports it."""

    name: str
    line: int
    at_top: bool


def imports(source: str, module: str, *, is_package: bool, known: set[str]) -> Iterator[Import]:
    """Every import of a module's source; `known` are our modules, which tells a submodule from a name inside one."""
    tree = ast.parse(source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) not in inside)
        elif isinstance(node, ast.ImportFrom):
            ancestors = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*ancestors, *([node.module] if node.module else [])])
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                yield Import(submodule if submodule in known else base, node.lineno, id(node) not in inside)


def layer(module: str) -> str | None:
    """The layer of a module of fusedtomo."""
    places = [(prefix, name) for name, prefixes in LAYERS.items() for prefix in prefixes]
    fits = [
        (len(prefix), name)
        for prefix, name in places
        if module == prefix or (prefix != "fusedtomo" and module.startswith(prefix + "."))
    ]
    return max(fits)[1] if fits else None


def fault(module: str, imported: Import) -> str | None:
    """What is wrong with an import, or None."""
    importer, imported_top = module.split(".")[0], imported.name.split(".")[0]
    if imported_top in ONLY_IN_FUNCTIONS and imported.at_top:
        return f"imports {imported.name} at the top; import it inside the function that needs it"
    if imported_top in ONLY_IN_WORKFLOWS and importer != "workflows":
        return f"imports {imported.name}; only workflows may"
    if imported_top not in OURS:
        return None
    if OURS.index(imported_top) > OURS.index(importer):
        return f"imports {imported.name}, which stands above it"
    if importer == "phantoms" and imported_top == "fusedtomo" and imported.name not in FOR_PHANTOMS:
        return f"imports {imported.name}; phantoms may import only {', '.join(sorted(FOR_PHANTOMS))}"
    if importer == "fusedtomo":
        here, there = layer(module), layer(imported.name)
        if there not in MAY_IMPORT.get(here, ()):
            return f"({here}) imports {imported.name} ({there}), which does not stand below it"
    return None


def faults(sources: dict[str, tuple[str, bool]]) -> list[str]:
    """The faults of modules, given as name -> (source, is it a package)."""
    found = []
    for module, (source, is_package) in sorted(sources.items()):
        for imported in imports(source, module, is_package=is_package, known=set(sources)):
            message = fault(module, imported)
            if message:
                found.append(f"{module}:{imported.line} {message}")
    return found


def our_sources() -> dict[str, tuple[str, bool]]:
    """Every module of the three packages."""
    sources = {}
    for package in OURS:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            sources[".".join(parts[:-1] if is_package else parts)] = (path.read_text(encoding="utf-8"), is_package)
    return sources


def test_imports_point_downwards_everywhere():
    assert faults(our_sources()) == []


def test_every_module_of_fusedtomo_has_a_layer():
    missing = [module for module in our_sources() if module.startswith("fusedtomo") and layer(module) is None]
    assert missing == [], "add these modules to LAYERS"


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
    (found,) = faults(sources)
    assert found.startswith(module + ":")
    assert re.search(message, found)


def test_an_import_inside_a_function_is_allowed_for_optional_packages():
    lazy = {"fusedtomo.arrays": ("def f():\n    import cupy\n", False)}
    assert faults(lazy) == []
