"""Does the whole solver run on a GPU, as far as that can be seen without one?

On fake_cupy, which is as strict as CuPy and runs the CUDA sources on the CPU: every method gives what the CPU gives,
no iteration moves or allocates anything as large as a volume, and threads do not disturb each other. What needs no
record of the device's doings runs on a GPU, too, where there is one.
"""

import inspect
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fusedtomo.kernels import cuda, numba
from fusedtomo.kernels.cuda import launch
from fusedtomo.placement import Placement
from fusedtomo.reconstruct import METHODS, reconstruct
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers import accelerated
from fusedtomo.solvers.pace import Renewals
from tests.devices import DEVICES, device, on
from tests.fusedtomo.kernels import fake_cupy
from tests.fusedtomo.kernels.test_cuda_kernels import CALLS, outcome
from tests.mpi import needs_mpi, run_script

GPU = Placement(device="gpu")
VARIANTS = {
    "gamma 1.7": {"gamma": 1.7},
    "gamma 2": {"gamma": 2.0},
    "anisotropic": {"tv": "anisotropic"},
    "cylinder": {"mask": "cylinder"},
    "least squares": {"chemical_term": "least-squares"},
    "two TV iterations": {"tv_iterations": 2},
    "deep": {"depth": 37},  # more planes than a thread of the TV kernels walks
}
_HALF_EVERY_DAY = ("gamma 2", "two TV iterations")  # the kernels of the others are half as wide in the same places
EVERY_METHOD = pytest.mark.parametrize("method", sorted(METHODS))


@pytest.fixture(scope="module", params=DEVICES[1:])
def gpu(request):
    """The fake one, and a GPU where there is one."""
    with device(request.param) as place:
        yield place


@pytest.fixture
def record():
    """What the fake GPU does."""
    with fake_cupy.installed() as record:
        yield record


def _same(place):
    """How near to the CPU's, of the largest value: a GPU's powf, logf and rsqrtf differ in their last digits."""
    return 1e-5 if place.xp.__version__ == "fake" else 1e-4


def _settings(**extra):
    return SolverSettings(**{"max_iterations": 5, "tolerance": 0.0, "gamma": 1.7} | extra)


def _difference(found, expected):
    return np.abs(np.float64(found) - expected).max() / max(np.abs(expected).max(), 1e-30)


# ------------------------------------------------------------------------------------------------------ same as the CPU


@pytest.mark.parametrize("call", CALLS)
def test_kernels_give_what_numba_s_give(gpu, rng, call):
    modules = (module.__name__.split(".")[-1] for module in vars(cuda).values() if inspect.ismodule(module))
    there, args = SimpleNamespace(**{name: on(gpu, getattr(cuda, name)) for name in modules}), CALLS[call](rng)
    for one, other in zip(outcome(there, call, args), outcome(numba, call, args), strict=True):
        assert _difference(one, other) < _same(gpu)


@EVERY_METHOD
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_method_gives_what_the_cpu_gives(gpu, tiny_dataset, method, variant):
    settings = _settings(**(_few(method) if variant == "deep" else {}) | VARIANTS[variant])
    expected, found = (reconstruct(tiny_dataset, method, settings=settings, place=p) for p in (Placement(), gpu))
    assert _difference(found.volume.data, expected.volume.data) < _same(gpu)
    assert found.history.keys() == expected.history.keys()
    for name, values in expected.history.items():
        assert found.history[name] == pytest.approx(values, rel=_same(gpu)), name


@EVERY_METHOD
def test_truth_mask_start_and_callback_work(gpu, tiny_dataset, tiny_phantom, method):
    mask, peaks = np.zeros((8, 8, 6), bool), []
    mask[1:7, 1:7] = True
    channels = METHODS[method].channels(tiny_dataset.elements)
    truth = {"truth": tiny_phantom} if channels == tiny_phantom.elements else {}  # of brightness, none is known
    more = {"mask": mask, "initial": np.full((len(channels), 8, 8, 6), 0.3, np.float32), **truth}
    expected = reconstruct(tiny_dataset, method, settings=_settings(), **more)
    callback = lambda i, volume: peaks.append(volume.max()) or {"peak": volume.max()}  # noqa: E731
    found = reconstruct(tiny_dataset, method, settings=_settings(), place=gpu, callback=callback, **more)
    assert {type(peak).__module__ for peak in peaks} == {"cupy"}
    assert ("nrmse" in found.history) == bool(truth)
    assert found.history.get("nrmse", []) == pytest.approx(expected.history.get("nrmse", []), rel=1e-3)
    assert not found.volume.data[:, ~mask].any()
    assert _difference(found.volume.data, expected.volume.data) < _same(gpu)


@EVERY_METHOD
def test_a_run_ends_at_the_tolerance_as_on_the_cpu(gpu, tiny_dataset, method):
    weights, settings = Weights(haadf=0.1, chemical=0.1, tv=0.005), _settings(max_iterations=60, tolerance=0.03)
    expected, found = (reconstruct(tiny_dataset, method, weights, settings, place=p) for p in (Placement(), gpu))
    assert (found.stopped, found.iterations) == (expected.stopped, expected.iterations)
    assert found.stopped == "tolerance"


@pytest.mark.parametrize(
    "variant",
    [
        name if name in _HALF_EVERY_DAY else pytest.param(name, marks=pytest.mark.nightly)
        for name in VARIANTS
        if name != "deep"  # whose truth is not known
    ],
)
def test_half_precision_of_duals_and_projected_volumes(gpu, tiny_dataset, tiny_phantom, variant):
    """Its price after 50 iterations (15 on the fake, which is slow), beside what rounding alone does (CPU against GPU).

    Quoted in docs/gpu.md. The iterates take another way, long before they converge; what they come to is as good.
    """
    fake = gpu.xp.__version__ == "fake"
    settings = _settings(**{"max_iterations": 15 if fake else 50, **VARIANTS[variant]})
    half, cpu, single = (
        reconstruct(tiny_dataset, "fused", settings=settings, truth=tiny_phantom, place=place)
        for place in (Placement(device="gpu", half=True), Placement(), gpu)
    )
    found = {}
    for name, other in (("half", half), ("rounding", cpu)):
        volume = np.linalg.norm(other.volume.data - single.volume.data) / np.linalg.norm(single.volume.data)
        cost, nrmse = (other.history[key][-1] / single.history[key][-1] - 1 for key in ("total", "nrmse"))
        found[name] = volume, abs(cost), abs(nrmse)
        print(f"{variant}, {name}: volume {volume:.1e}, cost {cost:.1e}, NRMSE {nrmse:.1e}")  # pytest -rP shows it
    assert 0 < found["half"][0] < 5e-2
    assert found["half"][1] < 1e-3
    assert found["half"][2] < 5e-2  # an H200 came to 3.3e-2, the host build to 2e-2


# --------------------------------------------------------------------------------------------- what moves, what is made


def _few(method):
    """Algorithm 1 takes forty iterations of total variation, each like the one before."""
    return {"tv_iterations": 3} if method == "gradient-descent" else {}


def _rounds(record, dataset, method, **extra):
    """Events of the outer iterations from the fourth on, when all memory has been made: a list an iteration.

    Of a method that solves several times, those of the last solve.
    """
    marks = []
    settings = _settings(max_iterations=6, depth=40, **_few(method) | extra)
    callback = lambda i, volume: marks.append(len(record.events))  # noqa: E731
    reconstruct(dataset, method, settings=settings, place=GPU, callback=callback)
    return [record.events[start:stop] for start, stop in pairwise(marks[-4:])]


def _bytes(events, *kinds):
    return [event.bytes for event in events if event.kind in kinds]


N_ELEMENTS, CHANNEL, LENGTH = 3, 40 * 8 * 6, 6  # voxels of an element, columns, of the tiny data set made 40 deep
STACK = 5 * 8 * 6  # an element's counts
SUMS = 8 * 3 * N_ELEMENTS * LENGTH  # three an element and column, at the end of a prox
OPTIONS = [{}, {"mask": "cylinder"}, {"tv_iterations": 2}]


@pytest.fixture(scope="module", params=[pytest.param(o, id=" ".join(o) or "default") for o in OPTIONS])
def options(request):
    return request.param


@pytest.fixture(scope="module", params=sorted(METHODS))
def rounds(request, options, tiny_dataset):
    """Those of every method with every option."""
    with fake_cupy.installed() as record:
        return _rounds(record, tiny_dataset, request.param, **options)


@pytest.mark.fake_gpu
def test_only_column_sums_cross_to_the_host(rounds):
    for events in rounds:
        assert max(_bytes(events, "to host")) <= SUMS
        assert sum(_bytes(events, "to host")) < 0.15 * 4 * N_ELEMENTS * CHANNEL  # 3e-4 of a volume at 256^3
        assert sum(_bytes(events, "to device")) <= 4 * N_ELEMENTS * 12  # a step's weights
        assert sum(event.kind == "wait" for event in events) <= 40


@pytest.mark.fake_gpu
def test_no_iteration_allocates_a_volume_or_a_stack(rounds):
    for events in rounds:
        made = [(event.what, event.bytes) for event in events if event.kind == "allocate"]
        assert max(n for what, n in made if what == "float64") < 4 * CHANNEL  # partial sums
        assert max((n for what, n in made if what != "float64"), default=0) < 4 * STACK


@pytest.mark.fake_gpu
@pytest.mark.parametrize("method", ["fused", "poisson-tv", "fista-tv"])
def test_a_new_metric_takes_one_channel_at_most(record, tiny_dataset, method, monkeypatch):
    monkeypatch.setattr(Renewals, "due", lambda renewals, scale: True)  # in every iteration
    renewed, renew = [], accelerated._Descent.renew
    monkeypatch.setattr(accelerated._Descent, "renew", lambda *args: renewed.append(renew(*args)))
    for events in _rounds(record, tiny_dataset, method):
        made = {event.bytes for event in events if event.kind == "allocate" and event.what != "float64"}
        assert max(made - {4 * CHANNEL}, default=0) < 4 * STACK
        assert max(_bytes(events, "to host")) <= SUMS
    assert len(renewed) == 6


@pytest.mark.fake_gpu
def test_half_precision_is_that_of_duals_and_of_what_is_projected(record, tiny_dataset):
    place = Placement(device="gpu", half=True)
    reconstruct(tiny_dataset, "fused", settings=_settings(max_iterations=2, depth=40), place=place)
    halves = sorted(event.bytes for event in record.of("allocate") if event.what == "float16")
    volume = 2 * N_ELEMENTS * CHANNEL
    assert halves == [2 * CHANNEL, volume, 3 * volume, 3 * volume]  # the density, the volume, two dual fields


@pytest.mark.fake_gpu
def test_memory_in_use(record, tiny_dataset):
    """For docs/gpu.md: volumes' worth of memory at the most, for three elements, stacks being small."""
    _rounds(record, tiny_dataset, "fused")
    most = record.bytes_most / (4 * N_ELEMENTS * CHANNEL)
    print(f"at most {most:.1f} times the volume's memory")  # pytest -rP shows it
    assert most < 16


# ------------------------------------------------------------------------------------------------------ side by side


SLABS = """
sys.path.insert(0, sys.argv[1])
import json, tempfile
tempfile.tempdir = sys.argv[2]  # ranks have one of their own, where they would compile all kernels again
from functools import partial
from tests.fusedtomo import every_method
from tests.fusedtomo.kernels import fake_cupy
every_method.Placement, every_method.ITERATIONS = partial(every_method.Placement, device="gpu"), 2
every_method.SETTINGS = {name: every_method.SETTINGS[name] for name in sys.argv[3:]}
with fake_cupy.installed() as record:
    found = every_method.digests(comm)
    assert record.of("launch")
if comm.rank == 0:
    print(json.dumps(found))
"""


@needs_mpi
@pytest.mark.slow
@pytest.mark.fake_gpu
@pytest.mark.parametrize(
    "settings", [["gap-steered"], pytest.param(["fixed", "anisotropic"], marks=pytest.mark.nightly)], ids=str
)
def test_slabs_on_gpus_have_the_bits_of_the_whole(settings):
    """Every method on one and on two ranks, each with a fake GPU of its own, their arrays staged through the host."""
    folders = (str(Path(__file__).parents[3]), tempfile.gettempdir())
    one, two = (run_script(n, SLABS, *folders, *settings, timeout_s=200) for n in (1, 2))
    assert (one.returncode, two.returncode) == (0, 0), two.stderr
    assert json.loads(two.stdout) == json.loads(one.stdout)


def _run(dataset, method, settings):
    import cupy

    with cupy.cuda.Stream(non_blocking=True):
        return reconstruct(dataset, method, settings=settings, place=GPU).volume.data


def test_threads_with_streams_of_their_own_do_not_disturb_each_other(gpu, tiny_dataset):
    jobs = [(m, _settings(max_iterations=4, gamma=gamma)) for m in ("fused", "poisson-tv") for gamma in (1.4, 2.0)]
    alone = [_run(tiny_dataset, *job) for job in jobs]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(jobs)) as pool:
            together = list(pool.map(lambda job: _run(tiny_dataset, *job), jobs))
    finally:
        sys.setswitchinterval(before)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_tables_are_kept_for_one_stream_and_thread(gpu):
    import cupy

    def uploaded(stream):
        with stream:
            return launch.upload(table)

    table, stream, other = np.arange(5.0), cupy.cuda.Stream(), cupy.cuda.Stream()
    kept = uploaded(stream)
    assert uploaded(stream) is kept
    assert uploaded(other) is not kept
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(uploaded, stream).result() is not kept
    np.testing.assert_array_equal(kept.get(), table)
