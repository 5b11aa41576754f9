"""The total variation prox: how near to the machine's copy bandwidth does an inner iteration run?

python -m benchmarks.tv [--repeats 15]

An inner iteration is counted as 40 bytes a voxel. The kernel moves 32 (the volume and the metric read, three dual
components read and written), so a memory-bound pass could reach 1.25 times the copy's rate.
"""

import argparse
from collections.abc import Callable, Mapping

import numpy as np
from numba import get_num_threads

from benchmarks import limits, machine
from benchmarks.results import Results, table, verdict
from fusedtomo.kernels.numba import tv
from fusedtomo.proximal import TotalVariation

SIZES, N_CHANNELS = (64, 128, 256), 4
BYTES, BAR, COPY = 40, 0.85, "copy"
OURS = "inner iteration"
_ITERATIONS, _WEIGHT = 5, 0.1  # in a row, as in a reconstruction


def measure(size: int, repeats: int, copy: limits.Copy) -> tuple[list[dict], list[str]]:
    """Rows and notes for one size."""
    rng = np.random.default_rng(0)
    noisy = rng.random((N_CHANNELS,) + (size,) * 3, np.float32)
    inverse, voxels = rng.random(noisy.shape, np.float32) + np.float32(0.5), noisy.size
    calls = {COPY: copy, OURS: _inner_iterations(noisy, inverse), "whole prox": _prox(noisy, inverse)}
    moved = {COPY: copy.bytes, **dict.fromkeys((OURS, "whole prox"), BYTES * voxels * _ITERATIONS)}
    times = limits.in_turns(calls, dict.fromkeys(calls, repeats), dict.fromkeys(calls, get_num_threads()))
    notes = []
    try:
        times["scikit-image"], moved["scikit-image"] = _scikit_image(noisy[0]), BYTES * size**3 * _ITERATIONS
    except ImportError as reason:
        notes.append(f"scikit-image left out: {reason}")
    return [_row(size, name, times, moved) for name in times if name != COPY], notes


def _inner_iterations(noisy: np.ndarray, inverse: np.ndarray) -> Callable[[], object]:
    dual = np.zeros((len(noisy), 3, *noisy.shape[1:]), np.float32)
    weight, spare = np.full(len(noisy), _WEIGHT, np.float32), tv.spare(dual)

    def call() -> None:
        for _ in range(_ITERATIONS):
            tv.ascend(noisy, inverse, weight, dual, spare, False)

    call()  # compiled, and the dual field away from zero
    return call


def _prox(noisy: np.ndarray, inverse: np.ndarray) -> Callable[[], object]:
    prox, out = TotalVariation(np.full(len(noisy), _WEIGHT), iterations=_ITERATIONS), np.empty_like(noisy)
    prox.prox(noisy, inverse, 1.0, out)
    return lambda: prox.prox(noisy, inverse, 1.0, out)


def _scikit_image(volume: np.ndarray) -> limits.Timing:
    from skimage.restoration import denoise_tv_chambolle  # an optional dependency

    return limits.timed(lambda: denoise_tv_chambolle(volume, _WEIGHT, eps=0.0, max_num_iter=_ITERATIONS), 2)


def _row(size: int, name: str, times: dict[str, limits.Timing], moved: Mapping[str, float]) -> dict:
    each, copy = times[name], times[COPY]
    ns, ours_ns = (1e9 * BYTES * times[key].median / moved[key] for key in (name, OURS))
    return {
        "size": size,
        "what": name,
        "ns a voxel and iteration": ns,
        "GB/s": moved[name] / each.median / 1e9,
        "copy GB/s": moved[COPY] / copy.median / 1e9,
        "of the copy": moved[name] / moved[COPY] * _paired(copy.wall, each.wall),
        "by processor": moved[name] / moved[COPY] * _paired(copy.processor, each.processor),
        "times ours": ns / ours_ns,
    }


def _paired(ones: list[float], others: list[float]) -> float:
    """The median of ratios, each of two times from one turn: the memory's speed changes with other work on it."""
    return float(np.median([one / other for one, other in zip(ones, others, strict=False)]))


def run(*, full: bool = False, repeats: int = 15) -> Results:
    """Measure all sizes."""
    host, others, rows, copy = machine.describe(), machine.OtherLoad(), [], limits.Copy()
    notes = [
        f"{N_CHANNELS} channels; medians of {repeats} turns with the copy of {limits.COPY_MIB} MiB, read and "
        f"written, by the same threads, ratios taken turn by turn; {BYTES} bytes a voxel and inner iteration",
        f"{_ITERATIONS} inner iterations in a row; whole prox: the same and the end, counted as no bytes at all",
        "by processor: of processor time over the number of threads, as on a machine without other work",
        "scikit-image: denoise_tv_chambolle, one channel, NumPy in one thread, neither x >= 0 nor a metric",
    ]
    for size in SIZES:
        more, remarks = measure(size, repeats, copy)
        rows, notes = rows + more, notes + [each for each in remarks if each not in notes]
    return Results("tv", host, rows, [*notes, str(others), *bars(rows)])


def bars(rows: list[dict]) -> list[str]:
    """Whether an inner iteration is near enough to the copy, at every size."""
    return [
        verdict(
            f"inner iteration at {row['size']}^3 at least {BAR:g} of the copy bandwidth",
            row["of the copy"] >= BAR,
            f"{row['of the copy']:.2f} ({row['by processor']:.2f} by processor time)",
        )
        for row in rows
        if row["what"] == OURS
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="calls of each")
    results = run(**vars(parser.parse_args()))
    print(table(results.rows), *results.notes, sep="\n")
