"""The projector on every backend: linear, adjoint, picklable, true to its geometry, strict about shapes."""

import pickle
from functools import partial

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusedtomo.errors import InputError
from fusedtomo.operators.projector import Projector
from tests.devices import DEVICES, device, on
from tests.fusedtomo.reference import joseph_matrix

EDGE_ANGLES = (0.0, 45.0, -45.0, 90.0, -90.0, 89.9, -89.9, 44.999, 33.3, -71.7)
ADJOINT_TOLERANCE = 1e-6  # what the test of backtracking lets pass (docs/solver.md, The algorithm): more would break it
ROUNDING = 1e-5  # float32 sums of some hundred terms, relative to the largest value


def _backend(name):
    if name == "astra":
        pytest.importorskip("astra", reason="astra-toolbox is not installed")
    return name


@pytest.fixture(params=["own", pytest.param("astra", marks=pytest.mark.astra)])
def backend(request):
    return _backend(request.param)


@pytest.fixture(scope="module", params=[*DEVICES, pytest.param("astra", marks=pytest.mark.astra)])
def make(request):
    """How a projector is made on every device, and with ASTRA; it takes and returns arrays of the host."""
    if request.param == "astra":
        yield partial(Projector, backend=_backend("astra"))
    else:
        with device(request.param) as place:
            yield lambda *args: on(place, Projector(*args))


def _assert_adjoint(projector, nx, seed):
    rng = np.random.default_rng(seed)
    volume = rng.normal(size=(projector.depth, projector.width, nx)).astype(np.float32)
    stack = rng.normal(size=(len(projector.angles_deg), projector.width, nx)).astype(np.float32)
    image, back = projector.forward(volume).astype(np.float64), projector.adjoint(stack).astype(np.float64)
    # relative to the sizes of what is multiplied: <Ax, y> itself may be near zero by chance
    scale = np.linalg.norm(image) * np.linalg.norm(stack) + np.linalg.norm(volume) * np.linalg.norm(back)
    assert abs((image * stack).sum() - (volume * back).sum()) < ADJOINT_TOLERANCE * max(scale, 1e-30)


@pytest.mark.parametrize("angle", EDGE_ANGLES)
def test_adjoint_is_the_transpose_at_each_angle_alone(make, angle):
    for depth, width, nx in ((9, 9, 3), (5, 12, 1), (12, 5, 70)):
        _assert_adjoint(make([angle], depth, width), nx, seed=1)


@given(
    angles=st.lists(st.one_of(st.sampled_from(EDGE_ANGLES), st.floats(-90, 90)), min_size=1, max_size=5),
    depth=st.integers(1, 20),
    width=st.integers(1, 20),
    nx=st.sampled_from([1, 2, 63, 64, 65, 130]),
    seed=st.integers(0, 999),
)
def test_adjoint_is_the_transpose_at_any_shape_and_angles(make, angles, depth, width, nx, seed):
    _assert_adjoint(make(angles, depth, width), nx, seed)


def test_projector_is_linear(make, rng):
    projector = make([-60.0, 10.0, 45.0], 7, 11)
    a, b = rng.normal(size=(2, 7, 11, 5)).astype(np.float32)
    expected = 2 * projector.forward(a) - 3 * projector.forward(b)
    np.testing.assert_allclose(projector.forward(2 * a - 3 * b), expected, atol=ROUNDING * np.abs(expected).max())
    a, b = rng.normal(size=(2, 3, 11, 5)).astype(np.float32)
    expected = 2 * projector.adjoint(a) - 3 * projector.adjoint(b)
    np.testing.assert_allclose(projector.adjoint(2 * a - 3 * b), expected, atol=ROUNDING * np.abs(expected).max())


@pytest.mark.parametrize("angle", EDGE_ANGLES)
@pytest.mark.parametrize(("depth", "width"), [(8, 8), (5, 12), (12, 5), (1, 7), (7, 1)])
def test_projection_equals_ray_casting_by_hand(make, angle, depth, width, rng):
    volume = rng.random((depth, width, 3), dtype=np.float32)
    expected = np.einsum("tzy,zyx->tx", joseph_matrix(angle, depth, width), volume)
    projected = make([angle], depth, width).forward(volume)[0]
    np.testing.assert_allclose(projected, expected, atol=ROUNDING * expected.max())


@pytest.mark.parametrize("angle", [0.0, -45.0, 57.0, -90.0])
@pytest.mark.parametrize(("depth", "width"), [(70, 90), (90, 70)])
def test_sizes_beyond_a_kernel_s_blocks_are_projected_whole(make, angle, depth, width, rng):
    volume = rng.random((depth, width, 2), dtype=np.float32)
    expected = np.einsum("tzy,zyx->tx", joseph_matrix(angle, depth, width), volume)
    projector = make([angle], depth, width)
    # ASTRA's weights are float32 of coordinates up to 45: a few times the rounding of small slices
    np.testing.assert_allclose(projector.forward(volume)[0], expected, atol=3 * ROUNDING * expected.max())
    _assert_adjoint(projector, 2, seed=3)


@pytest.mark.astra
@pytest.mark.parametrize(("depth", "width", "nx"), [(16, 16, 8), (9, 24, 70), (24, 9, 1)])
def test_ours_equals_astra_there_and_back(depth, width, nx, rng):
    _backend("astra")
    angles = [*EDGE_ANGLES, *rng.uniform(-90, 90, 6)]
    ours, theirs = (Projector(angles, depth, width, backend=name) for name in ("own", "astra"))
    volume = rng.random((depth, width, nx), dtype=np.float32)
    stack = rng.random((len(angles), width, nx), dtype=np.float32)
    for mine, other in (
        (ours.forward(volume), theirs.forward(volume)),
        (ours.adjoint(stack), theirs.adjoint(stack)),
    ):
        np.testing.assert_allclose(mine, other, atol=ROUNDING * other.max())


def test_a_pickled_projector_projects_alike(backend, rng):
    projector = Projector([-60.0, 10.0, 45.0], 7, 11, backend=backend)
    twin = pickle.loads(pickle.dumps(projector))
    volume = rng.random((2, 7, 11, 5), dtype=np.float32)
    assert twin.backend == backend
    np.testing.assert_array_equal(twin.forward(volume), projector.forward(volume))


def _blob(depth, width, z, y):
    """A Gaussian of sigma 2.5 voxels about (z, y) from the centre: smooth, so that interpolation is exact to 1e-3."""
    dz = np.arange(depth)[:, None] - (depth - 1) / 2 - z
    dy = np.arange(width)[None, :] - (width - 1) / 2 - y
    return np.exp(-(dz**2 + dy**2) / (2 * 2.5**2)).astype(np.float32)[:, :, None]


INTERPOLATION = 1e-3  # relative; Joseph's triangle aliases what lies above 0.4 / voxel, 1e-3 of the blob above


def test_projection_keeps_mass(make):
    angles = [*EDGE_ANGLES, *np.linspace(-90, 90, 31)]
    blob = _blob(40, 44, 0, 0)
    masses = make(angles, 40, 44).forward(blob).sum(axis=(1, 2))
    np.testing.assert_allclose(masses, blob.sum(), rtol=INTERPOLATION)


def test_an_object_lands_where_the_convention_says(make):
    z, y = 4.0, -7.0
    angles = np.array([*EDGE_ANGLES, *np.linspace(-90, 90, 31)])
    shadows = make(angles, 40, 44).forward(_blob(40, 44, z, y))[:, :, 0]
    centroids = shadows @ (np.arange(44) - 21.5) / shadows.sum(axis=1)
    expected = y * np.cos(np.deg2rad(angles)) + z * np.sin(np.deg2rad(angles))
    np.testing.assert_allclose(
        centroids, expected, atol=10 * INTERPOLATION
    )  # a centroid weighs errors by up to 10 voxels


@pytest.mark.parametrize("angle", EDGE_ANGLES)
def test_a_single_voxel_lands_within_a_pixel_of_its_predicted_place(make, angle):
    volume = np.zeros((9, 11, 2), np.float32)
    volume[6, 2, 1] = 1  # z = 2, y = -3 from the centre
    shadow = make([angle], 9, 11).forward(volume)[0]
    predicted = -3 * np.cos(np.deg2rad(angle)) + 2 * np.sin(np.deg2rad(angle))
    distance = np.abs(np.arange(11) - 5 - predicted)
    assert shadow[:, 1].sum() > 0.8  # a pixel's share of it varies with the angle: triangles are no partition of 1
    assert not shadow[distance > 1, 1].any()
    assert not shadow[:, 0].any()


def test_a_rotated_phantom_gives_tilts_shifted_by_ninety_degrees(make, rng):
    # z' = -y, y' = z turns t(theta + 90) = -y sin + z cos into y' cos + z' sin
    volume = rng.random((13, 13, 4), dtype=np.float32)
    turned = np.rot90(volume, axes=(0, 1))
    np.testing.assert_allclose(turned[12 - 3, 5], volume[5, 3])
    angles = np.array([-90.0, -60, -45, -20, 0])
    plain = make(angles + 90, 13, 13).forward(volume)
    np.testing.assert_allclose(make(angles, 13, 13).forward(turned), plain, atol=ROUNDING * plain.max())


def test_channels_and_slices_are_projected_each_by_itself(make, rng):
    projector = make([-30.0, 70.0], 6, 8)
    volume = rng.random((2, 3, 6, 8, 67), dtype=np.float32)
    stack = projector.forward(volume)
    assert stack.shape == (2, 3, 2, 8, 67)
    assert stack.dtype == np.float32
    one = projector.forward(volume[1, 2, :, :, 65:66])
    np.testing.assert_allclose(stack[1, 2, :, :, 65:66], one, atol=ROUNDING * one.max())


def test_strided_and_float64_volumes_project_like_their_copies(make, rng):
    projector = make([-30.0, 70.0], 6, 8)
    volume = rng.random((6, 8, 10))
    expected = projector.forward(np.ascontiguousarray(volume[:, :, ::2], dtype=np.float32))
    np.testing.assert_array_equal(projector.forward(volume[:, :, ::2]), expected)


def test_results_go_into_the_array_that_the_caller_gives(make, rng):
    projector = make([-30.0, 70.0], 6, 8)
    volume, out = rng.random((6, 8, 5), dtype=np.float32), np.full((2, 8, 5), np.nan, np.float32)
    assert projector.forward(volume, out) is out
    np.testing.assert_array_equal(out, projector.forward(volume))
    stack, out = rng.random((2, 8, 5), dtype=np.float32), np.full((6, 8, 5), np.nan, np.float32)
    assert projector.adjoint(stack, out) is out
    np.testing.assert_array_equal(out, projector.adjoint(stack))


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread here")
def test_one_and_two_threads_give_the_same_bits(rng):
    projector = Projector(np.linspace(-70, 70, 9), 20, 24)
    volume, stack = rng.random((3, 20, 24, 130), dtype=np.float32), rng.random((3, 9, 24, 130), dtype=np.float32)
    before, results = numba.get_num_threads(), []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            results.append((projector.forward(volume), projector.adjoint(stack)))
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("shape", [(6, 7, 5), (8, 6, 5), (6, 8), (8,), (2, 8, 5)])
def test_volumes_of_another_shape_are_refused(make, shape):
    with pytest.raises(InputError, match=r"expects an array \(\.\.\., 6, 8, x\), got shape"):
        make([0.0, 9.0], 6, 8).forward(np.zeros(shape, np.float32))


def test_stacks_of_another_shape_are_refused(make):
    with pytest.raises(InputError, match=r"expects an array \(\.\.\., 2, 8, x\), got shape \(3, 8, 5\)"):
        make([0.0, 9.0], 6, 8).adjoint(np.zeros((3, 8, 5), np.float32))


@pytest.mark.parametrize(
    "out",
    [np.zeros((2, 8, 5)), np.zeros((2, 8, 4), np.float32), np.zeros((2, 8, 10), np.float32)[:, :, ::2]],
    ids=["float64", "shape", "strided"],
)
def test_outputs_that_cannot_be_written_straight_are_refused(backend, out):
    with pytest.raises(InputError, match=r"contiguous float32 array of shape \(2, 8, 5\)"):
        Projector([0.0, 9.0], 6, 8, backend=backend).forward(np.zeros((6, 8, 5), np.float32), out)


def test_unknown_backends_are_refused_with_the_nearest_known_name():
    with pytest.raises(InputError, match=r"no projector backend 'astro'; did you mean 'astra'\?"):
        Projector([0.0], 6, 8, backend="astro")


@pytest.mark.parametrize("angles", [[0.0, float("nan")], [float("inf")], [[0.0, 1.0]]])
def test_angles_that_are_no_list_of_finite_numbers_are_refused(angles):
    with pytest.raises(InputError, match="angles must be a list of finite degrees, got"):
        Projector(angles, 6, 8)
