"""Which failures of data does `reconstruct` warn of, from which strength on, and how often for nothing?

    python -m benchmarks.suspicions [--size 24]

Every family of specimens is simulated without fault under nine conditions, and with each fault at several
strengths; default weights. It prints the tables of docs/howto-real-data.md. A nightly test holds the page against them.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fusedtomo.elements import atomic_number
from fusedtomo.reconstruct import reconstruct
from fusedtomo.settings import Acquisition, SolverSettings, Weights
from fusedtomo.simulate import simulate
from fusedtomo.suspicions import haadf_model, suspicions
from phantoms.registry import FAMILIES, PhantomSpec, make_phantom, phantom_rng

SIZE = 24
# those that thresholds and page were made with; the superlattice in carbon came later
MEASURED = tuple(family for family in FAMILIES.values() if family.name != "au_fe3o4_in_carbon")
KINDS = ("shifts", "mass", "contrast", "unmapped", "misfit")
LOW, HIGH = (200.0, 3.0), (2200.0, 6.0)  # SNR of HAADF and of the maps


@dataclass(frozen=True)
class Case:
    """How the data of every specimen are simulated: in words, and what differs from the default."""

    words: str
    snr: tuple[float, float] = LOW
    tilts: tuple[int, int] = (25, 9)
    seed: int = 1
    acquisition: dict[str, Any] = field(default_factory=dict)
    assumed_gamma: float | None = None
    unmapped: bool = False  # the heaviest element has no maps


CLEAN = (
    Case("SNR 200 and 3"),
    Case("other specimens", seed=2),
    Case("SNR 2200 and 6", HIGH),
    Case("SNR 30 and 1.6", (30.0, 1.6)),
    Case("9 and 5 tilts", tilts=(9, 5)),
    Case("47 and 9 tilts", tilts=(47, 9), seed=3),
    Case("simulated on the finer grid", acquisition={"grid": "fine"}),
    Case("finer grid, SNR 2200 and 6", HIGH, acquisition={"grid": "fine"}),
    Case("finer grid, 47 and 9 tilts", tilts=(47, 9), seed=3, acquisition={"grid": "fine"}),
)
_FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    *((f"misalignment {px:g} pixels", {"acquisition": {"misalignment_px": px}}) for px in (0.25, 0.5, 1.0, 2.0)),
    *((f"thickness damping {k:g}", {"acquisition": {"thickness_damping": k}}) for k in (1.0, 2.0, 4.0)),
    ("heaviest element without maps", {"unmapped": True}),
    *((f"background misfit {b:g}", {"acquisition": {"background_misfit": b}}) for b in (0.2, 0.5, 1.0)),
    *((f"assumed gamma {gamma:g}, true 2", {"assumed_gamma": gamma}) for gamma in (1.4, 1.7)),
)
FAULTS = tuple(Case(words, snr, **more) for words, more in _FAULTS for snr in (LOW, HIGH))


def found_of(case: Case, size: int = SIZE) -> Iterator[set[str]]:
    """The kinds of warnings that each specimen gets."""
    for family in MEASURED:
        heaviest = max(family.elements, key=atomic_number)
        unmapped = {"unmapped": (heaviest,)} if case.unmapped else {}
        yield _found(case, family.name, size, {**case.acquisition, **unmapped})


def _found(case: Case, name: str, size: int, more: dict[str, Any]) -> set[str]:
    bins = 2 if more.get("grid") == "fine" else 1
    spec = PhantomSpec(name=name, size=size * bins, seed=case.seed)
    haadf, chemical = ({"tilts": {"count": n}, "snr": snr} for n, snr in zip(case.tilts, case.snr, strict=True))
    acquisition = Acquisition.model_validate({"haadf": haadf, "chemical": chemical, "seed": case.seed, **more})
    dataset = simulate(make_phantom(spec, phantom_rng(spec)), acquisition)
    settings = SolverSettings(max_iterations=80, gamma=case.assumed_gamma)
    result = reconstruct(dataset, "fused", Weights(), settings)
    model = haadf_model(result.volume, dataset.haadf.scheme.angles_deg, case.assumed_gamma or acquisition.gamma)
    return {one.kind for one in suspicions(dataset, model)}


def false_alarms(size: int = SIZE) -> dict[str, int]:
    """How many clean data sets of each condition get any warning."""
    return {case.words: sum(map(bool, found_of(case, size))) for case in CLEAN}


def rows(size: int = SIZE) -> Iterator[tuple[str, ...]]:
    """Each fault: specimens with any warning, then with each kind, at the lower and the higher SNR."""
    for low, high in zip(FAULTS[::2], FAULTS[1::2], strict=True):
        sets = [list(found_of(case, size)) for case in (low, high)]
        counts = [Counter(kind for kinds in one for kind in kinds) for one in sets]
        totals = " / ".join(str(sum(map(bool, one))) for one in sets)
        yield low.words, totals, *(" / ".join(str(count[kind]) for count in counts) for kind in KINDS)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=SIZE, help="voxels along each edge")
    size = parser.parse_args().size
    for words, count in false_alarms(size).items():
        print(f"| {words} | {count} of {len(MEASURED)} |", flush=True)
    for row in rows(size):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
