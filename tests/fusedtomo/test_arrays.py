"""Sums in float64 and the elementwise steps of a solver, against NumPy at sizes around the kernels' chunks."""

import numba
import numpy as np
import pytest

from fusedtomo.arrays import descend, dot, extrapolate, model_change, relative_change

SIZES = (1, 5, 1000, 2**15 - 1, 2**15, 2**15 + 1, 200_003)  # whole chunks, one more, one less
SUM = 1e-6  # of the sum of magnitudes: products may be rounded to float32 before they are summed


@pytest.mark.parametrize("size", SIZES)
def test_sums_equal_float64_numpy(size, rng):
    a, b, g = rng.normal(size=(3, size)).astype(np.float32)
    metric = rng.uniform(0.5, 2, size).astype(np.float32)
    x, y, d = a.astype(np.float64), b.astype(np.float64), a.astype(np.float64) - b
    assert dot(a, b) == pytest.approx(x @ y, abs=SUM * np.abs(x * y).sum())
    assert relative_change(a, b) == pytest.approx(np.linalg.norm(d) / np.linalg.norm(x), rel=1e-5)
    expected = g @ d + 0.35 * (metric * d) @ d
    size_of_it = np.abs(g * d).sum() + np.abs(metric * d * d).sum()
    assert model_change(g, metric, 0.7, a, b) == pytest.approx(expected, abs=SUM * size_of_it)


def test_change_of_nothing_is_nothing():
    nothing = np.zeros((2, 3), np.float32)
    assert relative_change(nothing, nothing) == 0


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread here")
def test_sums_have_the_same_bits_with_one_and_two_threads(rng):
    a, b = rng.normal(size=(2, 200_003)).astype(np.float32)
    before, sums = numba.get_num_threads(), []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            sums.append((dot(a, b), relative_change(a, b), model_change(a, b, 0.3, b, a)))
    finally:
        numba.set_num_threads(before)
    assert sums[0] == sums[1]


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 4, 5), (1, 40, 41, 43)])
def test_steps_equal_numpy(shape, rng):
    x, g, old = rng.normal(size=(3, *shape)).astype(np.float32)
    metric = rng.uniform(0.5, 2, shape).astype(np.float32)
    inverse, out = np.empty_like(x), np.empty_like(x)
    descend(x, g, metric, 0.7, inverse, out)
    np.testing.assert_allclose(inverse, 1 / (0.7 * metric), rtol=1e-6)
    np.testing.assert_allclose(out, x - g / (0.7 * metric), atol=1e-5)
    assert extrapolate(x, old, 0.4, out) is out
    np.testing.assert_allclose(out, np.maximum(x + 0.4 * (x - old), 0), atol=1e-6)
