"""All that is to be done on a GPU, in one command: its tests, its kernels beside numba's, whole reconstructions.

    python -m benchmarks.gpu [--sizes 256 512] [--repeats 20] [--no-tests]

writes benchmarks/results/<date>-<cpu>-gpu-<device>.md and .json. First `pytest -m gpu`; then every kernel on a small
volume, beside its numba twin, and times only if all of them agree; then benchmarks/gpu_solver.py. "copy" is the share
of the rate at which the device copies memory. The projector and what fits the cache (the Poisson term at 256^3) may
exceed or miss it for other reasons: see the traffic in the heads of fusedtomo/kernels/cuda/*.cu.

It ran on an H200 (docs/gpu.md). tests/test_benchmarks_gpu.py runs it at 16^3 on the CPU, with stand-ins for CuPy and
ASTRA: what that shows is that the code holds together, not one number.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import gpu_solver, machine
from benchmarks.results import Results
from fusedtomo.kernels import cuda, numba

N_ELEMENTS, N_HAADF, N_CHEMICAL = 4, 47, 9
SIZES, FULL_SIZES = (256,), (256, 512)
TESTS = ("-m", "pytest", "-m", "gpu", "tests")
_CALLS, _WHOLE = 5, 2  # calls between two events; runs of a whole reconstruction
_SMALL = 100  # voxels on a side of the volume that both backends are compared on
_SAME, _SAME_IN_HALF = 1e-5, 2e-3  # of the largest value

Random = Callable[..., Any]  # shape -> float32 array in [0, 1), NumPy or CuPy


@dataclass(frozen=True)
class Case:
    """One call: "module.function", its arguments for a volume of n^3, and the bytes that it must move at least.

    Arguments with three axes or more live on the device, others are host parameters; None is a spare dual field.
    """

    name: str
    arguments: Callable[[Random, int], tuple]
    bytes: Callable[[int], float]
    half: bool = False

    def run(self, package: Any, args: tuple) -> Any:
        """Call the function of one of the packages `numba` and `cuda`."""
        module, function = self.name.split(".")
        return getattr(getattr(package, module), function)(*args)

    def made(self, random: Random, n: int, package: Any) -> tuple:
        """Arguments for a package; in half precision for `cuda` alone."""
        args = self.arguments(random, n)
        if self.half and package is cuda:
            narrow = 3 if self.name == "tv.ascend" else 0
            args = (*args[:narrow], args[narrow].astype(np.float16), *args[narrow + 1 :])
        return tuple(package.tv.spare(args[3]) if arg is None else arg for arg in args)


def _directions(n_tilts: int) -> tuple[np.ndarray, np.ndarray]:
    angles = np.deg2rad(np.linspace(-70, 70, n_tilts))
    return np.cos(angles), np.sin(angles)


def _forward(channels: int, n_tilts: int) -> Callable:
    return lambda r, n: (r(channels, n, n, n), *_directions(n_tilts), r(channels, n_tilts, n, n))


def _adjoint(channels: int, n_tilts: int) -> Callable:
    return lambda r, n: (r(channels, n_tilts, n, n), *_directions(n_tilts), r(channels, n, n, n), False)


def _volumes(count: int) -> Callable:
    return lambda r, n: tuple(r(N_ELEMENTS, n, n, n) for _ in range(count))


def _dual(random: Random, n: int) -> Any:
    """A dual field, zero on the last plane of each axis."""
    dual = random(N_ELEMENTS, 3, n, n, n) - np.float32(0.5)
    dual[:, 0, -1], dual[:, 1, :, -1], dual[:, 2, :, :, -1] = 0, 0, 0
    return dual


def _per_element(value: float) -> np.ndarray:
    return np.full(N_ELEMENTS, value, np.float32)


def _denoising(r: Random, n: int) -> tuple:
    noisy, inverse = _volumes(2)(r, n)
    return noisy, inverse + np.float32(0.5), _per_element(0.2), _dual(r, n)


def _adjoint_pullback(r: Random, n: int) -> tuple:
    scratch, added = r(n, n, n), True
    stack, volume = r(N_HAADF, n, n), r(N_ELEMENTS, n, n, n)
    return stack, *_directions(N_HAADF), volume, _per_element(1.3), 1.6, 0.0, scratch, r(N_ELEMENTS, n, n, n), added


def _adjoint_pullback_bytes(n: int) -> float:
    return 12 * N_ELEMENTS * n**3 + 4 * N_HAADF * n**2


def _counting(r: Random, n: int) -> tuple:
    shape = (N_ELEMENTS, N_CHEMICAL, n, n)
    return 20 * r(*shape), 20 * r(*shape), _per_element(0.7), _per_element(0.2)


def _projection_bytes(channels: int, n_tilts: int, volume_bytes: int = 4) -> Callable[[int], float]:
    return lambda n: channels * (volume_bytes * n**3 + 4 * n_tilts * n**2)


def _voxel_bytes(per_voxel: float) -> Callable[[int], float]:
    return lambda n: per_voxel * n**3


_E, _RAYS = N_ELEMENTS, N_ELEMENTS * N_CHEMICAL
_FLOOR = np.float32(1e-2)
CASES = {
    "joseph.forward, HAADF": Case("joseph.forward", _forward(1, N_HAADF), _projection_bytes(1, N_HAADF)),
    "joseph.forward, HAADF, half": Case(
        "joseph.forward", _forward(1, N_HAADF), _projection_bytes(1, N_HAADF, 2), half=True
    ),
    "joseph.forward, chemical": Case("joseph.forward", _forward(_E, N_CHEMICAL), _projection_bytes(_E, N_CHEMICAL)),
    "joseph.adjoint, HAADF": Case("joseph.adjoint", _adjoint(1, N_HAADF), _projection_bytes(1, N_HAADF)),
    "joseph.adjoint, chemical": Case("joseph.adjoint", _adjoint(_E, N_CHEMICAL), _projection_bytes(_E, N_CHEMICAL)),
    "joseph.adjoint_pullback": Case("joseph.adjoint_pullback", _adjoint_pullback, _adjoint_pullback_bytes),
    "zcontrast.density": Case(
        "zcontrast.density",
        lambda r, n: (r(_E, n, n, n), _per_element(1.3), 1.6, r(n, n, n)),
        _voxel_bytes(4 * (_E + 1)),
    ),
    "zcontrast.add_pullback": Case(
        "zcontrast.add_pullback",
        lambda r, n: (r(_E, n, n, n), _per_element(1.3), 1.6, r(n, n, n), _FLOOR, r(_E, n, n, n), True),
        _voxel_bytes(4 * (3 * _E + 1)),
    ),
    "poisson.divergence": Case("poisson.divergence", _counting, lambda n: 8 * _RAYS * n**2),
    "poisson.residual": Case(
        "poisson.residual",
        lambda r, n: (*_counting(r, n), _per_element(1.0), r(_E, N_CHEMICAL, n, n)),
        lambda n: 12 * _RAYS * n**2,
    ),
    "tv.total_variation": Case("tv.total_variation", lambda r, n: (r(_E, n, n, n), False), _voxel_bytes(4 * _E)),
    "tv.ascend": Case("tv.ascend", lambda r, n: (*_denoising(r, n), None, False), _voxel_bytes(32 * _E)),
    "tv.ascend, half": Case(
        "tv.ascend", lambda r, n: (*_denoising(r, n), None, False), _voxel_bytes(20 * _E), half=True
    ),
    "tv.finish": Case("tv.finish", lambda r, n: (*_denoising(r, n), r(_E, n, n, n), False), _voxel_bytes(24 * _E)),
    "tv.prox": Case("tv.prox", lambda r, n: (*_denoising(r, n), None, r(_E, n, n, n), 2, False), _voxel_bytes(36 * _E)),
    "sums.dot": Case("sums.dot", _volumes(2), _voxel_bytes(8 * _E)),
    "sums.totals": Case("sums.totals", _volumes(1), _voxel_bytes(4 * _E)),
    "sums.squared_change": Case("sums.squared_change", _volumes(2), _voxel_bytes(8 * _E)),
    "sums.products": Case("sums.products", _volumes(2), _voxel_bytes(8 * _E)),
    "sums.distance": Case(
        "sums.distance",
        lambda r, n: (*_volumes(2)(r, n), r(_E, n, n, n) + np.float32(0.5)),
        _voxel_bytes(12 * _E),
    ),
    "sums.descend": Case("sums.descend", lambda r, n: (*_volumes(3)(r, n), 0.3, r(_E, n, n, n)), _voxel_bytes(16 * _E)),
    "sums.extrapolate": Case(
        "sums.extrapolate", lambda r, n: (*_volumes(2)(r, n), 0.8, r(_E, n, n, n)), _voxel_bytes(12 * _E)
    ),
}


def require_gpu() -> Any:
    """CuPy, or one line that says what is missing."""
    try:
        import cupy

        found = cupy.cuda.runtime.getDeviceCount() > 0
    except (
        Exception
    ) as reason:  # no CuPy, no driver, or one too old: all that matters is that there is nothing to measure
        raise SystemExit(
            f"benchmarks.gpu needs a CUDA GPU and CuPy (pip install 'fusedtomo[gpu12]'): {reason}"
        ) from None
    if not found:
        raise SystemExit("benchmarks.gpu needs a CUDA GPU; CuPy is here but sees none")
    return cupy


def check_agreement(cupy: Any) -> list[str]:
    """Raise unless every kernel computes what its numba twin does; return what was found, for the notes."""
    worst = {False: 0.0, True: 0.0}
    for label, case in CASES.items():
        expected = _outcome(case, numba, lambda array: array)
        found = _outcome(case, cuda, cupy.asarray)
        error = max(_difference(one, other) for one, other in zip(found, expected, strict=True))
        worst[case.half] = max(worst[case.half], error)
        if not error <= (_SAME_IN_HALF if case.half else _SAME):
            raise RuntimeError(f"{label} on the GPU and on the CPU differ by {error:.1e}; timing is void")
    return [
        f"all kernels agree with numba's to {worst[False]:.1e} of the largest value at {_SMALL}^3, "
        f"in half precision to {worst[True]:.1e}"
    ]


def _outcome(case: Case, package: Any, put: Callable) -> list[np.ndarray]:
    """What a call returns and writes, on the host; the same random arguments each time."""
    generator = np.random.default_rng(0)
    args = case.made(lambda *shape: put(generator.random(shape, dtype=np.float32)), _SMALL, package)
    returned = case.run(package, args)
    if case.name == "tv.ascend":
        return [_host(returned[0])]  # what else is written is scratch
    if case.name == "tv.prox":
        return [_host(returned[0]), _host(returned[2]), _host(args[5])]
    if case.name == "joseph.adjoint_pullback":
        return [_host(args[8])]
    returned = returned if isinstance(returned, tuple) else (returned,)
    return [_host(value) for value in (*returned, *args) if getattr(value, "ndim", 0)]


def _host(array: Any) -> np.ndarray:
    return np.float64(array.get() if hasattr(array, "get") else array)


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-30))


def copy_rate(cupy: Any, repeats: int) -> float:
    """Bytes read and written per second when the device copies 2 GiB."""
    source = cupy.zeros(2**29, np.float32)
    target = cupy.empty_like(source)
    return 2 * source.nbytes / _seconds(cupy, lambda: cupy.copyto(target, source), repeats)


def measure(cupy: Any, size: int, repeats: int, rate: float) -> list[dict]:
    """A row for every kernel at one size; arrays are freed in between."""
    generator, rows = cupy.random.default_rng(0), []
    for label, case in CASES.items():
        args = case.made(lambda *shape: generator.random(shape, dtype=np.float32), size, cuda)
        seconds = _seconds(cupy, lambda case=case, args=args: case.run(cuda, args), repeats)
        moved = case.bytes(size)
        rows.append(
            {
                "size": size,
                "kernel": label,
                "ms": 1e3 * seconds,
                "MB": moved / 1e6,
                "GB/s": moved / seconds / 1e9,
                "copy": f"{100 * moved / seconds / rate:.0f} %",
            }
        )
        del args
        cupy.get_default_memory_pool().free_all_blocks()
    return rows


def _seconds(cupy: Any, call: Callable, repeats: int) -> float:
    """The median time of a call; several between two CUDA events, so that the GPU need not wait for Python."""
    times = []
    for _ in range(repeats + 3):
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        for _ in range(_CALLS):
            call()
        end.record()
        end.synchronize()
        times.append(1e-3 * cupy.cuda.get_elapsed_time(start, end) / _CALLS)
    return float(np.median(times[3:]))  # the first ones compile and warm up


def run_tests() -> str:
    """What `pytest -m gpu` said in its last line."""
    done = subprocess.run([sys.executable, *TESTS, "-q"], capture_output=True, text=True)
    lines = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
    return f"tests on the GPU (python {' '.join(TESTS)}): {'passed' if done.returncode == 0 else 'FAILED'}, {lines[-1]}"


def run(*, full: bool = False, sizes: tuple[int, ...] | None = None, repeats: int = 20, tests: bool = True) -> Results:
    """Test, compare, then measure all sizes."""
    cupy, sizes = require_gpu(), sizes or (FULL_SIZES if full else SIZES)
    notes = [run_tests()] if tests else []
    notes += check_agreement(cupy)
    rate = copy_rate(cupy, repeats)
    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    name = properties["name"].decode()
    host = machine.describe() | {"gpu": name, "cupy": cupy.__version__}
    notes += [
        f"the device copies {rate / 1e12:.2f} TB/s, read and written; medians of {repeats} runs of {_CALLS} calls",
        f"{N_ELEMENTS} elements; {N_HAADF} HAADF tilts of one channel, {N_CHEMICAL} chemical tilts of each element",
        "MB: what must go through the device's memory at least; sums include the way of their result to the host",
    ]
    rows = [row for size in sizes for row in measure(cupy, size, repeats, rate)]
    solvers, left_out = gpu_solver.usable(gpu_solver.SOLVERS)
    whole = [row for size in sizes for row in gpu_solver.measure(cupy, size, _WHOLE, solvers)]
    notes += [f"whole reconstructions: medians of {_WHOLE} runs", *left_out, *gpu_solver.notes(whole)]
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return Results(f"gpu-{slug}", host, rows, notes, more={"Whole reconstructions": whole})


def main() -> None:
    """Run everything, and say where the report is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=FULL_SIZES, help="voxels on a side")
    parser.add_argument("--repeats", type=int, default=20, help="runs of each kernel")
    parser.add_argument("--no-tests", dest="tests", action="store_false", help="leave the tests out")
    results = run(**vars(parser.parse_args()))
    print(results.markdown(), f"written to benchmarks/results/{results.write().name}", sep="\n")


if __name__ == "__main__":
    main()
