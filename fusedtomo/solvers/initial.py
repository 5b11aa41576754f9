"""The initial iterate, from the chemical data alone (paper, Methods: x_0 = argmin of the second term)."""

import numpy as np

from fusedtomo.arrays import Array, array_module, means, sample
from fusedtomo.losses import ChemicalPoisson
from fusedtomo.parallel import SERIAL, Comm
from fusedtomo.solvers.problem import Problem

_FLOOR = 0.2


def initial_volume(problem: Problem) -> Array:
    """A few maximum-likelihood iterations on the chemical data, (element, z, y, x)."""
    return maximum_likelihood(problem.chemical_poisson(), problem.shape[1:], problem.settings.initial_iterations)


def maximum_likelihood(loss: ChemicalPoisson, shape: tuple[int, int, int], iterations: int) -> Array:
    """Expectation maximisation (Shepp and Vardi 1982) from a flat volume: (element, z, y, x) float32, > 0.

    Early iterates are smooth and positive everywhere, which accelerated iterates of so noisy a problem are not. An eps
    that alone explains more than the counts would let the volume vanish: no more than their mean is put in.
    """
    xp, projector = array_module(loss.counts), loss.projector
    volume = _flat(loss, shape)
    sensitivity = projector.adjoint(xp.ones(loss.counts.shape[1:], np.float32))
    xp.maximum(sensitivity, np.float32(1e-3), out=sensitivity)
    least = np.minimum(loss.eps, loss.mean_counts.astype(np.float32))
    ratio, back = xp.empty_like(loss.counts), xp.empty_like(volume)
    for _ in range(iterations):
        projector.forward(volume, ratio)
        for model, gain, eps in zip(ratio, loss.gain, least, strict=True):
            model *= gain
            model += eps
        xp.divide(loss.counts, ratio, out=ratio)
        projector.adjoint(ratio, back)
        back /= sensitivity
        volume *= back
    return volume


def lifted(volume: Array, comm: Comm = SERIAL) -> Array:
    """The volume raised to a fifth of its peak (99.9 %) everywhere, for a start of the fused solver.

    The derivative of x^gamma vanishes at x = 0 for gamma > 1, so that a voxel that starts empty would not hear
    from the HAADF term again.
    """
    peaks = [np.quantile(sample(channel, comm), 0.999) for channel in volume]
    floors = (_FLOOR * np.array(peaks)).astype(np.float32)
    xp = array_module(volume)
    return xp.stack([xp.maximum(channel, floor) for channel, floor in zip(volume, floors, strict=True)])


def supported(volume: Array, support: Array | None) -> Array:
    """The volume (element, z, y, x) as C-ordered float32 of its own, empty outside the support (z, y, x) if any."""
    volume = array_module(volume).array(volume, dtype=np.float32, order="C")
    if support is not None:
        volume *= support
    return volume


def _flat(loss: ChemicalPoisson, shape: tuple[int, int, int]) -> Array:
    """Every element as much as explains its counts, spread evenly."""
    xp, comm = array_module(loss.counts), loss.place.comm
    ones = xp.ones((1, *shape), np.float32)
    signal = np.maximum(loss.mean_counts - loss.eps, 0.01 * np.maximum(loss.mean_counts, 0.01))
    level = signal / (loss.gain * means(loss.projector.forward(ones), comm))
    return xp.concatenate([ones * value for value in level.astype(np.float32)])
