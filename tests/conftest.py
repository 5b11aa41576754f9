"""Fixtures that more than one test file needs: devices, a seeded generator, a tiny phantom, a tiny data set."""

import os
import signal
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import settings

from fusedtomo.kernels.numba import tv
from fusedtomo.settings import Acquisition
from fusedtomo.simulate import simulate
from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume
from tests.devices import DEVICES, DEVICES_FOR_LONG, device, missing
from tests.once import one_at_a_time
from workflows.trial.warmup import run_everything_once

# no deadline: the first call of a kernel compiles it; derandomised: a red CI run can be repeated
settings.register_profile("fusedtomo", deadline=None, max_examples=30, derandomize=True)
settings.load_profile("fusedtomo")

# small problems gain nothing by threads, which wait for each other where several processes share two cores (Makefile)
numba.set_num_threads(1)

# hundreds of interpreters are started by tests, and each would compile the package anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# a shell's background jobs ignore Ctrl-C, and nohup's a lost terminal: so would every command that a test signals
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# what tests of a marker need, and why it cannot be had here, if so
NEEDS = {
    "gpu": lambda: missing("gpu"),
    "fake_gpu": lambda: missing("fake gpu"),
    "astra": lambda: None if find_spec("astra") else "astra-toolbox is not installed",
}
LEFT_OUT = pytest.StashKey[Counter]()


@pytest.hookimpl(trylast=True)  # after -k and -m, so that what they left is counted
def pytest_collection_modifyitems(config, items):
    """Leave out what cannot run here: one line at the end says so (below), in place of 600 skips."""
    reasons = {marker: reason for marker, why in NEEDS.items() if (reason := why())}
    left_out = {item: reasons[marker] for item in items for marker in reasons if item.get_closest_marker(marker)}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # files with long tests first, or one process would be left with them at the end
    items[:] = sorted((item for item in items if item not in left_out), key=lambda item: item.path not in slow)
    config.hook.pytest_deselected(items=list(left_out))
    config.stash[LEFT_OUT] = Counter(left_out.values())


def pytest_sessionfinish(session):
    """What a worker of pytest-xdist left out, for the process that started it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = dict(session.config.stash.get(LEFT_OUT, {}))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Every worker collects every test, and leaves out the same."""
    node.config.stash[LEFT_OUT] = Counter(getattr(node, "workeroutput", {}).get("left out", {}))


def pytest_terminal_summary(terminalreporter, config):
    """How many tests could not run here, and why."""
    for reason, number in config.stash.get(LEFT_OUT, Counter()).items():
        terminalreporter.write_line(f"{number} tests left out: {reason}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file's tests stay together, for what they share is made once, and so do those of the one Slurm cluster."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "tests/cluster" if nodeid.startswith("tests/cluster/") else nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # the longest files have few tests, and would come last
    return ByFile(config, log)


def _run_tv_once():
    volume, weight = np.ones((1, 16, 16, 16), np.float32), np.ones(1, np.float32)
    dual = np.zeros((1, 3, 16, 16, 16), np.float32)
    for local in (None, volume):
        tv.prox(volume, volume, weight, dual, tv.spare(dual), np.empty_like(volume), 1, False, local)
        tv.total_variation(volume, False, local)


@pytest.fixture(scope="session", autouse=True)
def _compiled(request, tmp_path_factory):
    """The kernels, compiled by two processes, half of them each: all of them would each compile all."""
    if hasattr(request.config, "workerinput"):
        halves = [("tv", _run_tv_once), ("rest", lambda: run_everything_once("fused-without-tv"))]
        first = int(request.config.workerinput["workerid"].removeprefix("gw")) % 2
        for name, run in (halves[first], halves[1 - first], ("all", run_everything_once)):
            with one_at_a_time(tmp_path_factory, f"kernels-{name}"):
                run()


@pytest.fixture(scope="session", autouse=True)
def _unmonitored():
    """Commands load Parsl without its monitoring, as most users have it: half a second less in each of its processes.

    A test of monitoring gives its command another PYTHONPATH.
    """
    paths = [str(Path(__file__).parent / "unmonitored"), *filter(None, [os.environ.get("PYTHONPATH")])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers in every test."""
    return np.random.default_rng(20240513)


@pytest.fixture(scope="module", params=DEVICES)
def place(request):
    """A Placement on every device in turn: the CPU, a fake GPU, a GPU where there is one."""
    with device(request.param) as place:
        yield place


@pytest.fixture(scope="module", params=DEVICES_FOR_LONG)
def place_for_long(request):
    """As `place`, without the fake GPU, which is slow."""
    with device(request.param) as place:
        yield place


@pytest.fixture(scope="session")
def tiny_phantom() -> ChemicalVolume:
    """A CoO block with a pore and a gold grain on it, (3, 8, 8, 6), inside the inscribed cylinder."""
    data = np.zeros((3, 8, 8, 6), np.float32)
    data[:2, 2:6, 2:6, 1:5] = 0.5
    data[:2, 3, 4, 2] = 0
    data[2, 3:5, 6, 2:4] = 1
    return ChemicalVolume(data, ("Co", "O", "Au"), 2.0)


@pytest.fixture(scope="session")
def tiny_dataset(tiny_phantom) -> FusedDataset:
    """The tiny phantom at 9 HAADF and 5 chemical tilts; its arrays are read-only, so that no solver writes to them."""
    acquisition = Acquisition.model_validate(
        {
            "haadf": {"tilts": {"count": 9}, "snr": 1000.0},
            "chemical": {"tilts": {"count": 5}, "snr": {"Co": 8.0, "O": 8.0, "Au": 4.0}},
        }
    )
    dataset = simulate(tiny_phantom, acquisition)
    for series in (dataset.haadf, *dataset.chemical):
        series.counts.flags.writeable = False
    return dataset
