"""Do the CUDA sources compile for the GPUs that we claim, without registers spilled to memory? No GPU is needed.

By NVRTC, which CuPy uses as well (the wheel nvidia-cuda-nvrtc-cu12 is enough), else by nvcc on PATH.
"""

import ctypes
import ctypes.util
import importlib.util
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from fusedtomo.kernels.cuda import launch

# Bytes that a thread may spill on a V100 (CUDA 12 is the last that knows it), A100, H100 and H200; and on a B200 and an
# RTX 50, which nothing was made for in particular, where a few lie around a slow path.
ARCHITECTURES = {"sm_70": 0, "sm_80": 0, "sm_90": 0, "sm_100": 8, "sm_120": 24}
_ALWAYS = ("sm_70", "sm_90")  # the oldest, and the one that is measured; the others come at night
VARIANTS = [
    ("joseph", ("WIDTH=1",)),
    ("joseph", ("WIDTH=2",)),
    ("joseph", ("WIDTH=4",)),
    ("joseph", ("WIDTH=4", "FUSEDTOMO_HALF_VOLUME")),
    ("zcontrast", ("WIDTH=1",)),
    ("zcontrast", ("WIDTH=4",)),
    ("poisson", ()),
    ("tv", ("WIDTH=1", "BLOCKS=8")),
    ("tv", ("WIDTH=2", "BLOCKS=5")),
    ("tv", ("WIDTH=2", "BLOCKS=5", "FUSEDTOMO_HALF_DUALS")),
    ("tv_prox", ("WIDTH=1",)),
    ("tv_prox", ("WIDTH=2",)),
    ("tv_prox", ("WIDTH=2", "FUSEDTOMO_HALF_DUALS")),
    ("tv", ("WIDTH=1", "BLOCKS=8", "FUSEDTOMO_LOCAL_WEIGHTS")),
    ("tv", ("WIDTH=2", "BLOCKS=5", "FUSEDTOMO_LOCAL_WEIGHTS")),
    ("tv", ("WIDTH=2", "BLOCKS=5", "FUSEDTOMO_HALF_DUALS", "FUSEDTOMO_LOCAL_WEIGHTS")),
    ("tv_prox", ("WIDTH=1", "FUSEDTOMO_LOCAL_WEIGHTS")),
    ("tv_prox", ("WIDTH=2", "FUSEDTOMO_LOCAL_WEIGHTS")),
    ("tv_prox", ("WIDTH=2", "FUSEDTOMO_HALF_DUALS", "FUSEDTOMO_LOCAL_WEIGHTS")),
    ("fold", ()),
    ("sums", ("WIDTH=1",)),
    ("sums", ("WIDTH=4",)),
]
_AS_CUPY = (*launch.OPTIONS, "-ftz=true")  # CuPy adds the second
_USAGE = re.compile(r"'(\w+)' for '\w+'.*?(\d+) bytes spill stores.*?Used (\d+) registers", re.DOTALL)


@pytest.mark.parametrize(
    "architecture",
    [name if name in _ALWAYS else pytest.param(name, marks=pytest.mark.nightly) for name in ARCHITECTURES],
)
@pytest.mark.parametrize(("source", "defines"), VARIANTS)
def test_sources_compile(architecture, source, defines):
    compiler = nvrtc_compile if nvrtc() else nvcc_compile
    log = compiler(launch.source_text(source), architecture, [*_AS_CUPY, *(f"-D{define}" for define in defines)])
    usage = {name: (int(registers), int(spilled)) for name, spilled, registers in _USAGE.findall(log)}
    assert set(re.findall(r"__launch_bounds__\([^)]*\)\s+(\w+)\(", launch.source_text(source))) == set(usage)
    for name, (registers, spilled) in usage.items():
        print(f"{source}.{name} {architecture} {' '.join(defines)}: {registers} registers")  # pytest -rP shows it
        assert spilled <= ARCHITECTURES[architecture], f"{source}.{name} spills {spilled} bytes on {architecture}"


@cache
def nvrtc() -> ctypes.CDLL | None:
    """NVRTC from a wheel or the system, if there is one."""
    for package, name in (("nvidia.cuda_nvrtc", "libnvrtc.so.12"), ("nvidia.cu13", "libnvrtc.so.13")):
        try:
            folders = importlib.util.find_spec(package).submodule_search_locations
        except (ImportError, AttributeError):
            continue
        for path in (Path(folder) / "lib" / name for folder in folders):
            if path.exists():
                return ctypes.CDLL(str(path))
    name = ctypes.util.find_library("nvrtc")
    return ctypes.CDLL(name) if name else None


def nvrtc_compile(text: str, architecture: str, options: list[str]) -> str:
    """Compile to machine code and return the log; skips architectures that this NVRTC does not know."""
    if int(architecture[3:]) not in _known_to_nvrtc():
        pytest.skip(f"this NVRTC does not compile for {architecture}")
    program = ctypes.c_void_p()
    _call("CreateProgram", ctypes.byref(program), text.encode(), b"source.cu", 0, None, None)
    flags = [f"--gpu-architecture={architecture}", "--ptxas-options=-v", "--ptxas-options=--warn-on-spills", *options]
    failed = nvrtc().nvrtcCompileProgram(program, len(flags), (ctypes.c_char_p * len(flags))(*map(str.encode, flags)))
    log = _program_bytes("ProgramLog", program)
    assert not failed, log
    assert _program_bytes("CUBIN", program)
    _call("DestroyProgram", ctypes.byref(program))
    return log


def _program_bytes(what: str, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    _call(f"Get{what}Size", program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    _call(f"Get{what}", program, buffer)
    return buffer.raw.decode(errors="replace")


@cache
def _known_to_nvrtc() -> tuple[int, ...]:
    count = ctypes.c_int()
    _call("GetNumSupportedArchs", ctypes.byref(count))
    numbers = (ctypes.c_int * count.value)()
    _call("GetSupportedArchs", numbers)
    return tuple(numbers)


def _call(name: str, *args) -> None:
    status = getattr(nvrtc(), f"nvrtc{name}")(*args)
    assert status == 0, f"nvrtc{name} returned {status}"


def nvcc_compile(text: str, architecture: str, options: list[str]) -> str:
    """The same by nvcc."""
    if shutil.which("nvcc") is None or shutil.which("g++") is None:
        pytest.skip("neither NVRTC (pip install nvidia-cuda-nvrtc-cu12) nor nvcc with g++ is here")
    known = subprocess.run(["nvcc", "--list-gpu-code"], capture_output=True, text=True, check=True).stdout.split()
    if architecture not in known:
        pytest.skip(f"this nvcc does not compile for {architecture}")
    with tempfile.TemporaryDirectory() as folder:  # nvcc does not read from a pipe
        path = Path(folder) / "source.cu"
        path.write_text(text)
        command = [
            "nvcc",
            f"-arch={architecture}",
            "-cubin",
            "-Xptxas=-v",
            *options,
            path,
            "-o",
            path.with_suffix(".o"),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr
