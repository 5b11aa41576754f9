"""Column sums, and what is made of them: against NumPy, and the same for any number of threads and any cut."""

import numba
import numpy as np
import pytest

from fusedtomo.arrays import array_module, dot, kernels, means, relative_change, sample, to_host, totals

SHAPES = [(1, 1, 1, 1), (2, 3, 4, 5), (1, 40, 41, 43), (3, 1, 1, 130)]


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_equal_float64_numpy(place, shape, rng):
    a, b = rng.normal(size=(2, *shape)).astype(np.float32)
    inverse = rng.uniform(0.5, 2, shape).astype(np.float32)
    x, y, d = a.astype(np.float64), b.astype(np.float64), a.astype(np.float64) - b
    a, b, inverse = (place.put(array) for array in (a, b, inverse))
    assert dot(a, b) == pytest.approx((x * y).sum(), rel=1e-12, abs=1e-12 * np.abs(x * y).sum())
    assert relative_change(a, b) == pytest.approx(np.linalg.norm(d) / np.linalg.norm(x), rel=1e-5)
    np.testing.assert_allclose(totals(a), x.sum(axis=(1, 2, 3)), atol=1e-9)
    np.testing.assert_allclose(means(a), x.mean(axis=(1, 2, 3)), atol=1e-12)
    found = kernels(a).sums.distance(a, b, inverse)
    np.testing.assert_allclose(found, (d * d / to_host(inverse)).sum(axis=(0, 1, 2)), rtol=1e-6)
    square, product = kernels(a).sums.products(a, b)
    np.testing.assert_allclose(square, (x * x).sum(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(product, (x * y).sum(axis=(0, 1, 2)), atol=1e-12 * np.abs(x * y).sum())


def test_change_of_nothing_is_nothing(place):
    nothing = place.put(np.zeros((2, 3)))
    assert relative_change(nothing, nothing) == 0


def _column_sums(a, b):
    sums = kernels(a).sums
    inverse, out = abs(b) + np.float32(1), array_module(a).empty_like(a)
    found = [sums.dot(a, b), *sums.products(a, b), *sums.squared_change(a, b), *sums.totals(a)]
    found += [sums.distance(a, b, inverse), sums.descend(a, b, inverse, 0.3, out)]
    return [*found, *sums.extrapolate(a, b, 0.3, out)]


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread here")
def test_sums_have_the_same_bits_with_one_and_two_threads(rng):
    a, b = rng.normal(size=(2, 3, 30, 31, 29)).astype(np.float32)
    before, found = numba.get_num_threads(), []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            found.append(np.stack(_column_sums(a, b)))
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("cut", [1, 7, 16, 28])
def test_the_columns_of_a_slab_have_the_bits_of_the_whole(place, cut, rng):
    a, b = (place.put(array) for array in rng.normal(size=(2, 3, 30, 31, 29)))
    whole = np.stack(_column_sums(a, b))
    for part in (slice(None, cut), slice(cut, None)):
        slab = [place.put(one[..., part]) for one in (a, b)]
        np.testing.assert_array_equal(np.stack(_column_sums(*slab)), whole[:, part])


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_equal_numpy(place, shape, rng):
    x, g, old, inverse = *rng.normal(size=(3, *shape)), rng.uniform(0.5, 2, shape)
    there = [place.put(array) for array in (x, g, old, inverse, x)]
    sums, out = kernels(there[0]).sums, there[-1]
    slope = sums.descend(there[0], there[1], there[3], 0.7, out)
    np.testing.assert_allclose(slope, (inverse * g * g).sum(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(to_host(out), x - 0.7 * inverse * g, atol=1e-5)
    change, square = sums.extrapolate(there[0], there[2], 0.4, out)
    np.testing.assert_allclose(change, ((x - old) ** 2).sum(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(square, (x * x).sum(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(to_host(out), np.maximum(x + 0.4 * (x - old), 0), atol=1e-5)


def test_a_sample_is_all_of_a_small_array_and_rows_of_a_large_one(place, rng):
    a = rng.normal(size=(6, 5, 7)).astype(np.float32)
    np.testing.assert_array_equal(sample(place.put(a)), a.reshape(-1, 7))
    few = sample(place.put(a), size=50)
    np.testing.assert_array_equal(few, a.reshape(-1, 7)[::5])
