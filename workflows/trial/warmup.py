"""Compiles every CPU kernel once, on a tiny problem, so that the numba cache is warm before workers start."""

import numpy as np

from fusedtomo.reconstruct import reconstruct
from fusedtomo.settings import Acquisition, Modality, SolverSettings, TiltRange, Weights
from fusedtomo.simulate import simulate
from fusedtomo.volume import ChemicalVolume


def run_everything_once(method: str = "fused-weighted") -> None:
    """Simulate and reconstruct a bar of CoO; `fused-weighted`, which begins as `fused`, has all kernels of both."""
    bar = np.zeros((2, 16, 16, 16), np.float32)
    bar[:, 4:12, 4:12] = 0.5
    noise = {"snr": 3.0, "tilts": TiltRange(count=2)}
    acquisition = Acquisition(haadf=Modality(**noise), chemical=Modality(**noise))
    dataset = simulate(ChemicalVolume(bar, ("Co", "O"), 1.0), acquisition)
    reconstruct(dataset, method, Weights(), SolverSettings(max_iterations=2))
