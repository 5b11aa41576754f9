"""The initial iterate, from the chemical data alone (paper, Methods: x_0 = argmin of the second term)."""

import numpy as np

from fusedtomo.losses import ChemicalPoisson

_FLOOR = 0.2


def maximum_likelihood(loss: ChemicalPoisson, shape: tuple[int, int, int], iterations: int) -> np.ndarray:
    """Expectation maximisation (Shepp and Vardi 1982) from a flat volume: (element, z, y, x) float32, > 0.

    Early iterates are smooth and positive everywhere, which accelerated iterates of so noisy a problem are not.
    """
    volume = _flat(loss, shape)
    sensitivity = np.maximum(loss.projector.adjoint(np.ones(loss.counts.shape[1:], np.float32)), 1e-3)
    gain, eps = loss.gain[:, None, None, None], loss.eps[:, None, None, None]
    for _ in range(iterations):
        ratio = loss.counts / (gain * loss.project(volume) + eps)
        volume *= loss.projector.adjoint(ratio) / sensitivity
    return volume


def lifted(volume: np.ndarray) -> np.ndarray:
    """The volume raised to a fifth of its peak (99.9 %) everywhere, for a start of the fused solver.

    The derivative of x^gamma vanishes at x = 0 for gamma > 1, so that a voxel that starts empty would not hear
    from the HAADF term again.
    """
    peak = np.quantile(volume, 0.999, axis=(1, 2, 3), keepdims=True)
    return np.maximum(volume, np.float32(_FLOOR) * peak).astype(np.float32)


def _flat(loss: ChemicalPoisson, shape: tuple[int, int, int]) -> np.ndarray:
    ones = np.ones((len(loss.counts), *shape), np.float32)
    signal = np.maximum(
        loss.counts.mean(axis=(1, 2, 3)) - loss.eps, 0.01 * np.maximum(loss.counts.mean(axis=(1, 2, 3)), 0.01)
    )
    level = signal / (loss.gain * loss.project(ones[:1]).mean())
    return ones * level.astype(np.float32)[:, None, None, None]
