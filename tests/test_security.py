"""Nothing that is read runs, nothing that is written leaves its place, and the environment stays outside.

Beside these: a worker's name leads nowhere but to its log (test_trials), a run folder holds nothing of the
environment (test_run), a recipe's files lie in its data folder (test_importing), reports are escaped (test_report).
"""

import ast
import os
import pickle
import shutil
import stat
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from warnings import catch_warnings

import h5py
import numpy as np
import pytest
from rich.console import Console

from fusedtomo.errors import InputError
from fusedtomo.io import read_dataset, read_history, read_truth, read_volume, write_dataset, write_volume
from fusedtomo.toml import validated
from tests.test_import_direction import our_sources
from tests.workflows.tiny import config, content
from tests.workflows.values import campaign, trial
from workflows.campaign import CampaignConfig
from workflows.control import provenance
from workflows.control.provenance import environment
from workflows.maps.atlas import build_atlas, read_atlas, write_atlas
from workflows.maps.sampling_map import sampling_map
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder
from workflows.record.state import Heartbeat, read_state
from workflows.report.products import write_products
from workflows.watch import listing as trials
from workflows.watch.status import status

SECRET = "sesame-6f3a91"
quiet = Console(quiet=True)

# --- the source

_RUNS_WHAT_IT_READS = {"pickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "yaml", "code"}
_CALLS = {"eval", "exec", "compile", "__import__", "mkstemp", "mkdtemp", "NamedTemporaryFile", "system", "popen"}
# the controller's own arguments to its own workers, on Parsl's encrypted channel: never a file
_ALLOWED = {
    ("workflows.workers.apps", "pickle"),
    ("fusedtomo.outcomes", "NamedTemporaryFile"),  # a log in a folder of all users: its owner's alone
}


def dangers(source: str, module: str):
    """Imports and calls that run what they read, or write with a mode of their own (0600) whatever the umask."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found = {name for name in names if name.partition(".")[0] in _RUNS_WHAT_IT_READS}
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).removeprefix("os.").removeprefix("tempfile.").removeprefix("builtins.")
            found |= {called} & _CALLS
            for keyword in node.keywords:
                on = not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
                found |= {keyword.arg} if keyword.arg in ("allow_pickle", "shell") and on else set()
        yield from (f"{module}:{node.lineno} {name}" for name in found if (module, name) not in _ALLOWED)


def test_no_module_runs_what_it_reads_or_writes_with_modes_of_its_own():
    found = [danger for module, (source, _) in our_sources().items() for danger in dangers(source, module)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from dill import loads",
        "def f():\n    import yaml",
        "eval(text)",
        "numpy.load(path, allow_pickle=True)",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
        "tempfile.mkstemp()",
    ],
)
def test_each_danger_is_seen(line):
    assert list(dangers(line, "m")) != []
    assert list(dangers("re.compile(x)\nnumpy.load(path, allow_pickle=False)", "m")) == []


# --- what is read


class _Watch:
    on, seen = False, []


def _hook(event, arguments):
    """Python tells of every class that any unpickler looks up; numba's own cache of kernels may."""
    if _Watch.on and event == "pickle.find_class":
        frame, files = sys._getframe(), []
        while frame:
            files.append(frame.f_code.co_filename)
            frame = frame.f_back
        if not any("/numba/" in file for file in files):
            _Watch.seen.append(arguments)


sys.addaudithook(_hook)


@contextmanager
def nothing_unpickled():
    """Fail when anything inside the block looks for a class by the name that a pickle gives."""
    _Watch.on, _Watch.seen = True, []
    try:
        yield
    finally:
        _Watch.on = False
    assert _Watch.seen == []


class _Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.fixture
def bomb(tmp_path):
    """A pickle, and the folder that it makes."""
    return pickle.dumps(_Bomb(tmp_path / "owned")), tmp_path / "owned"


def test_the_watch_sees_an_unpickling(bomb):
    with pytest.raises(AssertionError), nothing_unpickled():
        pickle.loads(bomb[0])
    assert bomb[1].exists()


def readers(folder):
    """Every way in which a file of data is read."""
    return {
        "data.h5": [read_dataset, read_truth],
        "volume.h5": [read_volume, read_history],
        "atlas.h5": [read_atlas],
        "campaign.json": [lambda _: RunFolder.read(folder)],
        "trials.jsonl": [lambda _: status(quiet, folder), lambda _: trials.show(quiet, folder, True, None, False)],
        "state.json": [lambda _: read_state(folder), lambda _: status(quiet, folder)],
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_dataset, tiny_phantom):
    """A folder with one good file of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    write_dataset(tiny_dataset, folder / "data.h5", tiny_phantom)
    write_volume(tiny_phantom, folder / "volume.h5")
    found = sampling_map(campaign(), [trial("fused-h5-c3", 0, 0.5)])
    write_atlas(build_atlas(found, {}), folder / "atlas.h5")
    with RunFolder(folder, campaign()), Journal(folder / "trials.jsonl") as journal, Heartbeat(folder, "m"):
        journal.append(trial("fused-h5-c3", 0, 0.5))
    return folder


@pytest.fixture
def files(tmp_path, whole):
    """The good files, to be spoiled."""
    return Path(shutil.copytree(whole, tmp_path / "files"))


def read_all(folder, name):
    for read in readers(folder)[name]:
        with suppress(InputError), catch_warnings(action="ignore"):  # refused: as good as not run
            read(folder / name)


@pytest.mark.parametrize("name", readers(Path()))
def test_a_pickle_in_place_of_a_file_is_not_run(files, bomb, name):
    (files / name).write_bytes(bomb[0] + b"\n")
    with nothing_unpickled():
        read_all(files, name)
    assert not bomb[1].exists()


@pytest.mark.parametrize("name", ["data.h5", "volume.h5", "atlas.h5"])
@pytest.mark.parametrize("kind", ["opaque", "bytes", "text", "bytes of any length"])
def test_pickles_in_place_of_every_value_of_an_hdf5_file_are_not_run(files, bomb, name, kind):
    value = {
        "opaque": np.void(bomb[0]),
        "bytes": np.array([bomb[0]]),
        "text": bomb[0].decode("latin-1").replace("\0", "0"),
        "bytes of any length": np.frombuffer(bomb[0], np.uint8),
    }[kind]
    with h5py.File(files / name, "r+") as file:
        for path in _data_sets(file):
            del file[path]
            file[path] = value
        for attribute in set(file.attrs) - {"fusedtomo_kind", "format", "format_version"}:
            file.attrs[attribute] = value
    with nothing_unpickled():
        read_all(files, name)
    assert not bomb[1].exists()


def _data_sets(file):
    found = []
    file.visititems(lambda path, item: found.append(path) if isinstance(item, h5py.Dataset) else None)
    return found


_CODE = [
    "__import__('os').mkdir('owned')",
    "$(mkdir owned)",
    "`mkdir owned`",
    "; mkdir owned",
    "!!python/name:os.mkdir",
]


def _strings(value, path=()):
    """Where a campaign holds text."""
    if isinstance(value, str):
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _strings(inner, (*path, key))


@pytest.mark.parametrize("code", _CODE)
def test_text_in_a_campaign_is_never_code(tmp_path, monkeypatch, code):
    monkeypatch.chdir(tmp_path)
    places = list(_strings(content()))
    assert len(places) == 5  # name, phantom.name, three methods
    for *parents, last in places:
        changed = content()
        inner = changed
        for parent in parents:
            inner = inner[parent]
        inner[last] = code
        try:
            validated(CampaignConfig, changed, "campaign.toml").conditions()
        except InputError:
            continue
        assert [*parents, last] == ["phantom", "name"]  # looked up in a table, where it is not
    assert list(tmp_path.iterdir()) == []


# --- names


@pytest.mark.parametrize("name", ["../x", "/x", "..", ".x", "a/b", "a\\b", "a\nb", "", "x" * 65, "a\0b"])
def test_a_campaign_s_name_is_no_path(name):
    with pytest.raises(InputError, match="'name'"):
        validated(CampaignConfig, content(name=name), "campaign.toml")


@pytest.fixture
def products(tmp_path, files, monkeypatch):
    """A run whose journal was written by somebody else: its names point everywhere; its products, made by umask 002."""
    run = tmp_path / "place" / "run"
    before = os.umask(0o002)
    try:
        small = config(report={"slices": [[2, 2]], "landscapes": [[2, 2]]})
        with RunFolder(run, small) as folder, Journal(folder.journal) as journal, Heartbeat(run, "../m"):
            for number, nrmse in enumerate((0.5, 0.4, 0.6)):
                point = {"haadf": 0.01 * (number + 1), "tv": 0.2 * (number + 1)}
                by_element = dict.fromkeys(("Co", "Ni", "O"), nrmse)
                good = replace(trial("fused-h2-c2", number, nrmse, **point), nrmse_by_element=by_element, snr={})
                journal.append(good)
                journal.append(trial("../../out", number, nrmse, **point))
                journal.append(trial("/out", number, None))
        with nothing_unpickled():
            write_products(folder, provenance.provenance(small))
    finally:
        os.umask(before)
    return run


@pytest.mark.slow
def test_a_journal_s_names_lead_nowhere_and_what_is_made_of_it_has_the_user_s_mode(products):
    everything = set(products.parent.parent.rglob("*"))
    outside = {path for path in everything if products not in (path, *path.parents)}
    assert not [path for path in outside if "out" in path.name or path.name == "m"]
    made = {path.name for path in products.iterdir()}
    assert {"atlas.h5", "report.html", "sampling_map.png", "sampling_map.csv", "state.json", "lock"} <= made
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in products.iterdir()}
    assert modes == dict.fromkeys(made, "0o664")
    assert stat.S_IMODE(products.stat().st_mode) == 0o775


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_data_files_have_the_user_s_mode(tmp_path, umask, mode, tiny_dataset, tiny_phantom):
    before = os.umask(umask)
    try:
        write_dataset(tiny_dataset, tmp_path / "data.h5")
        write_volume(tiny_phantom, tmp_path / "volume.h5")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {mode}


# --- the environment


def test_provenance_takes_from_the_environment_what_is_on_its_list_alone(monkeypatch):
    monkeypatch.setattr(os, "environ", {"API_TOKEN": SECRET, "SLURM_JOB_ID": "7", "OMP_NUM_THREADS": "1", "HOME": "/h"})
    assert environment() == "OMP_NUM_THREADS=1 SLURM_JOB_ID=7"
    facts = provenance.provenance(config())
    assert facts["environment"] == "OMP_NUM_THREADS=1 SLURM_JOB_ID=7"
    assert SECRET not in str(facts)


def test_nothing_on_the_list_can_hold_a_secret():
    suspicious = ("TOKEN", "KEY", "SECRET", "PASS", "CRED", "AUTH", "COOKIE", "PATH", "URL")
    assert not [name for name in provenance.ENVIRONMENT if any(word in name for word in suspicious)]
