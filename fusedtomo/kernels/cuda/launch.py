"""How a .cu file beside this module becomes a running kernel, and the only place that touches CuPy.

A kernel is compiled on its first launch for the device at hand, by NVRTC, without any header; CuPy keeps the binary on
disk. Launches go to the calling thread's current stream, and nothing waits for them but whoever reads what was
downloaded: threads with streams of their own run side by side and share nothing but compiled kernels.
Tests replace `launch`, `empty`, `upload` and `download` by their NumPy twins and run the same sources on the CPU.
"""

import threading
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

OPTIONS = ("--std=c++14",)
_FOLDER = Path(__file__).parent
_HEADERS = {"tv": "tv.cuh", "tv_prox": "tv.cuh", "zcontrast": "power.cuh", "joseph": "power.cuh"}  # after common.cuh
_LARGEST_GRID = (2**31 - 1, 65535, 65535)  # CUDA's limits


def launch(
    source: str,
    name: str,
    grid: Sequence[int],
    block: Sequence[int],
    args: Sequence[Any],
    defines: tuple[str, ...] = (),
) -> None:
    """Run a kernel.

    Args:
        source: which .cu file, without its ending.
        name: the kernel in it.
        grid: blocks along up to three axes.
        block: threads of a block, along the same.
        args: C-contiguous CuPy arrays and NumPy scalars of exactly the types that the kernel declares.
        defines: macros that the source is compiled with, "NAME" or "NAME=value".
    """
    check(name, grid, args)
    if 0 not in grid:  # else there is nothing to write
        _kernel(source, name, defines)(tuple(grid), tuple(block), tuple(args))


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """An uninitialised array on the device."""
    import cupy

    return cupy.empty(shape, dtype)


def upload(table: np.ndarray) -> Any:
    """A small read-only host array on the device; a thread's stream is given the same content only once."""
    import cupy

    queue = cupy.cuda.runtime.getDevice(), threading.get_ident(), cupy.cuda.get_current_stream().ptr
    return _uploaded(queue, table.dtype.str, table.shape, table.tobytes())


def upload_floats(values: Any) -> Any:
    """Host numbers, one for every channel, as float32 on the device."""
    return upload(np.ascontiguousarray(values, np.float32))


class Pending:
    """An array on its way to the host, read-only: `get`, or any use as a NumPy array, waits until it is there.

    What is launched after it was asked for is not waited for, so that a GPU need not stand idle while the host reads.
    """

    def __init__(self, array: Any):
        import cupy

        self._memory = cupy.cuda.alloc_pinned_memory(array.nbytes)
        self._host = np.frombuffer(self._memory, array.dtype, array.size).reshape(array.shape)
        array.get(out=self._host, blocking=False)
        self._arrived = cupy.cuda.Event(disable_timing=True)
        self._arrived.record()

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)

    def get(self) -> np.ndarray:
        """The array, once it is there."""
        if self._arrived is not None:
            self._arrived.synchronize()
            self._arrived = None
        return self._host

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.get(), dtype)

    def __getitem__(self, key: Any) -> np.ndarray:
        return self.get()[key]

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.get())

    def __del__(self) -> None:
        self.get()  # else its memory might be given to another while it is still written to


def download(array: Any) -> Pending:
    """An array's copy on the host, after everything launched before it; nothing waits for it before it is used."""
    return Pending(array)


def blocks(n: int, size: int) -> int:
    """How many blocks of a size cover n."""
    return -(-n // size)


def width(nx: int) -> int:
    """How many neighbouring x a thread works on: as many as divide the columns and leave a warp's threads work."""
    return next((width for width in (4, 2) if nx % width == 0 and nx >= 24 * width), 1)


@cache
def source_text(source: str) -> str:
    """What is compiled: its headers in front of the .cu file, as CuPy's cache of binaries does not follow #include."""
    names = "common.cuh", _HEADERS.get(source), f"{source}.cu"
    return "\n".join((_FOLDER / name).read_text() for name in names if name)


def check(name: str, grid: Sequence[int], args: Sequence[Any]) -> None:
    """Raise for what CUDA would refuse without saying why, or read wrongly."""
    if any(size > limit for size, limit in zip(grid, _LARGEST_GRID, strict=False)):
        raise ValueError(
            f"kernel '{name}' would need {tuple(grid)} blocks, CUDA allows {_LARGEST_GRID}; use more slabs."
        )
    for position, value in enumerate(args):
        if hasattr(value, "flags") and value.ndim and not value.flags.c_contiguous:
            raise ValueError(f"argument {position} of kernel '{name}' is not C-contiguous; copy it first.")


@cache
def _kernel(source: str, name: str, defines: tuple[str, ...]) -> Any:
    """A CuPy RawKernel, which compiles and keeps one binary for every device that it runs on."""
    import cupy

    options = OPTIONS + tuple(f"-D{define}" for define in defines)
    return cupy.RawModule(code=source_text(source), options=options).get_function(name)


@lru_cache(maxsize=256)
def _uploaded(queue: tuple[int, int, int], dtype: str, shape: tuple[int, ...], content: bytes) -> Any:
    """Kept for one queue alone: what the cache drops goes back to that stream's memory, where its next array may lie.

    A kernel on another stream could still be reading it; one on this stream comes before whatever is written there.
    """
    import cupy

    return cupy.asarray(np.frombuffer(content, dtype).reshape(shape))
