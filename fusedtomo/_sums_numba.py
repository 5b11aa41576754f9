"""CPU kernel of inner products: float64 sums of fixed chunks, the same whatever the number of threads."""

import numpy as np
from numba import njit, prange

_CHUNK = 1 << 15


@njit(parallel=True, fastmath={"contract", "reassoc", "nsz", "arcp"}, cache=True, nogil=True)
def dot(a, b):
    """sum_k a_k b_k of two flat float32 arrays, in float64."""
    n_chunks = (a.size + _CHUNK - 1) // _CHUNK
    sums = np.empty(n_chunks, np.float64)
    for chunk in prange(n_chunks):
        total = 0.0
        for k in range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, a.size)):
            total += np.float64(a[k]) * np.float64(b[k])
        sums[chunk] = total
    return sums.sum()
