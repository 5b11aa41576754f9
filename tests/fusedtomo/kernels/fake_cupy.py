"""A CuPy without a GPU: the whole solver runs on it, its CUDA kernels through host_build, and what it does is counted.

`installed` puts it in the place of the module `cupy`. It offers only what the package uses, with CuPy's names and
arguments (test_fake_cupy.py compares them where CuPy is installed), and refuses what CuPy refuses: host arrays among
device arrays, implicit conversion to NumPy. It refuses, too, what CuPy does badly or differently from version to
version: results in double precision and masks as indices. Memory that CuPy would leave uninitialised is NaN.
"""

import contextlib
import inspect
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from fusedtomo.kernels.cuda import launch
from tests.fusedtomo.kernels import host_build


@dataclass(frozen=True)
class Event:
    """Something the device did.

    Attributes:
        kind: "allocate", "launch" (a kernel of ours), "elementwise" (one of CuPy's), "to host", "to device" or "wait".
        what: the array's data type, or the function's name.
        bytes: of the array.
    """

    kind: str
    what: str
    bytes: int = 0


class Record:
    """What a device did, in its order, and how much of its memory was in use."""

    def __init__(self):
        self.events: list[Event] = []
        self.bytes_now = self.bytes_most = 0

    def add(self, kind: str, what: str, n_bytes: int = 0) -> None:
        """Note an event."""
        self.events.append(Event(kind, what, n_bytes))

    def own(self, host: np.ndarray) -> None:
        """Note an allocation, and take its end into account."""
        self.add("allocate", str(host.dtype), host.nbytes)
        self._hold(host.nbytes)
        weakref.finalize(host, self._hold, -host.nbytes)

    def _hold(self, n_bytes: int) -> None:
        self.bytes_now += n_bytes
        self.bytes_most = max(self.bytes_most, self.bytes_now)

    def of(self, *kinds: str, since: int = 0) -> list[Event]:
        """The events of some kinds, from a number of events on."""
        return [event for event in self.events[since:] if event.kind in kinds]


record = Record()


@contextlib.contextmanager
def installed() -> Iterator[Record]:
    """Let ``import cupy`` find the fake, and launch.py forget what it kept of another; gives a fresh record."""
    global record
    record, real = Record(), sys.modules.get("cupy")
    sys.modules["cupy"] = _module()
    _forget()
    try:
        yield record
    finally:
        _forget()
        if real is None:
            del sys.modules["cupy"]
        else:
            sys.modules["cupy"] = real


def _forget() -> None:
    for cached in (launch._kernel, launch._uploaded):
        cached.cache_clear()


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on the device; its operators are those that NumPy's mixin makes of ufuncs."""

    __module__ = "cupy"
    __array_priority__ = 100
    __slots__ = ("_host",)

    def __init__(self, host: np.ndarray):
        self._host = host

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: self._host.flags)

    def get(self, stream=None, order="C", out=None, blocking=True) -> np.ndarray:
        """A copy on the host."""
        record.add("to host", str(self.dtype), self.nbytes)
        if out is not None:
            out[...] = self._host
        if blocking:
            record.add("wait", "get")
        else:
            assert out is not None, "a copy that nobody waits for needs pinned memory"
        return np.array(self._host, order=order) if out is None else out

    def __array__(self, dtype=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        function = _OFFERED.get(ufunc.__name__)
        if method != "__call__" or function is None:
            return NotImplemented
        if "out" in kwargs:
            (kwargs["out"],) = kwargs["out"]
        return function(*inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        function = _OFFERED.get(func.__name__)
        return NotImplemented if function is None else function(*args, **kwargs)

    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return len(self._host)

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key):
        return ndarray(self._host[_basic(key)])

    def __setitem__(self, key, value):
        target = self._host[_basic(key)]
        if isinstance(value, ndarray):
            if _same(value._host, target):
                return  # as after x[i] *= 2; CuPy sees that, too
            record.add("elementwise", "copy", target.nbytes)
            target[...] = value._host
        else:
            ndarray(target).fill(value)

    def fill(self, value):
        """Set all elements to a scalar."""
        if np.shape(value):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        record.add("elementwise", "fill", self.nbytes)
        self._host[...] = value

    def reshape(self, *shape, order="C"):
        """A view, or a copy where none is possible."""
        reshaped = self._host.reshape(*shape, order=order)
        return ndarray(reshaped) if np.may_share_memory(reshaped, self._host) else _new(reshaped)

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        """A copy of another type; the array itself with copy=False where nothing changes."""
        if not copy and self.dtype == dtype:
            return self
        return _new(self._host.astype(dtype, order=order, copy=True), "astype")

    def copy(self, order="C"):
        """A copy."""
        return _new(self._host.copy(order), "copy")

    def sum(self, axis=None, dtype=None, out=None, keepdims=False):
        """The sum; like all reductions an array, even of no dimension."""
        return self._reduced("sum", axis, out, keepdims, dtype=dtype)

    def max(self, axis=None, out=None, keepdims=False):
        """The largest element."""
        return self._reduced("max", axis, out, keepdims)

    def min(self, axis=None, out=None, keepdims=False):
        """The smallest element."""
        return self._reduced("min", axis, out, keepdims)

    def all(self, axis=None, out=None, keepdims=False):
        """Is every element true?"""
        return self._reduced("all", axis, out, keepdims)

    def any(self, axis=None, out=None, keepdims=False):
        """Is any element true?"""
        return self._reduced("any", axis, out, keepdims)

    def _reduced(self, name: str, axis, out, keepdims, **dtype):
        found = np.asarray(getattr(self._host, name)(axis=axis, keepdims=keepdims, **dtype))
        if out is None:
            return _new(found, name)
        record.add("elementwise", name, found.nbytes)
        _host(out)[...] = found
        return out

    def item(self):
        """The one element, on the host."""
        return self.get().item()

    def __float__(self):
        return float(self.get())

    def __int__(self):
        return int(self.get())

    def __bool__(self):
        return bool(self.get())

    def __repr__(self):
        return f"fake cupy {self._host!r}"


def _basic(key: Any) -> tuple:
    """A key of integers and slices, which gives a view even of no dimension."""
    keys = key if isinstance(key, tuple) else (key,)
    for part in keys:
        if not (part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice))):
            raise TypeError(f"{type(part).__name__} as an index makes temporaries of the array's size on the device")
    return keys if any(part is Ellipsis for part in keys) else (*keys, ...)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return (one.ctypes.data, one.shape, one.strides, one.dtype) == (
        other.ctypes.data,
        other.shape,
        other.strides,
        other.dtype,
    )


def _host(value: Any) -> Any:
    """What a device array or a scalar holds; host arrays are refused, even of no dimension."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, (bool, int, float, np.generic)):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def _new(host: np.ndarray, made_by: str | None = None) -> ndarray:
    """An array in memory of its own."""
    record.own(host)
    if made_by:
        record.add("elementwise", made_by, host.nbytes)
    return ndarray(host)


def _ufunc(name: str) -> Any:
    """An elementwise function, with the arguments that CuPy's take."""
    ufunc = getattr(np, name)

    def call(*args, out=None, dtype=None, casting="same_kind"):
        if out is not None and not isinstance(out, ndarray):
            raise TypeError(f"out of {name} is {type(out)}")
        into = {} if out is None else {"out": _host(out)}
        found = np.asarray(ufunc(*map(_host, args), dtype=dtype, casting=casting, **into))
        if out is not None:
            record.add("elementwise", name, found.nbytes)
            return out
        if found.dtype == np.float64:
            raise TypeError(f"{name} of {[getattr(arg, 'dtype', type(arg)) for arg in args]} is in double precision")
        return _new(found, name)

    return call


# ------------------------------------------------------------------------------------------------------ the module


def _shape(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def empty(shape, dtype=float, order="C"):
    """Uninitialised: NaN, so that what nobody writes shows."""
    return _new(np.full(_shape(shape), np.nan if np.issubdtype(dtype, np.floating) else 0, dtype, order))


def zeros(shape, dtype=float, order="C"):
    """Zeros."""
    return _new(np.zeros(_shape(shape), dtype, order), "fill")


def ones(shape, dtype=float, order="C"):
    """Ones."""
    return _new(np.ones(_shape(shape), dtype, order), "fill")


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    """Uninitialised, like another."""
    return empty(_host(prototype).shape if shape is None else shape, dtype or prototype.dtype)


def zeros_like(a, dtype=None, order="K", subok=None, shape=None):
    """Zeros, like another."""
    return zeros(_host(a).shape if shape is None else shape, dtype or a.dtype)


def ones_like(a, dtype=None, order="K", subok=None, shape=None):
    """Ones, like another."""
    return ones(_host(a).shape if shape is None else shape, dtype or a.dtype)


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    """A copy of an array on the host or the device."""
    if isinstance(obj, ndarray):
        return _new(np.array(obj._host, dtype, order=order, ndmin=ndmin), "copy")
    host = np.array(obj, dtype, order=order, ndmin=ndmin)
    record.add("to device", str(host.dtype), host.nbytes)
    return _new(host)


def asarray(a, dtype=None, order=None, *, blocking=False):
    """The array itself where it is on the device already, in that type."""
    same = isinstance(a, ndarray) and (dtype is None or a.dtype == dtype)
    return a if same and order is None else array(a, dtype, order=order or "K")


def ascontiguousarray(a, dtype=None):
    """The device array itself, or a copy in C order."""
    same = _host(a).flags.c_contiguous and (dtype is None or a.dtype == dtype)
    return a if same else _new(np.ascontiguousarray(a._host, dtype), "copy")


def copyto(dst, src, casting="same_kind", where=None):
    """Copy into an array."""
    record.add("elementwise", "copy", dst.nbytes)
    np.copyto(_host(dst), _host(src), casting=casting, where=True if where is None else _host(where))


def stack(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """Join along a new axis."""
    return _new(np.stack([_host(a) for a in tup], axis, dtype=dtype, casting=casting), "stack")


def concatenate(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """Join along an axis."""
    return _new(np.concatenate([_host(a) for a in tup], axis, dtype=dtype, casting=casting), "concatenate")


class RawModule:
    """Kernels of a source text."""

    def __init__(self, *, code=None, path=None, options=(), backend="nvrtc"):
        assert isinstance(code, str), "the source text is all that the fake can compile"
        assert all(isinstance(option, str) for option in options)
        self._code, self._defines = code, tuple(option[2:] for option in options if option.startswith("-D"))

    def get_function(self, name):
        """A kernel, called with (grid, block, args)."""
        if name not in host_build.kernels(self._code):
            raise KeyError(f"no kernel {name} in the source")

        def call(grid, block, args, *, shared_mem=0):
            for extent in (grid, block):
                assert isinstance(extent, tuple)
                assert len(extent) <= 3
                assert min(extent) > 0, "CUDA refuses empty grids and blocks"
            record.add("launch", name)
            host_build.execute(self._code, name, grid, block, [_host(arg) for arg in args], self._defines)

        return call


class Stream:
    """A queue of work, which the fake does at once; used as a context it is the current one of its thread."""

    _next = 100

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.ptr, Stream._next = Stream._next, Stream._next + 1

    def synchronize(self):
        """Wait for all of its work."""
        record.add("wait", "synchronize")

    def __enter__(self):
        _current.stack = [*_stack(), self]
        return self

    def __exit__(self, *args):
        _current.stack = _stack()[:-1]


class CudaEvent:
    """A moment in a stream; the fake's work is done when it returns."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.seconds = 0.0

    def record(self, stream=None):
        """Note the time."""
        self.seconds = time.perf_counter()

    def synchronize(self):
        """Nothing to wait for."""
        record.add("wait", "synchronize")


class _Generator:
    """cupy.random.default_rng's."""

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)

    def random(self, size=None, dtype=np.float64, out=None):
        """Uniform in [0, 1)."""
        return _new(self._rng.random(size, dtype), "random")


_current = threading.local()
_NULL = Stream(null=True)
_NULL.ptr = 0


def _stack() -> list[Stream]:
    return getattr(_current, "stack", [_NULL])


_OFFERED: dict[str, Any] = {
    function.__name__: function
    for function in (empty, zeros, ones, empty_like, zeros_like, ones_like, array, asarray, ascontiguousarray, copyto)
}
_OFFERED |= {"stack": stack, "concatenate": concatenate, "ndarray": ndarray, "RawModule": RawModule}
_OFFERED |= {
    name: _ufunc(name)
    for name in (
        *("add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum", "negative", "absolute"),
        *("square", "sqrt", "isfinite", "equal", "less", "less_equal", "greater", "greater_equal"),
    )
}
_CUDA = {
    "Stream": Stream,
    "get_current_stream": lambda device_id=-1: _stack()[-1],
    "Event": CudaEvent,
    "get_elapsed_time": lambda start, end: 1e3 * (end.seconds - start.seconds),
    "alloc_pinned_memory": bytearray,
    "Device": lambda device=0: SimpleNamespace(id=device, use=lambda: None),
    "runtime": SimpleNamespace(
        getDevice=lambda: 0,
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda device: {"name": b"Fake device"},
    ),
}
_POOL = SimpleNamespace(free_all_blocks=lambda stream=None: None, total_bytes=lambda: record.bytes_most)


def _module() -> ModuleType:
    module = ModuleType("cupy")
    more = {"random": SimpleNamespace(default_rng=_Generator), "get_default_memory_pool": lambda: _POOL}
    vars(module).update(_OFFERED, **more, cuda=SimpleNamespace(**_CUDA), __version__="fake")
    return module


def arguments() -> dict[str, inspect.Signature]:
    """The offered functions and methods with their arguments, to be compared with CuPy's."""
    offered = _OFFERED | {f"ndarray.{name}": method for name, method in vars(ndarray).items() if name[0] != "_"}
    return {name: inspect.signature(thing) for name, thing in offered.items() if inspect.isfunction(thing)}
