"""The house: which module may import which, and the figure of it in docs/architecture.md.

``python -m docs.house`` draws docs/images/house.svg anew from the imports of the code. tests/test_import_direction.py
holds code and figure against the tables below.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIGURE = ROOT / "docs/images/house.svg"
OURS = ("fusedtomo", "phantoms", "workflows")

ANY = None  # a room that may import all others

# Each layer and the layers that its modules may import; a module's layer is that of its longest prefix below.
MAY_IMPORT = {
    "base": {"base"},
    "operators": {"base", "operators"},
    "terms": {"base", "operators", "terms"},
    "solvers": {"base", "operators", "terms", "solvers"},
    "edges": {"base", "operators", "terms", "edges"},  # read, write, simulate, score: no solver
    "plot": {"base", "operators", "terms", "solvers", "edges", "plot"},
    "reconstruct": {"base", "operators", "terms", "solvers", "edges", "reconstruct"},
}
LAYERS = {
    "base": (
        "fusedtomo",  # the package itself, which holds the version
        "fusedtomo.__main__",
        "fusedtomo.arrays",
        "fusedtomo.elements",
        "fusedtomo.errors",
        "fusedtomo.extras",
        "fusedtomo.files",
        "fusedtomo.front",
        "fusedtomo.incoming",
        "fusedtomo.kernels",
        "fusedtomo.launched",
        "fusedtomo.memory",
        "fusedtomo.outcomes",
        "fusedtomo.parallel",
        "fusedtomo.placement",
        "fusedtomo.plot.elements",  # colours, which a volume's thumbnail has as well
        "fusedtomo.registry",
        "fusedtomo.settings",
        "fusedtomo.thumbnail",
        "fusedtomo.tilts",
        "fusedtomo.toml",
        "fusedtomo.volume",
    ),
    "operators": ("fusedtomo.operators",),
    "terms": ("fusedtomo.long_steps", "fusedtomo.losses", "fusedtomo.proximal"),
    "solvers": ("fusedtomo.solvers",),
    "edges": (
        "fusedtomo.alignment",
        "fusedtomo.binning",
        "fusedtomo.bodies",
        "fusedtomo.exporting",
        "fusedtomo.from_arrays",
        "fusedtomo.hdf5",
        "fusedtomo.heaps",
        "fusedtomo.importing",
        "fusedtomo.io",
        "fusedtomo.labelled",
        "fusedtomo.resolution",
        "fusedtomo.score",
        "fusedtomo.simulate",
        "fusedtomo.slabs",
        "fusedtomo.snr",
        "fusedtomo.stoichiometry",
        "fusedtomo.suspicions",
        "fusedtomo.thinning",
    ),
    "plot": ("fusedtomo.plot",),
    "reconstruct": ("fusedtomo.held_out", "fusedtomo.methods", "fusedtomo.reconstruct", "fusedtomo.weighing"),
}
FOR_PHANTOMS = {"fusedtomo.volume", "fusedtomo.errors", "fusedtomo.registry", "fusedtomo.front"}
# Rooms of workflows/ from the bottom to the top, and what each may import; `shipped` and `saying` are single files.
ROOMS = {
    "saying": set(),
    "shipped": set(),
    "campaign": set(),
    "record": {"saying", "campaign"},
    "search": {"campaign", "record"},
    "trial": {"campaign", "record"},
    "maps": {"campaign", "record", "search"},
    "watch": {"campaign", "record"},
    "machines": {"shipped", "trial"},
    "figures": {"campaign", "record", "maps"},
    "report": {"campaign", "record", "search", "maps", "figures", "trial"},
    "process": {"figures", "report"},
    "workers": {"saying", "campaign", "record", "search", "trial", "machines"},
    "control": {"saying", "campaign", "record", "search", "trial", "machines", "workers", "report", "watch"},
    "batch": {"campaign", "record", "trial", "machines", "workers", "watch"},
    "paper": {"shipped", "campaign", "record", "maps", "machines", "figures", "report", "control", "batch"},
    "doctor": {"campaign", "trial", "machines", "workers", "watch", "batch", "control"},
    "command": ANY,
}
ONLY_IN_WORKFLOWS = {"parsl", "skopt"}
# importing the package never initialises MPI or CUDA, does without what is optional, and waits for nothing slow
ONLY_IN_FUNCTIONS = {
    *("astra", "cupy", "mpi4py", "mrcfile", "plotly", "pyvista", "rsciio", "skimage", "tifffile", "xraydb", "zarr"),
}


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
    if importer == imported_top == "workflows":
        return _room_fault(room(module), room(imported.name), imported.name)
    if importer == "fusedtomo":
        here, there = layer(module), layer(imported.name)
        if there not in MAY_IMPORT.get(here, ()):
            return f"({here}) imports {imported.name} ({there}), which does not stand below it"
    return None


def room(module: str) -> str:
    """The room of a module of workflows; "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def _room_fault(here: str, there: str, name: str) -> str | None:
    allowed = ROOMS.get(here, set())
    if there in ("", here) or allowed is ANY or there in allowed:
        return None
    return f"({here}) imports {name} ({there}), a room that it may not import"


def faults(sources: dict[str, tuple[str, bool]], modules: Iterable[str] | None = None) -> list[str]:
    """The faults of modules, given as name -> (source, is it a package): of all of them, or of some."""
    found = []
    for module in sorted(sources if modules is None else modules):
        source, is_package = sources[module]
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


def room_imports(sources: dict[str, tuple[str, bool]]) -> dict[str, set[str]]:
    """Which rooms of workflows each room really imports."""
    found: dict[str, set[str]] = {name: set() for name in ROOMS}
    for module, (source, is_package) in sources.items():
        if room(module) in found and module.startswith("workflows."):
            names = (one.name for one in imports(source, module, is_package=is_package, known=set(sources)))
            found[room(module)] |= {room(name) for name in names if name.startswith("workflows.")}
    return {name: there - {name, ""} for name, there in found.items()}


_WIDTH, _HEIGHT, _APART_X, _APART_Y = 118, 34, 30, 64


def levels(arrows: dict[str, set[str]]) -> dict[str, int]:
    """The floor of every room: one above the highest room that it imports."""
    floors: dict[str, int] = {}
    for name in ROOMS:  # from the bottom to the top
        floors[name] = 1 + max((floors[there] for there in arrows[name]), default=-1)
    return floors


def below(name: str, arrows: dict[str, set[str]]) -> set[str]:
    """Every room that a room imports, itself or through others."""
    return arrows[name].union(*(below(there, arrows) for there in arrows[name]))


def svg(arrows: dict[str, set[str]]) -> str:
    """The rooms as boxes on their floors, an arrow from each to the rooms that it imports.

    An import that other arrows lead to as well has no arrow of its own.
    """
    floors = levels(arrows)
    through = {name: set().union(*(below(there, arrows) for there in arrows[name])) for name in ROOMS}
    arrows = {name: there - through[name] for name, there in arrows.items()}
    rows = [[name for name in ROOMS if floors[name] == floor] for floor in range(max(floors.values()) + 1)]
    width = 40 + max(len(row) for row in rows) * (_WIDTH + _APART_X)
    height = 40 + len(rows) * (_HEIGHT + _APART_Y) - _APART_Y
    places = {}
    for floor, row in enumerate(rows):
        left = (width - len(row) * (_WIDTH + _APART_X) + _APART_X) / 2
        for column, name in enumerate(row):
            places[name] = (left + column * (_WIDTH + _APART_X), height - 20 - _HEIGHT - floor * (_HEIGHT + _APART_Y))
    lines = [_arrow(places[here], places[there]) for here in ROOMS for there in ROOMS if there in arrows[here]]
    boxes = [_box(name, *place) for name, place in places.items()]
    return "\n".join([_HEAD.format(width=width, height=height), *lines, *boxes, "</svg>"]) + "\n"


_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" \
font-family="sans-serif" font-size="14" role="img">
<title>The rooms of workflows/: each imports only rooms that stand below it</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0 8 4 0 8z" fill="#5a6b7b"/></marker></defs>
<rect width="100%" height="100%" fill="#ffffff"/>"""


def _box(name: str, x: float, y: float) -> str:
    shape = f'<rect x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="5" fill="#e8f0f7" stroke="#0072b2"/>'
    return f'{shape}<text x="{x + _WIDTH / 2:g}" y="{y + 22:g}" text-anchor="middle" fill="#12212f">{name}</text>'


def _arrow(above: tuple[float, float], below: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = above, below
    start, end = (x1 + _WIDTH / 2, y1 + _HEIGHT), (x2 + _WIDTH / 2, y2)
    bend = f"C{start[0]:g} {start[1] + 30:g} {end[0]:g} {end[1] - 30:g}"
    path = f"M{start[0]:g} {start[1]:g} {bend} {end[0]:g} {end[1]:g}"
    return f'<path d="{path}" fill="none" stroke="#5a6b7b" stroke-opacity="0.55" marker-end="url(#tip)"/>'


if __name__ == "__main__":
    FIGURE.write_text(svg(room_imports(our_sources())), encoding="utf-8")
    print(FIGURE)
