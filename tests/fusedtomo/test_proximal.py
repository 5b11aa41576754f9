"""Total variation and its proximal operator: against brute force, a closed form and what theory promises."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusedtomo.arrays import kernels
from fusedtomo.kernels import cuda, numba
from fusedtomo.kernels.interface import RELAXATION
from fusedtomo.long_steps import silver
from fusedtomo.placement import HERE
from fusedtomo.proximal import TotalVariation
from tests.devices import on
from tests.fusedtomo.reference import forward_differences, prox_by_dual_ascent, prox_primal, total_variation

SHAPES = [(3, 4, 5), (1, 4, 5), (4, 1, 5), (4, 5, 1), (1, 1, 6), (1, 6, 1), (6, 1, 1), (1, 1, 1), (2, 2, 9), (21, 2, 3)]
CONVERGED = 6000  # inner iterations; these problems have some 100 voxels
DUAL_STEPS = 1000
FLOAT32 = 1e-5  # relative rounding of a float32 sum over a row


def _tv(place, weights, local=None, **settings):
    there = None if local is None else place.put(local)
    return on(place, TotalVariation(np.asarray(weights), local=there, place=place, **settings))


def _prox(place, noisy, weights, inverse, iterations=CONVERGED, local=None):
    out = np.empty_like(noisy)
    _tv(place, weights, local, iterations=iterations).prox(noisy, inverse, 1.0, out)
    return out


def _noisy(rng, shape, channels=2):
    return (rng.random((channels, *shape)) + 0.3 * rng.normal(size=(channels, *shape))).astype(np.float32)


def _constant(rng, shape):
    return np.full(shape, 0.7, np.float32)


def _varying(rng, shape):
    return np.exp(rng.normal(0, 1, shape)).astype(np.float32)  # a factor of 50 between voxels


METRICS = pytest.mark.parametrize("metric", [_constant, _varying], ids=["constant", "varying"])


def _nowhere(rng, shape):
    return None


def _between(rng, shape):
    return rng.uniform(0.03, 1, shape).astype(np.float32)


LOCAL = pytest.mark.parametrize("weighed", [_nowhere, _between], ids=["plain", "local"])


def _of(channel, local):
    """What the references take for a channel's local weights."""
    return 1.0 if local is None else local[channel].astype(np.float64)


@LOCAL
@pytest.mark.parametrize("shape", SHAPES)
def test_value_is_the_isotropic_total_variation(place, shape, weighed, rng):
    volume = _noisy(rng, shape)
    local = weighed(rng, volume.shape)
    each = [total_variation(volume[k].astype(np.float64), _of(k, local)) for k in range(2)]
    tv = _tv(place, np.array([0.5, 3.0]), local)
    assert tv.value(volume) == pytest.approx(0.5 * each[0] + 3 * each[1], rel=FLOAT32, abs=1e-12)


def test_value_of_a_block_is_its_surface(place):
    volume = np.zeros((1, 7, 7, 7), np.float32)
    volume[0, 2:5, 2:5, 2:5] = 2
    # nine faces of unit area each way; edges and corners on the near sides share a voxel's difference vector
    expected = 2 * total_variation(volume[0] / 2)
    assert _tv(place, np.ones(1)).value(volume) == pytest.approx(expected, rel=FLOAT32)
    assert 2 * 6 * 9 * 0.8 < expected < 2 * 6 * 9


@METRICS
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("weight", "weighed"), [(0.02, _nowhere), (0.2, _nowhere), (0.6, _nowhere), (0.6, _between)])
def test_prox_closes_the_duality_gap(place_for_long, shape, weight, weighed, metric, rng):
    """Its cost is within rounding of a lower bound that any feasible dual gives, so it is the minimiser."""
    noisy, inverse = _noisy(rng, shape, 1), metric(rng, (1, *shape))
    local = weighed(rng, noisy.shape)
    x = _prox(place_for_long, noisy, [weight], inverse, local=local)
    cost = prox_primal(x[0].astype(np.float64), noisy[0], weight, inverse[0], _of(0, local))
    bound = prox_by_dual_ascent(noisy[0], weight, inverse[0], DUAL_STEPS, _of(0, local))[1]
    nothing = prox_primal(np.zeros(shape), noisy[0], weight, inverse[0])  # the cost's natural size
    assert (x >= 0).all()
    assert cost - bound < 1e-4 * nothing + 1e-9


@LOCAL
@METRICS
def test_each_channel_has_its_own_weight(place_for_long, metric, weighed, rng):
    noisy, weights = _noisy(rng, (3, 4, 5), 3), [0.3, 0.0, 0.05]
    inverse, local = metric(rng, noisy.shape), weighed(rng, noisy.shape)
    together = _prox(place_for_long, noisy, weights, inverse, local=local)
    for channel, weight in enumerate(weights):
        own = slice(channel, channel + 1)
        of_its_own = None if local is None else local[own]
        alone = _prox(place_for_long, noisy[own], [weight], inverse[own], local=of_its_own)
        np.testing.assert_allclose(together[channel], alone[0], atol=1e-6)
    np.testing.assert_array_equal(together[1], np.maximum(noisy[1], 0))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("weight", "expected"), [(0.5, [3.5, 2.0]), (2.0, [2.6, 2.6])])
def test_two_voxels_move_towards_each_other_as_by_hand(place_for_long, axis, weight, expected):
    """4 and 1 in the metric 1, 1/2: each moves by weight times its inverse metric, or both to their weighted mean."""
    shape = [1, 1, 1]
    shape[axis] = 2
    noisy = np.array([4, 1], np.float32).reshape(1, *shape)
    inverse = np.array([1, 2], np.float32).reshape(1, *shape)
    if weight == 2.0:
        expected = [(4 / 1 + 1 / 2) / (1 / 1 + 1 / 2)] * 2
    np.testing.assert_allclose(_prox(place_for_long, noisy, [weight], inverse).ravel(), expected, atol=1e-4)


@pytest.mark.parametrize("anisotropic", [False, True])
def test_local_weights_of_one_have_the_bits_of_none(place, anisotropic, rng):
    noisy, weights = _noisy(rng, (5, 6, 37)), [0.2, 0.5]
    inverse, found = _varying(rng, noisy.shape), []
    for local in (None, np.ones_like(noisy)):
        tv, out = _tv(place, weights, local, iterations=5, anisotropic=anisotropic), np.empty_like(noisy)
        found.append([tv.prox(noisy, inverse, 1.0, out), tv.value(noisy), out])
    assert found[0][:2] == found[1][:2]
    np.testing.assert_array_equal(found[0][2], found[1][2])


def test_weight_zero_is_the_projection_on_the_positive(place, rng):
    noisy = _noisy(rng, (3, 4, 5))
    out = np.full_like(noisy, np.nan)
    tv = _tv(place, np.zeros(2))
    assert tv.prox(noisy, np.ones_like(noisy), 1.0, out)[0] == 0
    np.testing.assert_array_equal(out, np.maximum(noisy, 0))
    assert tv.value(noisy) == 0


@settings(max_examples=10)  # of 12,000 iterations each
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    weight=st.floats(0, 3),
    spread=st.floats(0, 1),
    seed=st.integers(0, 999),
)
def test_prox_is_non_expansive_in_its_metric(place_for_long, shape, weight, spread, seed):
    rng = np.random.default_rng(seed)
    inverse = np.exp(rng.normal(0, spread, (1, *shape))).astype(np.float32)
    a, b = (rng.normal(0.5, 1, (1, *shape)).astype(np.float32) for _ in range(2))
    moved = (_prox(place_for_long, a, [weight], inverse) - _prox(place_for_long, b, [weight], inverse)) ** 2 / inverse
    apart = (a - b) ** 2 / inverse
    size = np.sqrt(((a**2 + b**2) / inverse).sum())
    # the iteration stops short of the minimiser, by 1e-3 of the volume's size at most
    assert np.sqrt(moved.sum()) <= np.sqrt(apart.sum()) + 1e-3 * size


@METRICS
def test_kept_duals_converge_over_calls_of_few_iterations(place, metric, rng):
    noisy = _noisy(rng, (4, 5, 6), 1)
    inverse = metric(rng, noisy.shape)
    best, _ = prox_by_dual_ascent(noisy[0], 0.3, inverse[0], DUAL_STEPS)
    tv, out, errors = _tv(place, np.array([0.3]), iterations=5), np.empty_like(noisy), []
    for _ in range(60):
        tv.prox(noisy, inverse, 1.0, out)
        errors.append(np.abs(out[0] - best).max())
    cold = np.abs(_prox(place, noisy, [0.3], inverse, iterations=5)[0] - best).max()
    assert errors[0] == pytest.approx(cold, rel=1e-3)
    assert errors[-1] < 0.1 * errors[0]


def test_a_dual_that_is_forgotten_leaves_no_trace(place, rng):
    noisy = _noisy(rng, (4, 5, 6), 1)
    tv, out = _tv(place, [0.3], iterations=3), np.empty_like(noisy)
    for _ in range(2):
        tv.prox(noisy, np.ones_like(noisy), 1.0, out)
    fresh = _prox(place, noisy, [0.3], np.ones_like(noisy), iterations=3)
    assert np.abs(out - fresh).max() > 1e-3
    tv.forget()
    tv.prox(noisy, np.ones_like(noisy), 1.0, out)
    np.testing.assert_array_equal(out, fresh)


def test_prox_leaves_its_arguments_alone(place, rng):
    noisy = _noisy(rng, (3, 4, 5))
    arguments = noisy, np.array([0.1, 0.2]), _varying(rng, noisy.shape), 3, _between(rng, noisy.shape)
    before = copy.deepcopy(arguments)  # a read-only flag would not stop a kernel of the fake GPU
    _prox(place, *arguments)
    for argument, kept in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(argument, kept)


@pytest.mark.parametrize("step", [0.2, 5.0])
def test_a_step_scales_the_inverse_metric(place_for_long, step, rng):
    noisy = _noisy(rng, (4, 5, 6), 1)
    inverse, out = _varying(rng, noisy.shape), np.empty_like(noisy)
    _tv(place_for_long, np.array([0.3]), iterations=CONVERGED).prox(noisy, inverse, step, out)
    np.testing.assert_allclose(out, _prox(place_for_long, noisy, [0.3], np.float32(step) * inverse), atol=1e-4)


@LOCAL
def test_prox_returns_the_total_variation_of_what_it_wrote(place, weighed, rng):
    noisy, weights = _noisy(rng, (5, 6, 7)), np.array([0.1, 0.4])
    out, tv = np.empty_like(noisy), _tv(place, weights, weighed(rng, noisy.shape), iterations=3)
    assert tv.prox(noisy, np.ones_like(noisy), 1.0, out)[0] == pytest.approx(tv.value(out), rel=FLOAT32)


@pytest.mark.parametrize(("weighed", "weight"), [(_nowhere, 0.1), (_between, 0.2)], ids=["plain", "local"])
@METRICS
def test_without_a_fixed_number_the_cost_is_within_the_gap_allowed(place, metric, weighed, weight, rng):
    noisy = _noisy(rng, (6, 7, 8), 1)
    inverse, local = metric(rng, noisy.shape), weighed(rng, noisy.shape)
    bound = prox_by_dual_ascent(noisy[0], weight, inverse[0], DUAL_STEPS, _of(0, local))[1]
    allowed, over, out = 10 ** np.arange(1.0, -2, -0.5), [], np.empty_like(noisy)
    for gap in allowed:
        _tv(place, np.array([weight]), local, iterations=None).prox(noisy, inverse, 1.0, out, allowed_gap=gap)
        over.append(prox_primal(out[0].astype(np.float64), noisy[0], weight, inverse[0], _of(0, local)) - bound)
    assert (np.array(over) <= allowed).all()
    assert over[-1] < over[0]  # more is done where more is asked


def test_the_gap_is_not_chased_for_ever(place, monkeypatch, rng):
    """Before each look at the gap half as many iterations more are done; the first look after 40 is the last."""
    done = []
    for module in (cuda.tv, numba.tv):
        monkeypatch.setattr(module, "ascend", lambda *args, its=module.ascend: done.append(1) or its(*args))
    noisy = _noisy(rng, (4, 5, 6), 1)
    tv = _tv(place, np.array([0.5]), iterations=None)
    tv.prox(noisy, np.ones_like(noisy), 1.0, np.empty_like(noisy), allowed_gap=0.0)
    assert len(done) == 2 + 3 + 4 + 6 + 9 + 13 + 19


@METRICS
@LOCAL
def test_long_steps_come_to_the_same_prox(metric, weighed, rng):
    noisy = _noisy(rng, (6, 7, 8), 1)
    inverse, local, weight = metric(rng, noisy.shape), weighed(rng, noisy.shape), np.array([0.3])
    tv = TotalVariation(weight, local=local, iterations=None, long_steps=True)
    found = np.empty_like(noisy)
    for _ in range(60):
        tv.prox(noisy, inverse, 1.0, found, allowed_gap=0.0)
    np.testing.assert_allclose(found, _prox(HERE, noisy, weight, inverse, local=local), atol=2e-3)


@pytest.mark.parametrize("n", [7, 15, 31])
def test_long_steps_come_nearer_than_even_ones(rng, n):
    """The gap after the same number of iterations, from the start; a smooth volume, of which the prox takes a lot."""
    noisy = np.cumsum(rng.normal(size=(1, 12, 12, 12)), axis=1).astype(np.float32)
    inverse, weight, gaps = np.ones_like(noisy), np.array([4.0], np.float32), {}
    for name, steps in (("even", [RELAXATION] * n), ("long", [silver(k, n) for k in range(1, n + 1)])):
        dual = np.zeros((1, 3, *noisy.shape[1:]), np.float32)
        for step in steps:
            numba.tv.ascend(noisy, inverse, weight, dual, numba.tv.spare(dual), False, None, step)
        total, paired, _ = numba.tv.finish(noisy, inverse, weight, dual, np.empty_like(noisy), False)
        gaps[name] = float((total - paired).sum())
    assert gaps["long"] < 0.95 * gaps["even"]


def test_silver_steps():
    """1 + (1 + sqrt 2)^(v - 1), 2^v the power of two in the step's number; the last one is short."""
    short, long = 2**0.5, 2 + 2**0.5
    assert [silver(k, 7) for k in range(1, 8)] == pytest.approx([short, 2, short, long, short, 2, short])
    assert silver(4, 4) == pytest.approx(short)


@pytest.mark.parametrize("iterations", [None, 3])
def test_long_steps_are_for_cpus_and_for_what_the_gap_steers(place, monkeypatch, rng, iterations):
    """Elsewhere it is the call without them, bit by bit."""
    noisy, found = _noisy(rng, (4, 5, 6), 1), {}
    for long in (False, True):
        out, tv = np.empty_like(noisy), _tv(place, np.array([0.5]), iterations=iterations, long_steps=long)
        tv.prox(noisy, np.ones_like(noisy), 1.0, out, allowed_gap=1e-2)
        found[long] = out
    same = (found[False] == found[True]).all()
    assert same == (place.device == "gpu" or iterations is not None)


@LOCAL
@pytest.mark.parametrize("shape", SHAPES)
def test_anisotropic_value_sums_the_parts_of_the_gradient(place, shape, weighed, rng):
    volume = _noisy(rng, shape)
    local = weighed(rng, volume.shape)
    parts = [(_of(k, local) * np.abs(forward_differences(volume[k].astype(np.float64)))).sum() for k in range(2)]
    tv = _tv(place, np.array([0.5, 3.0]), local, anisotropic=True)
    assert tv.value(volume) == pytest.approx(0.5 * parts[0] + 3 * parts[1], rel=FLOAT32, abs=1e-12)


@LOCAL
def test_anisotropic_prox_has_the_least_cost_of_many(place_for_long, weighed, rng):
    """Brute force: nothing near it is cheaper, so that a convex cost has its minimum there."""
    noisy = _noisy(rng, (3, 4, 5), 1)
    inverse, local, out = _varying(rng, noisy.shape), weighed(rng, noisy.shape), np.empty_like(noisy)
    tv = _tv(place_for_long, np.array([0.2]), local, iterations=CONVERGED, anisotropic=True)
    tv.prox(noisy, inverse, 1.0, out)

    def cost(x):
        parts = (_of(0, local) * np.abs(forward_differences(x[0]))).sum()
        return ((x - noisy) ** 2 / (2 * inverse)).sum() + 0.2 * parts

    x, least = out.astype(np.float64), cost(out.astype(np.float64))
    for size in (0.3, 0.03, 0.003):
        for _ in range(200):
            assert cost(np.maximum(x + size * rng.normal(size=x.shape) * (rng.random(x.shape) < 0.2), 0)) > least - 1e-4


def test_the_left_neighbour_s_column_of_a_narrow_slab_which_nobody_fills_does_no_harm(rng):
    noisy = _noisy(rng, (3, 4, 3))
    inverse = _varying(rng, noisy.shape)
    noisy[..., 0] = inverse[..., 0] = 0
    dual = np.zeros((2, 3, *noisy.shape[1:]), np.float32)
    *_, moved = kernels(noisy).tv.finish(noisy, inverse, np.ones(2, np.float32), dual, np.empty_like(noisy), False)
    expected = np.square(np.maximum(noisy, 0) - noisy)[..., 1:] / inverse[..., 1:]
    np.testing.assert_allclose(moved[:, 1:], expected.sum((1, 2)), rtol=FLOAT32)
