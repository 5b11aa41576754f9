"""Weights of voxels that a kernel may be given, or None for 1 everywhere: what does it make of either?

numba compiles a kernel for None apart, without a trace of weights. Within it, it leaves out a branch on None only where
None is an argument, so that each of these chooses by the type.
"""

from typing import Any

from numba import types
from numba.extending import overload

from fusedtomo.kernels.numba.jit import Floats, Number
from fusedtomo.kernels.numba.simd import load

Local = Floats | None  # (channel, z, y, x), or a part of it


def part(local: Local, index: int) -> Any:
    """A channel, plane, row or value of local weights; None of None."""


def lanes(row: Local, x: int) -> Any:
    """Sixteen values of a row of local weights; None of None."""


def weighed(weight: Number, value: Number) -> Number:
    """Weight times value; the value where there is no weight."""


# without types, as in simd.py
@overload(part)
def _overload_part(local, index):
    return (lambda local, index: None) if local == types.none else (lambda local, index: local[index])


@overload(lanes)
def _overload_lanes(row, x):
    return (lambda row, x: None) if row == types.none else (lambda row, x: load(row, x))


@overload(weighed)
def _overload_weighed(weight, value):
    return (lambda weight, value: value) if weight == types.none else (lambda weight, value: weight * value)
