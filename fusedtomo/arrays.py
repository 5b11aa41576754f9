"""Sums over float32 arrays in float64."""

import numpy as np

from fusedtomo import _sums_numba


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """The inner product of two float32 arrays of one shape, summed in float64 in a fixed order."""
    return float(_sums_numba.dot(np.ravel(a), np.ravel(b)))
