"""Whatever is asked of a method: no error, no NaN, nothing below zero, and never a worse volume than it had before."""

import secrets
import traceback
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest

from fusedtomo.methods import METHODS
from fusedtomo.reconstruct import solve
from fusedtomo.settings import Acquisition, SolverSettings, Weights
from fusedtomo.simulate import simulate
from fusedtomo.solvers.convergence import last_solve
from fusedtomo.solvers.solution import AS_GOOD
from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume
from phantoms.registry import list_phantoms, make_phantom
from phantoms.spec import PhantomSpec, phantom_rng

SIZE, KNOWN = 16, 20261127
FAMILIES = tuple(list_phantoms())
BUILT_IN = (
    "fused",
    "poisson-tv",
    "poisson",
    "sirt",
    "fista-tv",
    "gradient-descent",
    "fused-without-tv",
    "fused-weighted",
    "haadf-sirt",
    "haadf-tv",
)


@dataclass(frozen=True)
class Case:
    """A reconstruction that somebody might ask for."""

    family: str
    acquisition: Acquisition
    method: str
    weights: Weights
    settings: SolverSettings

    @classmethod
    def drawn(cls, seed: int, number: int, most_iterations: int) -> "Case":
        """Any specimen and tilts, from hardly a count to a hundred thousand, weights and eps over many decades."""
        rng = np.random.default_rng([seed, number])
        acquisition = {"haadf": _modality(rng), "chemical": _modality(rng), "gamma": rng.uniform(1, 2), "seed": number}
        return cls(
            str(rng.choice(FAMILIES)),
            Acquisition.model_validate(acquisition),
            BUILT_IN[number % len(BUILT_IN)],
            Weights(**{name: 0 if rng.random() < 0.1 else _decades(rng, -6, 6) for name in Weights.model_fields}),
            _settings(rng, most_iterations),
        )

    def data(self) -> FusedDataset:
        return simulate(_specimen(self.family), self.acquisition)


@lru_cache
def _specimen(family: str) -> ChemicalVolume:
    spec = PhantomSpec(name=family, size=SIZE, seed=1)
    return make_phantom(spec, phantom_rng(spec))


def _decades(rng, low, high):
    return float(10 ** rng.uniform(low, high))


def _modality(rng):
    return {"tilts": {"count": int(rng.integers(2, 20))}, "snr": 1 + _decades(rng, -3, 5)}


def _settings(rng, most_iterations):
    return SolverSettings(
        max_iterations=int(rng.integers(1, most_iterations + 1)),
        tolerance=_decades(rng, -5, -2),
        eps=rng.choice([None, _decades(rng, -8, 3)]),
        gamma=rng.choice([None, rng.uniform(1, 2)]),
        tv=rng.choice(["isotropic", "anisotropic"]),
        tv_iterations=rng.choice([None, int(rng.integers(1, 10))]),
        chemical_term=rng.choice(["poisson", "least-squares"]),
        mask=rng.choice(["none", "cylinder"]),
        initial_iterations=int(rng.integers(0, 8)),
    )


def fault_of(case: Case) -> str | None:
    """What is wrong with the solution, or None."""
    try:
        return _fault(case)
    except Exception:
        return traceback.format_exc()


def _fault(case: Case) -> str | None:
    iterates: list[np.ndarray] = []

    def keep(_iteration, volume):
        iterates.append(volume.copy())
        return {}

    solution = solve(case.data(), case.method, case.weights, case.settings, callback=keep)
    totals = last_solve(solution.history)["total"]
    before, iterates = iterates[: -len(totals)], iterates[-len(totals) :]
    as_good = np.flatnonzero(totals <= min(totals[0], (1 + AS_GOOD) * np.nanmin(totals)))
    if not np.isfinite(solution.volume).all():
        return "not finite"
    if solution.volume.min() < 0:
        return f"a voxel of {solution.volume.min()}"
    # outside a mask rounding leaves 1e-30
    # a later solve starts from the best iterate of the one before, which need not be the last
    allowed = [*(iterates[k] for k in as_good), *(before if 0 in as_good else [])]
    if not any(np.allclose(solution.volume, each, rtol=0, atol=1e-12) for each in allowed):
        return f"not one of its best iterates; costs {totals}"
    if totals[-1] > totals[0] and solution.stopped not in ("diverging", "tolerance"):
        return f"stopped by {solution.stopped} at {totals[-1]:g}, above the start's {totals[0]:g}"
    return None


def faults(seed: int, number_of_cases: int, most_iterations: int) -> list[str]:
    """Every fault, with the case that it is of."""
    cases = ((number, Case.drawn(seed, number, most_iterations)) for number in range(number_of_cases))
    found = ((number, case, fault_of(case)) for number, case in cases)
    return [f"seed {seed}, number {number}: {fault}\n  {case}" for number, case, fault in found if fault]


def test_some_random_solves():
    assert not faults(KNOWN, 18, most_iterations=12)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_a_thousand_random_solves():
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # pytest -rP shows it
    assert not faults(seed, 1000, most_iterations=60)


def test_the_methods_that_are_tried_are_those_there_are():
    assert set(BUILT_IN) == set(METHODS)
