"""Do the CUDA kernels compute what they should? Run on the CPU by host_build, wrappers included.

Against formulas in float64 NumPy written here, against the numba kernels, and against themselves: transposes, slabs,
threads in reverse order, half precision.
"""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

from fusedtomo.kernels import cuda, numba
from fusedtomo.kernels.cuda import joseph, launch, poisson, sums, tv, zcontrast
from tests.fusedtomo.kernels import host_build

pytestmark = pytest.mark.fake_gpu

ANGLES = [0.0, 45.0, -45.0, 90.0, 70.0, 33.3]
# (channel, z, y, x): odd sizes, single planes along each axis, more z than a thread walks, more x than a block covers
SHAPES = [
    (1, 5, 4, 1),
    (3, 4, 7, 7),
    (1, 1, 6, 33),
    (2, 6, 1, 5),
    (1, 37, 3, 5),
    (3, 7, 9, 33),
    (1, 3, 5, 70),
    (2, 4, 5, 50),
    (1, 9, 4, 100),
]


@pytest.fixture
def on_host(monkeypatch):
    """The CUDA kernels on NumPy arrays."""
    host_build.install(monkeypatch)


def directions(*angles_deg):
    angles = np.deg2rad(np.array(angles_deg, np.float64))
    return np.cos(angles), np.sin(angles)


def uniform(rng, *shape):
    return rng.random(shape, dtype=np.float32)


def assert_close(actual, expected, tolerance=1e-5):
    """Within a tolerance of the largest expected value."""
    assert actual.shape == expected.shape
    scale = np.abs(expected).max(initial=1e-30)
    assert np.abs(np.float64(actual) - expected).max(initial=0) <= tolerance * scale


# ------------------------------------------------------------------------------------------------------ references


def joseph_weights(cos, sin, nz, ny, nt):
    """(tilt, t, z, y): max(0, 1 - |t_v - t| / h) / h."""
    z, y = np.arange(nz)[:, None] - (nz - 1) / 2, np.arange(ny) - (ny - 1) / 2
    h = np.maximum(np.abs(cos), np.abs(sin))[:, None, None, None]
    shadow = cos[:, None, None] * y + sin[:, None, None] * z
    distance = shadow[:, None] - (np.arange(nt) - (nt - 1) / 2)[None, :, None, None]
    return np.maximum(0, 1 - np.abs(distance) / h) / h


def gradient(volume):
    """(c, z, y, x) -> (c, 3, z, y, x), float64."""
    return np.stack([np.diff(np.float64(volume), axis=k, append=volume.take([-1], k)) for k in (1, 2, 3)], axis=1)


def divergence(dual):
    """Backward differences of a dual field that is zero on the last planes: minus the transposed gradient."""
    return sum(np.diff(np.float64(dual[:, k]), axis=k + 1, prepend=0) for k in range(3))


def primal(noisy, inverse, weight, dual):
    return np.maximum(0, noisy - weight[:, None, None, None] * inverse * divergence(dual))


def norm(field, anisotropic):
    return np.abs(field).sum(axis=1) if anisotropic else np.sqrt((field**2).sum(axis=1))


def following(n):
    return np.minimum(np.arange(n) + 1, n - 1)


def dual_step(inverse, weight):
    """1.75 / (6 weight (inverse here + largest ahead)); at the end of an axis the voxel itself stands for the next."""
    inverse = np.float64(inverse)
    ahead = np.max([inverse[(slice(None),) * k + (following(inverse.shape[k]),)] for k in (1, 2, 3)], axis=0)
    return 1.75 / (6 * weight[:, None, None, None] * (inverse + ahead))


def ascended(noisy, inverse, weight, dual, anisotropic, local=None, longer=1.0):
    step, radius = (
        longer * dual_step(inverse, weight)[:, None],
        (np.ones_like(noisy) if local is None else local)[:, None],
    )
    moved = dual - step * gradient(primal(noisy, inverse, weight, dual))
    if anisotropic:
        return np.clip(moved, -radius, radius)
    return moved / np.maximum(1, norm(moved, False)[:, None] / radius)


def dual_field(rng, shape):
    """Random vectors in the unit ball, zero on the last plane of each axis."""
    c, nz, ny, nx = shape
    dual = (rng.random((c, 3, nz, ny, nx)) - 0.5).astype(np.float32)
    dual[:, 0, -1], dual[:, 1, :, -1], dual[:, 2, :, :, -1] = 0, 0, 0
    return dual


def denoising(rng, shape, dtype=np.float32):
    """noisy, inverse, weight and dual of a random problem."""
    weight = np.linspace(0.1, 0.3, shape[0], dtype=np.float32)
    return uniform(rng, *shape) - 0.2, 0.5 + uniform(rng, *shape), weight, dual_field(rng, shape).astype(dtype)


def local_weights(rng, shape, dtype=np.float32):
    """Weights of voxels, from 0.03 to 1."""
    return (0.03 + 0.97 * uniform(rng, *shape)).astype(dtype)


# ------------------------------------------------------------------------------------------------------ projector


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("angles", [ANGLES, [-63.0]])
def test_forward_is_the_sum_of_joseph_weights(on_host, rng, shape, angles):
    cos, sin = directions(*angles)
    channels, nz, ny, nx = shape
    volume, nt = uniform(rng, *shape), ny + 2
    out = np.full((channels, len(angles), nt, nx), np.nan, np.float32)
    joseph.forward(volume, cos, sin, out)
    assert_close(out, np.einsum("atzy,czyx->catx", joseph_weights(cos, sin, nz, ny, nt), volume))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("add", [False, True])
def test_adjoint_is_the_transposed_sum(on_host, rng, shape, add):
    cos, sin = directions(*ANGLES)
    channels, nz, ny, nx = shape
    stack = uniform(rng, channels, len(ANGLES), ny + 1, nx)
    out = uniform(rng, *shape)
    expected = np.einsum("atzy,catx->czyx", joseph_weights(cos, sin, nz, ny, ny + 1), stack) + add * out
    joseph.adjoint(stack, cos, sin, out, add)
    assert_close(out, expected)


@pytest.mark.parametrize("angle", [*ANGLES, -90.0, 135.0, 180.0, 40.0, 50.0, 44.99999, 45.00001, 1e-6])
def test_forward_and_adjoint_are_one_matrix(on_host, angle):
    """Every single weight, by projecting all unit volumes and all unit stacks, each at an x of its own."""
    cos, sin = directions(angle)
    nz, ny, nt = 6, 9, 11
    columns = np.full((1, 1, nt, nz * ny), np.nan, np.float32)
    joseph.forward(np.eye(nz * ny, dtype=np.float32).reshape(1, nz, ny, -1), cos, sin, columns)
    rows = np.full((1, nz, ny, nt), np.nan, np.float32)
    joseph.adjoint(np.eye(nt, dtype=np.float32).reshape(1, 1, nt, nt), cos, sin, rows, False)
    assert np.abs(columns[0, 0] - rows.reshape(nz * ny, nt).T).max() < 1e-6
    assert np.abs(columns[0, 0] - joseph_weights(cos, sin, nz, ny, nt).reshape(nt, -1)).max() < 1e-6


@pytest.mark.parametrize("angle", ANGLES)
def test_inner_products_agree(on_host, rng, angle):
    cos, sin = directions(angle)
    volume, stack = uniform(rng, 2, 17, 20, 5), uniform(rng, 2, 1, 20, 5)
    projected, back = np.empty_like(stack), np.empty_like(volume)
    joseph.forward(volume, cos, sin, projected)
    joseph.adjoint(stack, cos, sin, back, False)
    one, other = np.vdot(np.float64(projected), stack), np.vdot(np.float64(volume), back)
    assert one == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize("angle", ANGLES)
def test_weights_are_right_far_from_the_origin(on_host, rng, angle):
    """At 512^2 coordinates a float32 position would be off by 3e-5; unit volumes and stacks at random places."""
    cos, sin = directions(angle)
    n, nx = 512, 8
    z, y, t = rng.integers(n // 8, n - n // 8, (3, nx))
    volume, projected = np.zeros((1, n, n, nx), np.float32), np.empty((1, 1, n, nx), np.float32)
    volume[0, z, y, np.arange(nx)] = 1
    joseph.forward(volume, cos, sin, projected)
    stack, back = np.zeros((1, 1, n, nx), np.float32), np.empty((1, n, n, nx), np.float32)
    stack[0, 0, t, np.arange(nx)] = 1
    joseph.adjoint(stack, cos, sin, back, False)
    centre, h = (n - 1) / 2, max(abs(cos[0]), abs(sin[0]))
    shadow = (y - centre) * cos + (z - centre) * sin
    expected = np.maximum(0, 1 - np.abs(shadow - (np.arange(n)[:, None] - centre)) / h) / h
    assert np.abs(projected[0, 0] - expected).max() < 1e-6
    shadows = (np.arange(n) - centre) * cos + (np.arange(n)[:, None] - centre) * sin
    expected = np.maximum(0, 1 - np.abs(shadows[..., None] - (t - centre)) / h) / h
    assert np.abs(back[0] - expected).max() < 1e-6


# ------------------------------------------------------------------------------------------------ contrast, Poisson


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gamma", [1.0, 1.6, 2.0])
def test_density_and_its_pullback(on_host, rng, shape, gamma):
    volume, zeta = uniform(rng, *shape), 1 + uniform(rng, shape[0])
    volume[rng.random(shape) < 0.3] = 0
    factor, floor = zeta.astype(np.float64)[:, None, None, None], 1e-2
    out = np.full(shape[1:], np.nan, np.float32)
    zcontrast.density(volume, zeta, gamma, out)
    assert_close(out, ((factor * volume) ** gamma).sum(axis=0))
    for add in (False, True):
        cotangent, pulled = uniform(rng, *shape[1:]) - 0.5, uniform(rng, *shape)
        expected = gamma * factor**gamma * np.maximum(volume, floor) ** (gamma - 1.0) * cotangent + add * pulled
        zcontrast.add_pullback(volume, zeta, gamma, cotangent, floor, pulled, add)
        assert_close(pulled, expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gamma", [1.0, 1.6, 2.0])
@pytest.mark.parametrize("add", [False, True])
def test_back_projecting_and_pulling_back_in_one_pass(on_host, rng, shape, gamma, add):
    volume, zeta, floor = uniform(rng, *shape), 1 + uniform(rng, shape[0]), 1e-2
    (cos, sin), stack = directions(*ANGLES), uniform(rng, len(ANGLES), shape[2] + 1, shape[3]) - 0.5
    out, scratch = uniform(rng, *shape), np.full(shape[1:], np.nan, np.float32)
    cotangent = np.einsum("atzy,atx->zyx", joseph_weights(cos, sin, *shape[1:3], shape[2] + 1), stack)
    slope = gamma * zeta.astype(np.float64)[:, None, None, None] ** gamma * np.maximum(volume, floor) ** (gamma - 1.0)
    expected = slope * cotangent + add * out
    joseph.adjoint_pullback(stack, cos, sin, volume, zeta, gamma, floor, scratch, out, add)
    assert_close(out, expected)


def counting(rng, shape):
    """projected, counts, gain and eps; some counts are zero."""
    projected, gain = 50 * uniform(rng, *shape), 0.5 + uniform(rng, shape[0])
    counts = rng.poisson(0.3 * projected).astype(np.float32)
    return projected, counts, gain, 0.1 + uniform(rng, shape[0])


@pytest.mark.parametrize("shape", [*SHAPES, (2, 9, 30, 3)])
def test_poisson_divergence_and_residual(on_host, rng, shape):
    projected, counts, gain, eps = counting(rng, shape)
    model = gain[:, None, None, None] * np.float64(projected) + eps[:, None, None, None]
    terms = model - counts + np.where(counts > 0, counts * np.log(np.maximum(counts, 1e-30) / model), 0)
    found = poisson.divergence(projected, counts, gain, eps)
    assert found.dtype == np.float64
    assert_close(found, terms.sum(axis=(1, 2)))
    weight, out = 0.5 + uniform(rng, shape[0]), np.full(shape, np.nan, np.float32)
    poisson.residual(projected, counts, gain, eps, weight, out)
    assert_close(out, (weight * gain)[:, None, None, None] * (1 - counts / model))


# ------------------------------------------------------------------------------------------------------ total variation


LOCAL = pytest.mark.parametrize("weighed", [False, True], ids=["plain", "local"])


@LOCAL
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("anisotropic", [False, True])
def test_total_variation(on_host, rng, shape, anisotropic, weighed):
    volume = uniform(rng, *shape)
    local = local_weights(rng, shape) if weighed else None
    found = tv.total_variation(volume, anisotropic, local)
    assert found.dtype == np.float64
    assert_close(found, ((local if weighed else 1) * norm(gradient(volume), anisotropic)).sum(axis=(1, 2)))


@LOCAL
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("anisotropic", [False, True])
def test_ascend(on_host, rng, shape, anisotropic, weighed):
    noisy, inverse, weight, dual = denoising(rng, shape)
    local = local_weights(rng, shape) if weighed else None
    spare, before = tv.spare(dual), dual.copy()
    ahead, behind = tv.ascend(noisy, inverse, weight, dual, spare, anisotropic, local)
    assert ahead is spare
    assert behind is dual
    np.testing.assert_array_equal(dual, before)
    assert_close(ahead, ascended(noisy, inverse, weight, dual, anisotropic, local))


@pytest.mark.parametrize("relaxation", [1.0, 6.8])
def test_ascend_by_a_step_of_another_length(on_host, rng, relaxation):
    noisy, inverse, weight, dual = denoising(rng, (2, 5, 7, 9))
    ahead, _ = tv.ascend(noisy, inverse, weight, dual, tv.spare(dual), False, None, relaxation)
    assert_close(ahead, ascended(noisy, inverse, weight, dual, False, longer=relaxation / 1.75))
    theirs = numba.tv.ascend(noisy, inverse, weight, dual.copy(), numba.tv.spare(dual), False, None, relaxation)[0]
    assert_close(ahead, theirs)


def test_a_channel_without_weight_keeps_its_dual(on_host, rng):
    noisy, inverse, weight, dual = denoising(rng, (3, 34, 3, 5))
    weight[1] = 0
    spare, out = tv.spare(dual), np.full_like(noisy, np.nan)
    tv.ascend(noisy, inverse, weight, dual, spare, False)
    np.testing.assert_array_equal(spare[1], dual[1])
    assert np.isfinite(spare).all()
    tv.finish(noisy, inverse, weight, dual, out, False)
    np.testing.assert_array_equal(out[1], np.maximum(noisy[1], 0))


@LOCAL
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("anisotropic", [False, True])
def test_finish(on_host, rng, shape, anisotropic, weighed):
    noisy, inverse, weight, dual = denoising(rng, shape)
    local = local_weights(rng, shape) if weighed else None
    out = np.full_like(noisy, np.nan)
    variation, pairing, moved = tv.finish(noisy, inverse, weight, dual, out, anisotropic, local)
    assert_close(moved, ((np.float64(out) - noisy) ** 2 / inverse).sum(axis=(1, 2)), 1e-6)
    expected = primal(noisy, inverse, weight, dual)
    assert_close(out, expected)
    slopes = gradient(expected)
    assert_close(variation, ((local if weighed else 1) * norm(slopes, anisotropic)).sum(axis=(1, 2)))
    terms = -(slopes * dual).sum(axis=1)
    assert_close(pairing, terms.sum(axis=(1, 2)), 1e-5 * max(1, np.abs(terms).sum() / np.abs(terms.sum((1, 2))).max()))


# as SHAPES, and: several tiles along x and y, columns in pairs, several marches along z, and chunks of their sums
PROX_SHAPES = [*SHAPES, (2, 70, 30, 13), (1, 33, 5, 96), (1, 131, 3, 4), (2, 3, 60, 54)]


@pytest.mark.parametrize("shape", PROX_SHAPES)
@pytest.mark.parametrize("anisotropic", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@LOCAL
def test_a_prox_in_one_pass_has_the_bits_of_its_steps(on_host, monkeypatch, rng, shape, anisotropic, dtype, weighed):
    noisy, inverse, weight, dual = denoising(rng, shape, dtype)
    local = local_weights(rng, shape, dtype) if weighed else None
    weight[-1] *= len(weight) == 1  # else a channel without weight
    results = []
    for fewest in (10**9, 1):
        monkeypatch.setattr(tv, "_FEWEST", fewest)
        given, spare, out = dual.copy(), np.full_like(dual, np.nan), np.full_like(noisy, np.nan)
        ascended, _, columns = tv.prox(noisy, inverse, weight, given, spare, out, 4, anisotropic, local)
        results.append([ascended, out, *columns])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("iterations", [0, 1, 2, 3, 5])
def test_a_prox_makes_as_many_iterations_as_it_is_asked_for(on_host, monkeypatch, rng, iterations):
    monkeypatch.setattr(tv, "_FEWEST", 1)
    noisy, inverse, weight, dual = denoising(rng, (1, 6, 7, 8))
    expected, out = dual, np.empty_like(noisy)
    for _ in range(iterations):
        expected = ascended(noisy, inverse, weight, expected, False)
    found, other, _ = tv.prox(noisy, inverse, weight, dual.copy(), tv.spare(dual), out, iterations, False)
    assert_close(found, expected)
    assert_close(out, primal(noisy, inverse, weight, expected))
    assert other is not found


@LOCAL
@pytest.mark.parametrize("anisotropic", [False, True])
def test_the_duality_gap_closes(on_host, rng, anisotropic, weighed):
    noisy, inverse, weight, dual = denoising(rng, (2, 5, 6, 7))
    local = local_weights(rng, noisy.shape) if weighed else None
    dual, spare, out, gaps = np.zeros_like(dual), tv.spare(dual), np.empty_like(noisy), []
    for _ in range(4):
        variation, pairing, _ = tv.finish(noisy, inverse, weight, dual, out, anisotropic, local)
        gaps.append((weight * (variation - pairing).sum(axis=1)).sum())
        for _ in range(150):
            dual, spare = tv.ascend(noisy, inverse, weight, dual, spare, anisotropic, local)
    assert min(gaps) > -1e-6 * gaps[0]
    assert gaps[-1] < 1e-4 * gaps[0]


# ------------------------------------------------------------------------------------------------------ sums


@pytest.mark.parametrize("shape", [*SHAPES, (2, 70, 61, 2), (3, 5)])
def test_column_sums(on_host, rng, shape):
    a, b, inverse = (uniform(rng, *shape) for _ in range(3))
    inverse += 0.5
    axes, d = tuple(range(len(shape) - 1)), np.float64(a) - b
    assert_close(sums.dot(a, b), (np.float64(a) * b).sum(axis=axes), 1e-13)
    assert_close(sums.totals(a), np.float64(a).sum(axis=axes[1:]), 1e-13)
    change, square = sums.squared_change(a, b)
    assert_close(change, (d**2).sum(axis=axes), 1e-6)
    assert_close(square, (np.float64(a) ** 2).sum(axis=axes), 1e-13)
    square, product = sums.products(a, b)
    assert_close(square, (np.float64(a) ** 2).sum(axis=axes), 1e-13)
    assert_close(product, (np.float64(a) * b).sum(axis=axes), 1e-13)
    found = sums.distance(a, b, inverse)
    assert found.dtype == np.float64
    assert_close(found, (d**2 / inverse).sum(axis=axes), 1e-6)


@pytest.mark.parametrize("shape", [*SHAPES, (2, 40, 30)])
def test_elementwise_steps(on_host, rng, shape):
    volume, slope, inverse = (uniform(rng, *shape) for _ in range(3))
    out = np.full(shape, np.nan, np.float32)
    axes = tuple(range(len(shape) - 1))
    found = sums.descend(volume, slope, inverse, 0.3, out)
    assert_close(out, volume - 0.3 * np.float64(inverse) * slope)
    assert_close(found, (inverse * np.float64(slope) ** 2).sum(axis=axes), 1e-6)
    for one, other in zip(sums.extrapolate(volume, slope, 0.8, out), sums.squared_change(volume, slope), strict=True):
        assert_close(one, other, 1e-13)
    assert_close(out, np.maximum(volume + 0.8 * (np.float64(volume) - slope), 0))
    sums.extrapolate(volume, slope, 0.8, volume)  # in place
    np.testing.assert_array_equal(volume, out)


# ------------------------------------------------------------------------------------------------------ slabs and order


def test_sums_of_a_slab_have_the_bits_of_the_whole(on_host, rng):
    shape = (2, 37, 5, 41)
    a, b, g, inverse = (0.5 + uniform(rng, *shape) for _ in range(4))
    projected, counts, gain, eps = counting(rng, shape)
    noisy, _, weight, dual = denoising(rng, shape)
    local = local_weights(rng, shape)

    def all_sums(part):
        """Column sums of a part of the columns, with the neighbours at hand: (sum, x) without the outermost columns."""
        cut = [np.ascontiguousarray(v[..., part]) for v in (a, b, g, inverse, projected, counts, noisy, dual, local)]
        a_, b_, g_, inverse_, projected_, counts_, noisy_, dual_, local_ = cut
        out = np.empty_like(a_)
        found = [sums.dot(a_, b_), sums.totals(a_), *sums.squared_change(a_, b_)]
        found += [*sums.products(a_, b_), sums.distance(a_, b_, inverse_), sums.descend(a_, g_, inverse_, 0.3, out)]
        found += [*sums.extrapolate(a_, b_, 0.3, out), poisson.divergence(projected_, counts_, gain, eps)]
        found += [tv.total_variation(a_, False), tv.total_variation(a_, True)]
        found += [tv.total_variation(a_, False, local_)]
        found += [*tv.finish(noisy_, inverse_, weight, dual_, np.empty_like(noisy_), False)]
        found += [*tv.finish(noisy_, inverse_, weight, dual_, np.empty_like(noisy_), False, local_)]
        return np.concatenate([np.atleast_2d(f)[:, 1:-1] for f in found])

    whole = all_sums(slice(0, 41))
    for start, stop in ((0, 7), (5, 41), (12, 30)):
        np.testing.assert_array_equal(all_sums(slice(start, stop)), whole[:, start : stop - 2])


def test_slabs_of_projections_and_duals_have_the_bits_of_the_whole(on_host, rng):
    shape = (1, 9, 8, 70)
    cos, sin = directions(*ANGLES)
    noisy, inverse, weight, dual = denoising(rng, shape)
    local = local_weights(rng, shape)

    def images(part):
        noisy_, inverse_, dual_, local_ = (np.ascontiguousarray(v[..., part]) for v in (noisy, inverse, dual, local))
        stack = np.empty((1, len(ANGLES), 8, noisy_.shape[-1]), np.float32)
        joseph.forward(noisy_, cos, sin, stack)
        back = np.empty_like(noisy_)
        joseph.adjoint(stack, cos, sin, back, False)
        spare, _ = tv.ascend(noisy_, inverse_, weight, dual_, np.empty_like(dual_), False)
        weighed, _ = tv.ascend(noisy_, inverse_, weight, dual_, np.empty_like(dual_), False, local_)
        return np.concatenate([v.reshape(-1, noisy_.shape[-1])[:, 1:-1] for v in (stack, back, spare, weighed)])

    whole = images(slice(0, 70))
    for start, stop in ((0, 9), (30, 70)):
        np.testing.assert_array_equal(images(slice(start, stop)), whole[:, start : stop - 2])


def test_the_order_of_threads_does_not_matter(monkeypatch, rng):
    """Run from the last thread to the first, all kernels give the same bits: no thread reads what another writes."""
    monkeypatch.setattr(tv, "_FEWEST", 1)
    arguments = {name: make(rng) for name, make in CALLS.items()}
    forwards, backwards = {}, {}
    for results, reverse in ((forwards, False), (backwards, True)):
        host_build.install(monkeypatch, reverse=reverse)
        for name, args in arguments.items():
            results[name] = outcome(cuda, name, args)
    for name in CALLS:
        for one, other in zip(forwards[name], backwards[name], strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


# ------------------------------------------------------------------------------------------------------ numba


def _projector_arguments(rng):
    cos, sin = directions(*ANGLES)
    return uniform(rng, 2, 7, 9, 35), cos, sin, np.zeros((2, len(ANGLES), 9, 35), np.float32)


def _adjoint_arguments(rng, add):
    volume, cos, sin, stack = _projector_arguments(rng)
    return uniform(rng, *stack.shape), cos, sin, volume, add


def _adjoint_pullback_arguments(rng, add):
    volume, zeta, gamma, scratch, floor, out, _ = _pullback_arguments(rng, add)
    (cos, sin), stack = directions(*ANGLES), uniform(rng, len(ANGLES), 6, 7)
    return stack, cos, sin, volume, zeta, gamma, floor, scratch, out, add


def _descent_arguments(rng):
    volume = uniform(rng, 3, 5, 6, 7)
    return volume, uniform(rng, *volume.shape) - 0.5, 0.5 + uniform(rng, *volume.shape)


def _variation_arguments(rng, anisotropic, *, local=False):
    return uniform(rng, 2, 9, 6, 7), anisotropic, local_weights(rng, (2, 9, 6, 7)) if local else None


def _ascent_arguments(rng, anisotropic, *, local=False):
    noisy, *others = denoising(rng, (2, 9, 6, 7))
    weights = local_weights(rng, noisy.shape) if local else None
    return noisy, *others, None, anisotropic, weights  # None: a spare of the implementation's own shape


def _finish_arguments(rng, anisotropic, *, local=False):
    noisy, *others, _, _, weights = _ascent_arguments(rng, anisotropic, local=local)
    return noisy, *others, np.zeros_like(noisy), anisotropic, weights


def _prox_arguments(rng, anisotropic, *, local=False):
    noisy, *others, _, _, weights = _ascent_arguments(rng, anisotropic, local=local)
    return noisy, *others, None, np.zeros_like(noisy), 2, anisotropic, weights


def _pullback_arguments(rng, add):
    volume, zeta = uniform(rng, 3, 5, 6, 7), 1 + uniform(rng, 3)
    return volume, zeta, 1.6, uniform(rng, 5, 6, 7) - 0.5, 1e-2, uniform(rng, 3, 5, 6, 7), add


# every function of the package, by module, name and variant, and arguments for it; outputs are among the arguments
CALLS = {
    "joseph.forward": _projector_arguments,
    "joseph.adjoint": lambda rng: _adjoint_arguments(rng, False),
    "joseph.adjoint, added": lambda rng: _adjoint_arguments(rng, True),
    "joseph.adjoint_pullback": lambda rng: _adjoint_pullback_arguments(rng, False),
    "joseph.adjoint_pullback, added": lambda rng: _adjoint_pullback_arguments(rng, True),
    "zcontrast.density": lambda rng: (
        uniform(rng, 3, 5, 6, 7),
        1 + uniform(rng, 3),
        1.6,
        np.zeros((5, 6, 7), np.float32),
    ),
    "zcontrast.add_pullback": lambda rng: _pullback_arguments(rng, False),
    "zcontrast.add_pullback, added": lambda rng: _pullback_arguments(rng, True),
    "poisson.divergence": lambda rng: counting(rng, (2, 3, 8, 35)),
    "poisson.residual": lambda rng: (
        *counting(rng, (2, 3, 8, 35)),
        1 + uniform(rng, 2),
        np.zeros((2, 3, 8, 35), np.float32),
    ),
    "tv.total_variation": lambda rng: _variation_arguments(rng, False),
    "tv.total_variation, anisotropic": lambda rng: _variation_arguments(rng, True),
    "tv.total_variation, local": lambda rng: _variation_arguments(rng, False, local=True),
    "tv.total_variation, local, anisotropic": lambda rng: _variation_arguments(rng, True, local=True),
    "tv.ascend": lambda rng: _ascent_arguments(rng, False),
    "tv.ascend, anisotropic": lambda rng: _ascent_arguments(rng, True),
    "tv.ascend, local": lambda rng: _ascent_arguments(rng, False, local=True),
    "tv.ascend, local, anisotropic": lambda rng: _ascent_arguments(rng, True, local=True),
    "tv.finish": lambda rng: _finish_arguments(rng, False),
    "tv.finish, anisotropic": lambda rng: _finish_arguments(rng, True),
    "tv.finish, local": lambda rng: _finish_arguments(rng, False, local=True),
    "tv.finish, local, anisotropic": lambda rng: _finish_arguments(rng, True, local=True),
    "tv.prox": lambda rng: _prox_arguments(rng, False),
    "tv.prox, anisotropic": lambda rng: _prox_arguments(rng, True),
    "tv.prox, local": lambda rng: _prox_arguments(rng, False, local=True),
    "tv.prox, local, anisotropic": lambda rng: _prox_arguments(rng, True, local=True),
    "sums.dot": lambda rng: _descent_arguments(rng)[:2],
    "sums.totals": lambda rng: _descent_arguments(rng)[:1],
    "sums.squared_change": lambda rng: _descent_arguments(rng)[:2],
    "sums.products": lambda rng: _descent_arguments(rng)[:2],
    "sums.distance": lambda rng: _descent_arguments(rng),
    "sums.descend": lambda rng: (*_descent_arguments(rng), 0.3, np.zeros((3, 5, 6, 7), np.float32)),
    "sums.extrapolate": lambda rng: (*_descent_arguments(rng)[:2], 0.8, np.zeros((3, 5, 6, 7), np.float32)),
}


def outcome(package, call, args):
    """Copies of all arrays that a call is given or returns: compares what it writes, and what it should leave alone."""
    module, name = call.split(",")[0].split(".")
    args = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
    if name in ("ascend", "prox"):
        args[4] = package.tv.spare(args[3])
    returned = getattr(getattr(package, module), name)(*args)
    returned = np.asarray(returned) if isinstance(returned, launch.Pending) else returned
    if name == "adjoint_pullback":
        args[7] = None  # scratch
    given = [arg for arg in args if isinstance(arg, np.ndarray)]
    if name == "ascend":  # which of its two arrays is the new dual is the implementation's choice
        return [returned[0], *given[:3], *given[5:]]
    if name == "prox":
        return [returned[0], *returned[2], *given[:3], *given[5:]]
    returned = returned if isinstance(returned, tuple) else (returned,)
    return [value for value in returned if value is not None] + given


def test_every_function_is_called():
    public = {
        f"{module.__name__.split('.')[-1]}.{name}"
        for module in (joseph, zcontrast, poisson, tv, sums)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert public - {"sums.column_sums", "sums.fold", "tv.spare", "zcontrast.slope_scale"} == {
        call.split(",")[0] for call in CALLS
    }


@pytest.mark.parametrize("call", CALLS)
def test_numba_and_cuda_agree(on_host, rng, call):
    module, name = call.split(",")[0].split(".")
    ours, twin = (getattr(getattr(package, module), name) for package in (cuda, numba))
    assert list(inspect.signature(ours).parameters) == list(
        inspect.signature(getattr(twin, "py_func", twin)).parameters
    )
    args = CALLS[call](rng)
    found, wanted = outcome(cuda, call, args), outcome(numba, call, args)
    for one, other in zip(found, wanted, strict=True):
        assert_close(one, other)


# ------------------------------------------------------------------------------------------------------ half precision


def test_half_precision_of_the_volume(on_host, rng):
    cos, sin = directions(*ANGLES)
    volume = uniform(rng, 2, 16, 16, 33)
    full, half = np.empty((2, len(ANGLES), 16, 33), np.float32), np.empty((2, len(ANGLES), 16, 33), np.float32)
    joseph.forward(volume, cos, sin, full)
    joseph.forward(volume.astype(np.float16), cos, sin, half)
    error = np.linalg.norm(half - full) / np.linalg.norm(full)
    print(f"relative error of projections of a half-precision volume: {error:.2g}")  # pytest -rP shows it
    assert 0 < error < 2e-4


@LOCAL
@pytest.mark.parametrize("anisotropic", [False, True])
def test_half_precision_of_the_duals(on_host, rng, anisotropic, weighed):
    noisy, inverse, weight, dual = denoising(rng, (2, 12, 12, 12))
    weights = local_weights(rng, noisy.shape)
    outs, gaps = [], []
    for dtype in (np.float32, np.float16):
        local = weights.astype(dtype) if weighed else None
        radius = np.float64(local) if weighed else np.ones_like(noisy)
        p, q, out = np.zeros_like(dual, dtype), np.zeros_like(dual, dtype), np.empty_like(noisy)
        for _ in range(100):
            p, q = tv.ascend(noisy, inverse, weight, p, q, anisotropic, local)
            assert anisotropic or (norm(np.float64(p), False) / radius).max() <= 1 + 3e-7
        variation, pairing, _ = tv.finish(noisy, inverse, weight, p, out, anisotropic, local)
        outs.append(out)
        gaps.append(float((weight * (variation - pairing).sum(axis=1)).sum() / (weight * variation.sum(axis=1)).sum()))
    error = np.linalg.norm(outs[1] - outs[0]) / np.linalg.norm(outs[0])
    print(f"relative error of a volume denoised with half-precision duals: {error:.2g}")  # pytest -rP shows it
    print(f"gap over weighted variation, single and half precision: {gaps[0]:.2g}, {gaps[1]:.2g}")
    assert (np.abs(p) <= radius[:, None]).all()
    assert gaps[1] > -1e-6
    assert 0 < error < 1e-3


# ------------------------------------------------------------------------------------------------------ launching


def test_what_cuda_would_misread_is_refused(on_host, rng):
    volume, zeta = uniform(rng, 2, 3, 4, 5), np.ones(2, np.float32)
    with pytest.raises(ValueError, match="argument 0 of kernel 'density' is not C-contiguous"):
        zcontrast.density(volume[..., ::2], zeta, 1.6, np.empty((3, 4, 3), np.float32))
    with pytest.raises(TypeError, match="density: argument 0 is ndarray float64"):
        zcontrast.density(volume.astype(float), zeta, 1.6, np.empty((3, 4, 5), np.float32))
    with pytest.raises(ValueError, match="would need"):
        launch.check("any", (1, 70000, 1), ())


def test_cupy_is_imported_only_when_needed():
    for path in Path(cuda.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in getattr(node, "names", [])] + [getattr(node, "module", None) or ""]
            assert not any(name.startswith("cupy") for name in names), path.name


def test_sources_stay_within_what_the_host_build_can_show():
    for path in Path(cuda.__file__).parent.glob("*.cu*"):
        code = "\n".join(line.split("//")[0] for line in path.read_text().splitlines())
        for word in ("__shfl", "atomic", "#include"):
            assert word not in code, f"{word} in {path.name}"
