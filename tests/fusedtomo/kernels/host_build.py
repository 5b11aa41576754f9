"""Runs the CUDA sources on the CPU: g++ compiles the same .cu files, and every thread of a grid runs after the other.

Threads of a block that wait for each other run in turns from barrier to barrier. `install` puts NumPy twins in the
place of `launch.launch`, `empty`, `upload` and `download`, so that the Python wrappers run as well; the twin of
`launch` also checks every argument's type against the kernel's declaration, and the block against its launch bounds.
"""

import ctypes
import hashlib
import math
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fusedtomo.kernels.cuda import launch as device

FLAGS = [
    *("-std=c++14", "-O2", "-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wextra"),
    "-U_FORTIFY_SOURCE",  # its longjmp refuses to change stacks
]
_QUIET = [
    "-Wno-unused-function",
    "-Wno-unknown-pragmas",
    "-Wno-sign-compare",
    "-Wno-dangling-pointer",  # a block's kernel outlives its coroutines
]  # helpers of other sources; #pragma unroll
_SHIM = Path(__file__).with_name("host_cuda.h")
_KERNEL = re.compile(r'extern "C" __global__ void\s+__launch_bounds__\(([^,)]+)[^)]*\)\s+(\w+)\(([^)]*)\)')
_DTYPES = {"float": "f4", "double": "f8", "int": "i4", "int64": "i8", "half_bits": "f2"}


@dataclass(frozen=True)
class Kernel:
    """A kernel's declaration: its arguments as (C type, whether a pointer), and its launch bounds."""

    arguments: tuple[tuple[str, bool], ...]
    bounds: str

    def most_threads(self, defines: tuple[str, ...]) -> int:
        """Threads that a block may have; the bounds are a product of numbers and macros."""
        macros = dict(define.split("=") for define in defines if "=" in define)
        return math.prod(int(macros.get(factor.strip(), factor)) for factor in self.bounds.split("*"))


@cache
def why_not() -> str | None:
    """Why the sources cannot be built here, if so."""
    if shutil.which("g++") is None:
        return "g++ is not on PATH, which builds the CUDA sources for the CPU"
    version = subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True, check=True).stdout
    return None if int(version.split(".")[0]) >= 12 else f"g++ {version.strip()} has no _Float16; 12 is the first"


def install(monkeypatch: Any, *, reverse: bool = False) -> None:
    """Let `fusedtomo.kernels.cuda` work on NumPy arrays; `reverse`: run every grid's last thread first."""

    def launch(source, name, grid, block, args, defines=()):
        run(source, name, grid, block, args, defines, reverse=reverse)

    monkeypatch.setattr(device, "launch", launch)
    monkeypatch.setattr(device, "empty", _poisoned)
    monkeypatch.setattr(device, "upload", np.array)
    monkeypatch.setattr(device, "download", np.array)


def run(
    source: str,
    name: str,
    grid: Sequence[int],
    block: Sequence[int],
    args: Sequence[Any],
    defines: tuple[str, ...] = (),
    *,
    reverse: bool = False,
) -> None:
    """`launch.launch` on NumPy arrays."""
    device.check(name, grid, args)
    execute(device.source_text(source), name, grid, block, args, defines, reverse=reverse)


def execute(
    text: str,
    name: str,
    grid: Sequence[int],
    block: Sequence[int],
    args: Sequence[Any],
    defines: tuple[str, ...] = (),
    *,
    reverse: bool = False,
) -> None:
    """Run a kernel of a source text on NumPy arrays, after its arguments' types have been checked."""
    kernel, half = kernels(text)[name], "f2" if any("HALF" in define for define in defines) else "f4"
    if np.prod(block) > kernel.most_threads(defines):
        raise ValueError(
            f"{name}: a block of {block} is more than the {kernel.most_threads(defines)} threads of its launch bounds"
        )
    pointers = (ctypes.c_void_p * len(args))()
    values = [
        _value(f"{name}: argument {i}", *pair, half) for i, pair in enumerate(zip(args, kernel.arguments, strict=True))
    ]
    for i, value in enumerate(values):
        pointers[i] = ctypes.addressof(value)
    extents = [(ctypes.c_uint * 3)(*extent, *[1] * (3 - len(extent))) for extent in (grid, block)]
    getattr(_library(text, defines), f"run_{name}")(*extents, int(reverse), pointers)


@cache
def kernels(text: str) -> dict[str, Kernel]:
    """The kernels that a source text declares, by name."""
    text = re.sub(r"//[^\n]*", "", text)
    return {
        name: Kernel(tuple(_declared(argument) for argument in arguments.split(",")), bound)
        for bound, name, arguments in _KERNEL.findall(text)
    }


def _declared(argument: str) -> tuple[str, bool]:
    words = re.sub(r"\bconst\b|__restrict__|\*", " ", argument).split()
    return words[0], "*" in argument


def _value(what: str, given: Any, declared: tuple[str, bool], half: str) -> Any:
    """A C object that holds an array's address or a scalar, after its type has been checked."""
    ctype, pointer = declared
    dtype = np.dtype(_DTYPES.get(ctype, half))  # volume_t and dual_t depend on macros
    if pointer != isinstance(given, np.ndarray) or getattr(given, "dtype", None) != dtype:
        raise TypeError(f"{what} is {type(given).__name__} {getattr(given, 'dtype', '')}, declared {ctype}, {pointer=}")
    return ctypes.c_void_p(given.ctypes.data) if pointer else (ctypes.c_char * dtype.itemsize)(*given.tobytes())


def _poisoned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.full(shape, np.nan, dtype)  # what a kernel forgets to write shows


@cache
def _library(source: str, defines: tuple[str, ...]) -> ctypes.PyDLL:
    """The compiled source text; kept in the system's folder for temporary files, by its content.

    A PyDLL, which lets no other Python thread run meanwhile: blockIdx and its kin are global variables here.
    """
    barriers = ["-DFUSEDTOMO_BARRIERS", "-std=c++17"] if "__syncthreads" in source else []
    text = source + "".join(_entry(*item) for item in kernels(source).items())
    command = [
        "g++",
        *FLAGS,
        *barriers,
        *_QUIET,
        f"-include{_SHIM}",
        *(f"-D{define}" for define in defines),
        "-xc++",
        "-",
    ]
    key = hashlib.sha256("\0".join([text, _SHIM.read_text(), *command]).encode()).hexdigest()[:24]
    folder = Path(tempfile.gettempdir()) / f"fusedtomo-kernels-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{key}.so"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        done = subprocess.run([*command, "-o", unfinished, "-lm"], input=text, capture_output=True, text=True)
        if done.returncode or done.stderr:
            raise RuntimeError(f"g++ on the kernels {', '.join(kernels(source))} with {defines}:\n{done.stderr}")
        unfinished.replace(path)
    return ctypes.PyDLL(str(path))


def _entry(name: str, kernel: Kernel) -> str:
    """A C function that runs a kernel's whole grid; `a` holds the addresses of its arguments, as for cuLaunchKernel."""
    values = ", ".join(f"*({ctype} {'*' * pointer}*)a[{i}]" for i, (ctype, pointer) in enumerate(kernel.arguments))
    return (
        f'\nextern "C" void run_{name}(const unsigned *grid, const unsigned *block, int reversed, void **a)\n'
        f"{{ for_every_thread(grid, block, reversed, [&] {{ {name}({values}); }}); }}\n"
    )
