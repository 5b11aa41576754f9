"""The data terms of Eq. 1: value, gradient and curvature against float64 references on dense matrices."""

from functools import partial

import numpy as np
import pytest

from fusedtomo.losses import ChemicalPoisson, HaadfLeastSquares, LinearLeastSquares, mean_counts, noise_variance
from fusedtomo.operators.projector import Projector
from fusedtomo.operators.zcontrast import ZContrast
from tests.devices import on
from tests.fusedtomo.reference import dense, finite_differences, haadf_value, poisson_value, project

DEPTH, WIDTH, NX = 4, 5, 2
ATOMIC_NUMBERS = (27, 8)
GAMMAS = (1.0, 1.4, 1.7, 2.0)
ROUNDING = 2e-5  # float32 projections and models, summed in float64
GAIN, EPS = np.array([30.0, 12.0]), np.array([4.0, 0.7])
PER_ELEMENT = (slice(None), None, None, None)
SIGMA2 = 2.5


@pytest.fixture
def projector():
    return Projector([-70.0, -20.0, 15.0, 45.0], DEPTH, WIDTH)


@pytest.fixture
def matrix(projector):
    return dense(projector)


@pytest.fixture
def volume(rng):
    return rng.uniform(0.2, 1.2, (2, DEPTH, WIDTH, NX)).astype(np.float32)


@pytest.fixture
def counts(projector, rng):
    truth = rng.uniform(0, 1.2, (2, DEPTH, WIDTH, NX)).astype(np.float32)
    expected = GAIN[PER_ELEMENT] * projector.forward(truth) + EPS[PER_ELEMENT]
    drawn = rng.poisson(expected).astype(np.float32)
    drawn[1, 0] = 0  # rays without a count
    return drawn


@pytest.fixture
def signal(projector, rng):
    truth = rng.uniform(0, 1.2, (2, DEPTH, WIDTH, NX)).astype(np.float32)
    return 40 * projector.forward(ZContrast(ATOMIC_NUMBERS, 1.7).density(truth))


def _rays(stack):
    """(element, tilt, t, x) -> (element, tilt * t, x)."""
    return stack.reshape(len(stack), -1, stack.shape[-1]).astype(np.float64)


def _flat(per_element):
    return per_element[:, None, None]


def _references(matrix, counts, signal, gamma):
    """Each loss as a float64 function of the volume, from the paper's equations."""
    b, h = _rays(counts), signal.reshape(-1, NX).astype(np.float64)
    zeta = np.array(ATOMIC_NUMBERS) / max(ATOMIC_NUMBERS)
    precision = 1 / _flat(counts.mean(axis=(1, 2, 3), dtype=np.float64))

    def poisson(x):
        return poisson_value(_flat(GAIN) * project(matrix, x) + _flat(EPS), b)

    def least_squares(x):
        return float((precision * (_flat(GAIN) * project(matrix, x) + _flat(EPS) - b) ** 2).sum() / 2)

    def haadf(x):
        return haadf_value(project(matrix, ((zeta[PER_ELEMENT] * x) ** gamma).sum(axis=0)[None])[0], h, SIGMA2)

    return {"poisson": poisson, "least squares": least_squares, "haadf": haadf}


def _losses(place, projector, counts, signal, gamma):
    losses = {
        "poisson": ChemicalPoisson(projector, counts, GAIN, EPS, place=place),
        "least squares": LinearLeastSquares(projector, counts, GAIN, EPS, place=place),
        "haadf": HaadfLeastSquares(projector, ZContrast(ATOMIC_NUMBERS, gamma), signal, SIGMA2, place=place),
    }
    return {name: on(place, loss) for name, loss in losses.items()}


CASES = [("poisson", 2.0), ("least squares", 2.0), *(("haadf", gamma) for gamma in GAMMAS)]


@pytest.fixture(params=CASES, ids=[f"{name} {gamma}" for name, gamma in CASES])
def pair(request, place, projector, matrix, counts, signal):
    """A loss and its float64 reference."""
    name, gamma = request.param
    return _losses(place, projector, counts, signal, gamma)[name], _references(matrix, counts, signal, gamma)[name]


def _gradient(loss, volume, weight=1.0):
    out = np.zeros_like(volume)
    loss.gradient(loss.project(volume), volume, weight, out)
    return out


def _curvature(loss, volume, weight=1.0):
    out = np.zeros_like(volume)
    loss.add_curvature(loss.project(volume), volume, weight, out)
    return out


def test_value_equals_the_equation(pair, volume):
    loss, reference = pair
    np.testing.assert_allclose(loss.value(loss.project(volume)), reference(volume.astype(np.float64)), rtol=ROUNDING)


def test_gradient_equals_finite_differences(pair, volume):
    loss, reference = pair
    expected = finite_differences(reference, volume)
    # relative to the largest entry: an entry is a difference of back-projected float32 sums
    np.testing.assert_allclose(_gradient(loss, volume), expected, atol=10 * ROUNDING * np.abs(expected).max())


def test_gradient_and_curvature_are_added_with_their_weight(pair, volume):
    loss, _ = pair
    for add in (partial(loss.gradient, add=True), loss.add_curvature):
        once, out = np.zeros_like(volume), np.ones_like(volume)
        projected = loss.project(volume)
        add(projected, volume, 1.0, once)
        add(projected, volume, 0.25, out)
        np.testing.assert_allclose(out, 1 + 0.25 * once, rtol=ROUNDING, atol=ROUNDING * np.abs(once).max())


def test_a_gradient_that_is_not_added_replaces_what_was_there(pair, volume):
    loss, _ = pair
    out = np.full_like(volume, np.nan)
    loss.gradient(loss.project(volume), volume, 1.0, out)
    np.testing.assert_array_equal(out, _gradient(loss, volume))


def test_projections_go_into_the_array_that_the_caller_gives(pair, volume):
    loss, _ = pair
    expected = loss.project(volume)
    out = np.full_like(expected, np.nan)
    assert loss.project(volume, out) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("kind", [ChemicalPoisson, LinearLeastSquares])
def test_elements_have_weights_of_their_own(kind, place, projector, counts, volume):
    def make(part, **weights):
        return on(place, kind(projector, counts[part], GAIN[part], EPS[part], place=place, **weights))

    weights = np.array([0.3, 2.0])
    whole, parts = make(slice(2), element_weights=weights), [make(slice(i, i + 1)) for i in range(2)]
    values = [part.value(part.project(volume[i : i + 1])) for i, part in enumerate(parts)]
    assert whole.value(whole.project(volume)) == pytest.approx(weights @ values, rel=ROUNDING)
    for measure in (_gradient, _curvature):
        expected = np.concatenate(
            [w * measure(part, volume[i : i + 1]) for i, (w, part) in enumerate(zip(weights, parts, strict=True))]
        )
        np.testing.assert_allclose(measure(whole, volume), expected, atol=ROUNDING * np.abs(expected).max())


def test_values_are_never_negative(pair, rng):
    loss, _ = pair
    for scale in (1e-3, 1.0, 50.0):
        volume = (scale * rng.random((2, DEPTH, WIDTH, NX))).astype(np.float32)
        assert loss.value(loss.project(volume)) >= 0


@pytest.mark.parametrize("gamma", GAMMAS)
def test_a_perfect_fit_costs_nothing_and_pulls_nowhere(place, projector, volume, gamma):
    counts = (GAIN[PER_ELEMENT] * projector.forward(volume) + EPS[PER_ELEMENT]).astype(np.float32)
    signal = 7 * projector.forward(ZContrast(ATOMIC_NUMBERS, gamma).density(volume))
    for name, loss in _losses(place, projector, counts, signal, gamma).items():
        far = 0.5 * volume + np.float32(0.3)
        size, pull = loss.value(loss.project(far)), np.abs(_gradient(loss, far)).max()
        assert loss.value(loss.project(volume)) < ROUNDING * size, name
        assert np.abs(_gradient(loss, volume)).max() < 10 * ROUNDING * pull, name


def _jacobian_blocks(name, matrix, volume, counts, signal, gamma, x_index):
    """J of the whitened residual at one x, (element * rays or rays, element * z * y): Gauss-Newton is J'J."""
    rays = project(matrix, volume.astype(np.float64))[:, :, x_index]
    n, voxels = rays.shape[1], matrix.shape[1]
    if name == "haadf":
        zeta = np.array(ATOMIC_NUMBERS) / max(ATOMIC_NUMBERS)
        concentration = volume.astype(np.float64).reshape(2, voxels, NX)[:, :, x_index]
        slope = gamma * zeta[:, None] ** gamma * concentration ** (gamma - 1)
        brightness = project(matrix, ((zeta[PER_ELEMENT] * volume) ** gamma).sum(axis=0)[None])[0]
        flat = signal.reshape(-1, NX)
        gain = (brightness * flat).sum() / (brightness**2).sum()  # one gain for all x
        return gain / np.sqrt(SIGMA2) * np.concatenate([matrix * row for row in slope], axis=1)
    b = _rays(counts)
    blocks = np.zeros((2 * n, 2 * voxels))
    for i in range(2):
        root = np.sqrt(b[i, :, x_index]) / (GAIN[i] * rays[i] + EPS[i])
        if name == "least squares":
            root = np.full(n, 1 / np.sqrt(b[i].mean()))
        blocks[i * n : (i + 1) * n, i * voxels : (i + 1) * voxels] = GAIN[i] * root[:, None] * matrix
    return blocks


@pytest.mark.parametrize(("name", "gamma"), CASES)
def test_curvature_majorises_gauss_newton_in_every_direction(
    place, projector, matrix, counts, signal, volume, name, gamma
):
    diagonal = _curvature(_losses(place, projector, counts, signal, gamma)[name], volume).reshape(2, -1, NX)
    for x_index in range(NX):
        jacobian = _jacobian_blocks(name, matrix, volume, counts, signal, gamma, x_index)
        gap = np.diag(diagonal[:, :, x_index].ravel().astype(np.float64)) - jacobian.T @ jacobian
        # A'A <= diag(A'A 1) touches in the direction of ones, where float32 rounding may show
        assert np.linalg.eigvalsh(gap).min() > -ROUNDING * diagonal.max()
        assert np.linalg.eigvalsh(gap).min() < 0.5 * np.diag(jacobian.T @ jacobian).max()  # nor is it absurdly large


def test_linear_loss_lies_below_its_quadratic_bound_everywhere(place, projector, counts, volume, rng):
    loss = on(place, LinearLeastSquares(projector, counts, GAIN, EPS, place=place))
    at, gradient, diagonal = loss.value(loss.project(volume)), _gradient(loss, volume), _curvature(loss, volume)
    for length in (0.01, 0.1, 1.0, 10.0):
        move = (length * rng.normal(size=volume.shape)).astype(np.float32)
        bound = at + float((gradient * move).sum()) + 0.5 * float((diagonal * move**2).sum())
        assert loss.value(loss.project(volume + move)) <= bound + ROUNDING * abs(bound)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_empty_series_and_empty_volumes_give_finite_numbers(place, projector, gamma):
    nothing = np.zeros((2, 4, WIDTH, NX), np.float32)
    for x in (np.zeros((2, DEPTH, WIDTH, NX), np.float32), np.ones((2, DEPTH, WIDTH, NX), np.float32)):
        for name, loss in _losses(place, projector, nothing, nothing[0], gamma).items():
            assert np.isfinite(loss.value(loss.project(x))), name
            assert np.isfinite(_gradient(loss, x)).all(), name
            assert np.isfinite(_curvature(loss, x)).all(), name


def test_haadf_gain_is_the_least_squares_fit(place, projector, volume, signal):
    loss = on(place, HaadfLeastSquares(projector, ZContrast(ATOMIC_NUMBERS, 1.7), signal, SIGMA2, place=place))
    projected = loss.project(volume).astype(np.float64)
    expected = (projected * signal).sum() / (projected**2).sum()
    np.testing.assert_allclose(loss.gain(loss.project(volume)), expected, rtol=ROUNDING)
    assert loss.gain(np.zeros_like(signal)) == 0


def test_haadf_term_does_not_see_the_detector_s_gain(projector, volume, signal):
    """Scaling images and their noise alike changes nothing: no HAADF detector is calibrated."""
    contrast = ZContrast(ATOMIC_NUMBERS, 1.7)
    a = HaadfLeastSquares(projector, contrast, signal, SIGMA2)
    b = HaadfLeastSquares(projector, contrast, 100 * signal, 1e4 * SIGMA2)
    np.testing.assert_allclose(b.value(b.project(volume)), a.value(a.project(volume)), rtol=ROUNDING)
    gradient = _gradient(a, volume)
    np.testing.assert_allclose(_gradient(b, volume), gradient, atol=10 * ROUNDING * np.abs(gradient).max())


def test_losses_leave_the_counts_alone(place, projector, counts, signal, volume):
    copies = counts.copy(), signal.copy(), volume.copy()
    for loss in _losses(place, projector, counts, signal, 1.7).values():
        loss.value(loss.project(volume))
        _gradient(loss, volume), _curvature(loss, volume)
    for now, before in zip((counts, signal, volume), copies, strict=True):
        np.testing.assert_array_equal(now, before)


def test_mean_counts_are_at_least_one_count_in_all(rng):
    counts = rng.poisson(3, (2, 4, 5, 6)).astype(np.float32)
    counts[1] = 0
    np.testing.assert_allclose(mean_counts(counts), [counts[0].mean(), 1 / 120])


def test_noise_variance_is_read_from_the_images_whatever_the_edges(rng):
    steps = np.repeat(rng.uniform(0, 1000, (5, 40, 8)), 16, axis=2)  # edges every 16 pixels
    noisy = (steps + rng.normal(0, 30, steps.shape)).astype(np.float32)
    assert noise_variance(noisy) == pytest.approx(30**2, rel=0.15)  # the edges are 6 % of the differences


def test_noise_variance_of_clean_images_has_the_documented_floor():
    clean = np.full((2, 4, 6), 50.0, np.float32)
    assert noise_variance(clean) == pytest.approx((0.01 * 50) ** 2)
    assert noise_variance(np.zeros_like(clean)) > 0
    assert noise_variance(clean[:, :, :1]) > 0  # a single slice has no neighbours along x
