"""Compiles every CPU kernel once, on a tiny problem, so that the numba cache is warm before workers start."""

from fusedtomo.reconstruct import reconstruct
from fusedtomo.settings import Acquisition, Modality, SolverSettings, TiltRange, Weights
from fusedtomo.simulate import simulate
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng


def run_everything_once() -> None:
    """Simulate and reconstruct a 16^3 phantom with `fused-weighted`, which begins as `fused`: all kernels of both."""
    spec = PhantomSpec(name="conio_nanotube", size=16, seed=0)
    noise = {"snr": 3.0, "tilts": TiltRange(count=2)}
    acquisition = Acquisition(haadf=Modality(**noise), chemical=Modality(**noise))
    dataset = simulate(make_phantom(spec, phantom_rng(spec)), acquisition)
    reconstruct(dataset, "fused-weighted", Weights(), SolverSettings(max_iterations=2))
