"""Sums over float32 arrays in float64, and the elementwise steps of a solver without temporaries."""

import numpy as np

from fusedtomo import _sums_numba


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """The inner product of two float32 arrays of one shape, summed in float64 in a fixed order."""
    return float(_sums_numba.dot(np.ravel(a), np.ravel(b)).sum())


def relative_change(new: np.ndarray, old: np.ndarray) -> float:
    """||new - old|| / ||new||, summed in float64."""
    change, square = (sums.sum() for sums in _sums_numba.squared_change(np.ravel(new), np.ravel(old)))
    return float(np.sqrt(change / max(square, 1e-30)))


def model_change(gradient: np.ndarray, metric: np.ndarray, scale: float, new: np.ndarray, old: np.ndarray) -> float:
    """``<g, d> + scale / 2 <D d, d>`` with d = new - old: what a quadratic model about `old` changes by."""
    flat = (np.ravel(a) for a in (gradient, metric))
    return float(_sums_numba.model_change(*flat, float(scale), np.ravel(new), np.ravel(old)).sum())


def descend(
    volume: np.ndarray, gradient: np.ndarray, metric: np.ndarray, scale: float, inverse: np.ndarray, out: np.ndarray
) -> None:
    """``inverse = 1 / (scale D)``, ``out = volume - inverse g``; all C-contiguous float32 of one shape."""
    flat = (a.reshape(-1) for a in (volume, gradient, metric))
    _sums_numba.descend(*flat, np.float32(scale), inverse.reshape(-1), out.reshape(-1))


def extrapolate(new: np.ndarray, old: np.ndarray, step: float, out: np.ndarray) -> np.ndarray:
    """``out = max(new + step (new - old), 0)``; all C-contiguous float32 of one shape."""
    _sums_numba.extrapolate(new.reshape(-1), old.reshape(-1), np.float32(step), out.reshape(-1))
    return out
