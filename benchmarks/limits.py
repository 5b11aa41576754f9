"""What the machine can do at most: the rate at which all cores copy memory, and at which they multiply and add."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from llvmlite import ir
from numba import get_num_threads, njit, prange
from numba.extending import intrinsic

from fusedtomo.kernels.numba.simd import LANES, VECTOR, load, splat, store

COPY_MIB = 768  # of each of the two arrays: far beyond any cache
_PARTS = 64


@njit(parallel=True, cache=True, nogil=True)
def _copy(source, target):
    for part in prange(source.shape[0]):
        s, t = source[part], target[part]
        for x in range(0, s.size, LANES):
            store(t, x, load(s, x))


class Copy:
    """A copy of memory by all of numba's threads, to be timed in turns with what is compared with it."""

    def __init__(self, mebibytes: int = COPY_MIB):
        self._source = np.ones((_PARTS, mebibytes * 2**18 // _PARTS), np.float32)
        self._target = np.empty_like(self._source)
        self.bytes = 2 * self._source.nbytes  # read and written by a call
        self()

    def __call__(self) -> None:
        """Copy once."""
        _copy(self._source, self._target)


def copy_rate(repeats: int = 7) -> float:
    """Bytes per second, read and written, of the best of some copies."""
    copy = Copy()
    return copy.bytes / timed(copy, repeats).least


@intrinsic
def _fma(typingctx, a, b, c):
    """a b + c of vectors, rounded once."""

    def emit(context, builder, signature, args):
        vector = context.get_value_type(VECTOR)
        kind = ir.FunctionType(vector, [vector] * 3)
        module = builder.module
        name = f"llvm.fma.v{LANES}f32"
        function = module.globals.get(name) or ir.Function(module, kind, name)
        return builder.call(function, args)

    return VECTOR(VECTOR, VECTOR, VECTOR), emit


_CHAINS, _ROUNDS = 8, 2_000_000


@njit(parallel=True, cache=True, nogil=True)
def _multiply_add(out):
    for thread in prange(out.shape[0]):
        m, c = splat(np.float32(0.5)), splat(np.float32(1.0))
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = c
        for _ in range(_ROUNDS):
            a0, a1, a2, a3 = _fma(a0, m, c), _fma(a1, m, c), _fma(a2, m, c), _fma(a3, m, c)
            a4, a5, a6, a7 = _fma(a4, m, c), _fma(a5, m, c), _fma(a6, m, c), _fma(a7, m, c)
        store(out[thread], 0, ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7)))


def peak_rate(repeats: int = 20) -> float:
    """Operations per second, float32, of chains of fused multiply-adds in registers on all threads."""
    out = np.zeros((get_num_threads(), LANES), np.float32)
    _multiply_add(out)
    return 2 * LANES * _CHAINS * _ROUNDS * len(out) / timed(lambda: _multiply_add(out), repeats).least


@dataclass
class Timing:
    """Seconds of some calls: by the clock, and of processor time on one of the threads that shared the work."""

    threads: int
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def take(self, call: Callable[[], object]) -> None:
        """Time a call."""
        began, used = time.perf_counter(), time.process_time()
        call()
        self.wall.append(time.perf_counter() - began)
        self.processor.append((time.process_time() - used) / self.threads)

    @property
    def median(self) -> float:
        """By the clock."""
        return float(np.median(self.wall))

    @property
    def least(self) -> float:
        """By the clock."""
        return min(self.wall)

    @property
    def undisturbed(self) -> float:
        """The median processor time: what the clock would show if all threads had a core each to themselves."""
        return float(np.median(self.processor))


def in_turns(
    calls: Mapping[str, Callable[[], object]], repeats: Mapping[str, int], threads: Mapping[str, int]
) -> dict[str, Timing]:
    """Time every call, in turns so that other load on the machine falls on all alike."""
    times = {name: Timing(threads[name]) for name in calls}
    for turn in range(max(repeats.values())):
        for name, call in calls.items():
            if turn < repeats[name]:
                times[name].take(call)
    return times


def timed(call: Callable[[], object], repeats: int, threads: int = 1) -> Timing:
    """Time one call."""
    return in_turns({"": call}, {"": repeats}, {"": threads})[""]
