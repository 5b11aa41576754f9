"""Is the fake CuPy as strict as CuPy? And where CuPy is installed: are its names and arguments CuPy's?"""

import inspect
import re

import numpy as np
import pytest

from tests.fusedtomo.kernels import fake_cupy


@pytest.fixture
def record():
    """A fresh one."""
    with fake_cupy.installed() as record:
        yield record


@pytest.fixture
def cupy(record):
    """The fake."""
    import cupy

    return cupy


HOST = np.ones((2, 3), np.float32)


def _into_device(cupy, x):
    x[:] = HOST


def _add_in_place(cupy, x):
    x += HOST


def _take_into_host(cupy, x):
    HOST[:] = x


@pytest.mark.parametrize(
    ("do", "error"),
    [
        (lambda cupy, x: x + HOST, "Unsupported type"),
        (lambda cupy, x: HOST * x, "Unsupported type"),
        (lambda cupy, x: x < np.array(1.0), "Unsupported type"),
        (lambda cupy, x: np.multiply(x, HOST), "Unsupported type"),
        (lambda cupy, x: cupy.maximum(x, HOST), "Unsupported type"),
        (lambda cupy, x: cupy.maximum(x, 0, out=HOST), "out of maximum is"),
        (lambda cupy, x: np.add(x, 1, out=HOST.copy()), "out of add is"),
        (lambda cupy, x: cupy.stack([x, HOST]), "Unsupported type"),
        (lambda cupy, x: cupy.ascontiguousarray(HOST), "Unsupported type"),
        (lambda cupy, x: cupy.empty_like(HOST), "Unsupported type"),
        (_add_in_place, "Unsupported type"),
        (_into_device, "non-scalar"),
        (_take_into_host, "Implicit conversion"),
        (lambda cupy, x: np.asarray(x), "Implicit conversion"),
        (lambda cupy, x: np.array([x.max()]), "Implicit conversion"),
        (lambda cupy, x: np.linalg.norm(x), "no implementation found"),
        (lambda cupy, x: cupy.multiply(x, 2, where=x), "unexpected keyword"),
        (lambda cupy, x: cupy.zeros_like(x, device="gpu"), "unexpected keyword"),
        (lambda cupy, x: x.max(initial=0), "unexpected keyword"),
        (lambda cupy, x: x * np.float64(2), "double precision"),
        (lambda cupy, x: x[x > 0], "temporaries"),
    ],
)
def test_it_refuses(cupy, do, error):
    x = cupy.asarray(HOST)
    with pytest.raises((TypeError, ValueError), match=error):
        do(cupy, x)


def test_it_computes_as_numpy_does(cupy, rng):
    a, b = rng.random((2, 3, 4), np.float32), rng.random((2, 3, 4), np.float32)
    x, y, one = cupy.asarray(a), cupy.array(b), np.float32(1.5)
    for found, expected in (
        (x + y, a + b),
        (one / x, one / a),
        (cupy.maximum(x, y, out=cupy.empty_like(x)), np.maximum(a, b)),
        (x[:, 1:, ::2].copy(), a[:, 1:, ::2]),
        (x.sum(axis=0), a.sum(axis=0)),
        (cupy.stack([x, y]), np.stack([a, b])),
        (np.stack([x, y]), np.stack([a, b])),
        (cupy.concatenate([x, y]), np.concatenate([a, b])),
        (cupy.ascontiguousarray(x[..., 1], dtype=np.float16), a[..., 1].astype(np.float16)),
        (x[1, 1, 1], a[1, 1, 1]),
        (x.reshape(-1, 4), a.reshape(-1, 4)),
    ):
        assert type(found).__module__ == "cupy"
        np.testing.assert_array_equal(found.get(), expected)
        assert found.dtype == expected.dtype
    for channel in x:  # views, as NumPy's are
        channel *= one
    np.testing.assert_array_equal(x.get(), a * one)
    x[0], x[1] = 0, y[0]
    np.testing.assert_array_equal(x.get(), np.stack([np.zeros((3, 4)), b[0]]))
    assert float(y.max()) == b.max()
    assert np.isnan(cupy.empty((2, 2), np.float32).get()).all()


def test_it_keeps_a_record(cupy, record):
    x = cupy.asarray(HOST)
    view, more = x[:, 1:], x * 2
    assert [event.bytes for event in record.of("allocate")] == [24, 24]
    assert record.bytes_now == record.bytes_most == 48
    del x, more
    assert record.bytes_now == 24  # the view holds it
    since = len(record.events)
    view += 1
    float(view.sum())
    assert [(event.kind, event.what, event.bytes) for event in record.events[since:]] == [
        ("elementwise", "add", 16),
        ("allocate", "float32", 4),
        ("elementwise", "sum", 4),
        ("to host", "float32", 4),
        ("wait", "get", 0),
    ]
    assert [event.bytes for event in record.of("to device")] == [24]


@pytest.mark.fake_gpu
def test_kernels_run_from_their_source_text(cupy, record):
    head = 'extern "C" __global__ void __launch_bounds__(32)\ntwice(float *at, int n)\n'
    text = head + "{ if ((int)threadIdx.x < n) at[threadIdx.x] *= FACTOR; }"
    kernel = cupy.RawModule(code=text, options=("--std=c++14", "-DFACTOR=2")).get_function("twice")
    x = cupy.asarray(HOST)
    kernel((1, 1), (6,), (x, np.int32(6)))
    np.testing.assert_array_equal(x.get(), 2 * HOST)
    assert [event.what for event in record.of("launch")] == ["twice"]
    with pytest.raises(TypeError, match="argument 1 is int64"):
        kernel((1,), (6,), (x, np.int64(6)))
    with pytest.raises(TypeError, match="Unsupported type"):
        kernel((1,), (6,), (HOST, np.int32(6)))


def test_a_stream_is_current_in_its_thread_alone(cupy):
    null, stream = cupy.cuda.get_current_stream(), cupy.cuda.Stream(non_blocking=True)
    with stream:
        assert cupy.cuda.get_current_stream() is stream
    assert cupy.cuda.get_current_stream() is null
    assert null.ptr == 0
    assert stream.ptr != 0


def _declaration(function) -> str:
    """A function's arguments; compiled ones say them in their docstring's first line."""
    try:
        return str(inspect.signature(function))
    except ValueError:
        return function.__doc__.splitlines()[0]


def test_names_and_arguments_are_cupy_s():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    assert len(fake_cupy.arguments()) > 30
    for name, ours in fake_cupy.arguments().items():
        theirs = cupy
        for part in name.split("."):
            theirs = getattr(theirs, part)
        if isinstance(theirs, cupy.ufunc):
            continue  # out, dtype and casting, says its __call__
        known = re.findall(r"\w+", _declaration(theirs))
        assert [argument for argument in ours.parameters if argument not in known] == [], name
