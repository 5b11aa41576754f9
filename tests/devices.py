"""The devices that one suite of tests runs on, and a ferry that lets its tests keep their arrays on the host.

"fake gpu" runs the GPU's code and kernels on the CPU (tests/fusedtomo/kernels/fake_cupy.py). "gpu" needs one and CuPy;
with FUSEDTOMO_FAKE_GPU=1 in the environment it takes the fake instead, to try the tests themselves.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import numpy as np
import pytest

from fusedtomo.arrays import to_host
from fusedtomo.placement import Placement
from tests.fusedtomo.kernels import fake_cupy, host_build

DEVICES = (
    "cpu",
    pytest.param("fake gpu", marks=pytest.mark.fake_gpu),
    pytest.param("gpu", marks=pytest.mark.gpu),
)
DEVICES_FOR_LONG = (DEVICES[0], DEVICES[2])  # without the one that takes 0.1 ms for a launch


@cache
def no_gpu() -> str | None:
    """Why there is no GPU to test on, if so."""
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed"
    try:
        return None if cupy.cuda.runtime.getDeviceCount() else "CuPy sees no GPU"
    except Exception as error:  # no driver, or one that is too old
        return f"CuPy sees no GPU: {error}"


def _is_fake(name: str) -> bool:
    return name == "fake gpu" or (name == "gpu" and "FUSEDTOMO_FAKE_GPU" in os.environ)


def missing(name: str) -> str | None:
    """Why one of the devices cannot be had, if so."""
    return host_build.why_not() if _is_fake(name) else no_gpu() if name == "gpu" else None


@contextmanager
def device(name: str) -> Iterator[Placement]:
    """A placement on one of the devices; skips the test where it is missing."""
    if reason := missing(name):
        pytest.skip(reason)
    with fake_cupy.installed() if _is_fake(name) else nullcontext():
        yield Placement(device="cpu" if name == "cpu" else "gpu")


def on(place: Placement, thing: Any) -> Any:
    """The object (or module) on the CPU; on a GPU one whose methods take and return host arrays but compute there."""
    return thing if place.device == "cpu" else _Ferry(thing, place.xp)


class _Ferry:
    """Moves the arrays of three axes or more among a method's arguments there, and what was written back.

    An array that may not be written to on the host must come back as it went.
    """

    def __init__(self, thing: Any, xp: Any):
        self._thing, self._xp = thing, xp

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        return self._ferried(found) if callable(found) else to_host(found)

    def _ferried(self, method: Any) -> Any:
        def call(*args, **kwargs):
            hosts = {id(a): a for a in (*args, *kwargs.values()) if isinstance(a, np.ndarray) and a.ndim > 2}
            there = {key: self._xp.asarray(host) for key, host in hosts.items()}
            moved = [there.get(id(a), a) for a in args]
            result = method(*moved, **{name: there.get(id(a), a) for name, a in kwargs.items()})
            for key, host in hosts.items():
                _bring_back(there[key], host)
                if result is there[key]:
                    return host
            return tuple(map(to_host, result)) if isinstance(result, tuple) else to_host(result)

        return call


def _bring_back(array: Any, host: np.ndarray) -> None:
    if host.flags.writeable:
        host[...] = array.get()
    else:
        np.testing.assert_array_equal(array.get(), host)
